"""What tells formats, methods and rules of one's own from others of their names, in keys."""

from collections.abc import Callable, Iterator

import pytest
from torch import Tensor

from isoloss.formats import FORMATS, Precision, custom_format
from isoloss.lm import GradientRule, post_key, register_method, register_rule
from isoloss.lm.after.post_method import METHODS, PostMethod
from isoloss.lm.own_source import UntoldWarning, own_sources
from isoloss.lm.rounding.gradient_rule import RULES
from isoloss.lm.training.one_job import own_of

STEP = 0.5


def halves(x: Tensor) -> Tensor:
    return (x / STEP).round() * STEP


def wholes(x: Tensor) -> Tensor:
    return x.round()


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    kept = [registry.state() for registry in (FORMATS, METHODS, RULES)]
    yield
    for registry, state in zip((FORMATS, METHODS, RULES), kept, strict=True):
        registry.restore(state)


def test_what_isoloss_ships_says_nothing() -> None:
    shipped = Precision("w:nf4/64 a:e4m3 -> w4@gptq")
    assert own_of(shipped) == {}
    assert own_sources([*shipped.train.values(), *shipped.serve.values()], {}) == {}


def test_another_function_under_one_name_has_another_key() -> None:
    custom_format("mine", 4, halves)
    first, key = own_of(Precision("w:mine")), post_key("run", "fp -> w:mine")
    assert list(first["own"]) == ["numbers of mine", "format mine"]
    assert own_of(Precision("w:mine/16")) == first
    custom_format("mine", 4, wholes, replace=True)
    assert own_of(Precision("w:mine")) != first
    assert post_key("run", "fp -> w:mine") != key
    assert post_key("run", "fp -> w4") == post_key("run", "fp -> w4")


def test_a_constant_that_it_names_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    custom_format("mine", 4, halves)
    first = own_sources([Precision("w:mine").train["w"]], {})
    monkeypatch.setitem(globals(), "STEP", 0.25)
    assert own_sources([Precision("w:mine").train["w"]], {}) != first


def test_lists_of_numbers_are_told() -> None:
    custom_format("five", grid=[-2.0, -1.0, 0.0, 1.0, 2.0])
    first = own_of(Precision("w:five"))
    custom_format("five", grid=[-3.0, -1.0, 0.0, 1.0, 3.0], replace=True)
    assert own_of(Precision("w:five")) != first


def test_the_block_of_a_list_of_numbers_is_told() -> None:
    custom_format("five", grid=[-2.0, -1.0, 0.0, 1.0, 2.0], block=16)
    first = own_of(Precision("w:five"))
    custom_format("five", grid=[-2.0, -1.0, 0.0, 1.0, 2.0], block=2, replace=True)
    assert own_of(Precision("w:five")) != first


def test_two_lambdas_of_one_line_are_told_apart() -> None:
    one, two = (lambda x: (x / 0.5).round() * 0.5), (lambda x: (x / 0.05).round() * 0.05)
    custom_format("mine", 4, one)
    first = own_of(Precision("w:mine"))
    custom_format("mine", 4, two, replace=True)
    assert own_of(Precision("w:mine")) != first


def test_methods_and_rules_are_told() -> None:
    def key() -> str:
        return post_key("run", "fp -> w4@own")

    register_method(PostMethod("own", lambda weight, known, seen: halves(weight)))
    first = key()
    register_method(PostMethod("own", _by_wholes), replace=True)
    assert key() != first
    register_rule(GradientRule("own", _by_wholes))
    told = own_of(Precision("w4@own"))
    assert list(told["own"]) == ["method own"]


def _by_wholes(weight: Tensor, *_: object) -> Tensor:
    return wholes(weight)


def test_what_its_source_does_not_show_is_said() -> None:
    def closed(by: float) -> Callable[[Tensor], Tensor]:
        return lambda x: (x / by).round() * by

    custom_format("closed", 4, closed(0.5))
    with pytest.warns(UntoldWarning, match="format closed cannot be told by its source.*'by'"):
        assert list(own_of(Precision("w:closed"))["own"]) == ["numbers of closed"]
