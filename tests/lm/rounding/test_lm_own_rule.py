"""A gradient rule of a user's own: registered from outside, spelled as the others, in the run's
method.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from isoloss.formats import Format, Precision
from isoloss.formats.torch_twin import fake_quantise
from isoloss.lm import GradientRule, Language, ModelError, Recipe, register_rule, train_one
from isoloss.lm.rounding import own_rules
from isoloss.lm.rounding.gradient_rule import RULES
from isoloss.lm.rounding.many_grids import is_plain
from isoloss.lm.rounding.parts import Rounding
from isoloss.runs import Decoder

SHAPE = Decoder(2, 16, 2, 64, ffn=24)
RECIPE = Recipe(sequences=8, validation=16, compiled=False)


def damped(x: Tensor, known: Format, random: Any, compiled: bool) -> Tensor:
    """Rounding to nearest whose gradient is half of the plain one."""
    y = fake_quantise(x, known, random=random, check=False, compiled=compiled)
    return y.detach() + 0.5 * (x - x.detach())


def no_floats(known: Format, scope: str, share: str | int | None) -> str | None:
    return "@damped takes integers" if known.exponent is not None else None


@pytest.fixture(autouse=True)
def rule() -> Iterator[GradientRule]:
    yield register_rule(GradientRule("damped", damped, refusal=no_floats))
    RULES.remove("damped")


def test_it_rounds_and_passes_its_own_gradient() -> None:
    x = torch.linspace(-1, 1, 12).reshape(3, 4).requires_grad_()
    y = Rounding(Format.parse("int4/row@damped"), compiled=False)(x)
    y.sum().backward()
    assert x.grad is not None
    assert y.equal(fake_quantise(x.detach(), "int4/row", compiled=False))
    assert x.grad.equal(torch.full_like(x, 0.5))


def test_a_model_trains_with_it_and_its_row_says_so() -> None:
    done = train_one(
        SHAPE, 5 * 8 * 16, "w4@damped", corpus=Language(vocab=64, context=16), recipe=RECIPE
    )
    plain = train_one(SHAPE, 5 * 8 * 16, "w4", corpus=Language(vocab=64, context=16), recipe=RECIPE)
    assert (done.run.method, done.run.status) == ("damped", "ok")
    assert done.run.loss != plain.run.loss


def test_batched_sweeps_and_workers_take_it_by_its_record(rule: GradientRule) -> None:
    known = Format.parse("int4/row@damped")
    assert not is_plain(known)
    assert own_rules([known, Format.parse("int4@quest")]) == (rule,)


@pytest.mark.parametrize(
    ("precision", "said"),
    [
        ("w:e4m3@damped", "'w:e4m3@damped' cannot be: @damped takes integers"),
        (
            "w4@dampd",
            "unknown training method 'dampd'; did you mean 'damped'? accepted are clipped, lsq, "
            "quest, ste, damped",
        ),
    ],
)
def test_what_it_does_not_take_is_refused_before_training(precision: str, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        train_one(SHAPE, "10k", Precision(precision), corpus=Language(vocab=64, context=16))
    assert said in str(caught.value)


def test_a_rule_has_a_function_or_a_module() -> None:
    with pytest.raises(ModelError, match="needs either a function 'apply' or one that makes its"):
        GradientRule("nothing")
    with pytest.raises(ModelError, match="'quest' is already registered by isoloss"):
        register_rule(GradientRule("quest", damped))
