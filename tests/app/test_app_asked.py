"""What a link asks: read by type, refused in one sentence, and the same again from what it told."""

import pytest

from isoloss.app import AppError
from isoloss.app.asked import FormatsAsked, PlanAsked, RegressionAsked, asked_of, told
from isoloss.app.lines import Code, call, command


@pytest.mark.parametrize("cls", [PlanAsked, RegressionAsked, FormatsAsked])
def test_a_link_says_what_was_asked(cls: type) -> None:
    texts = {k: "" if v is None else str(int(v) if isinstance(v, bool) else v)
             for k, v in told(cls()).items()}  # fmt: skip
    assert asked_of(cls, texts) == cls()


def test_an_empty_field_is_no_limit_and_no_zero() -> None:
    assert asked_of(PlanAsked, {"memory": ""}).memory is None
    assert asked_of(PlanAsked, {"train": "3e20"}).train == 3e20
    assert asked_of(PlanAsked, {"extrapolate": "1"}).extrapolate is True


@pytest.mark.parametrize(
    ("cls", "given", "said"),
    [
        (PlanAsked, {"trian": "1"}, "unknown field 'trian'"),
        (PlanAsked, {"train": "much"}, "train is 'much'; accepted is a number"),
        (PlanAsked, {"train": "nan"}, "train is 'nan'"),
        (PlanAsked, {"train": "-1"}, "zero or more"),
        (PlanAsked, {"devices": "1.5"}, "whole number"),
        (PlanAsked, {"draws": "100000"}, "draws is 100000; the page takes 1 to 300"),
        (PlanAsked, {"laws": "x" * 1000}, "laws is 1000 characters long"),
        (PlanAsked, {"precision": ",".join(["w4"] * 17)}, "16 precisions"),
        (PlanAsked, {"extrapolate": "yes"}, "accepted are 0 and 1"),
        (PlanAsked, {"laws": "kumar2024,/etc/passwd"}, "unknown law '/etc/passwd'"),
        (PlanAsked, {"laws": "../fit.json"}, "a saved law or fit is dropped in"),
        (PlanAsked, {"bits": "0"}, "bits is 0; the page takes 1 to 16"),
        (RegressionAsked, {"batch": "0"}, "batch is 0; accepted are 1 to the 100000 samples"),
        (RegressionAsked, {"batch": "1e18"}, "accepted are 1 to the 100000 samples"),
        (RegressionAsked, {"dim": "10000000"}, "dim is 10000000"),
        (RegressionAsked, {"samples": "10"}, "samples is 10"),
        (RegressionAsked, {"inputs": "both"}, "accepted are clean, in use"),
        (FormatsAsked, {"formats": ""}, "1 to 12 formats"),
    ],
)
def test_what_cannot_be_asked_is_refused(cls: type, given: dict[str, str], said: str) -> None:
    with pytest.raises(AppError, match=said):
        asked_of(cls, given)


def test_lines_are_quoted_for_the_shell_and_for_python() -> None:
    line = command("plan", "a law", train="1e21 flop", memory=None, extrapolate=True)
    assert line == "isoloss plan 'a law' --train '1e21 flop' --extrapolate"
    assert call("f", Code("x"), "y", z=None, w=2) == "f(x, 'y', w=2)"
