"""The rule of the verdict by value: figures against ranges, conditions, digits."""

from math import inf, nan
from typing import Any

import pytest

from isoloss.papers import (
    Claim,
    Expected,
    Finding,
    Judged,
    Ours,
    PapersError,
    Reproduction,
    Verdict,
)
from isoloss.papers.claim import ORIGINS
from isoloss.papers.verdict import digits, judge

MET, MISSED, NOT_TOLD = Ours(1.0), Ours(5.0), Ours(nan, inf)


@pytest.mark.parametrize(
    ("range", "ours", "judged"),
    [
        ((0, 2), Ours(2.0), Judged.MET),
        ((0, 2), Ours(2.0000001), Judged.MISSED),
        ((0, 2), Ours(1.0, 0.4), Judged.MET),
        ((0, 2), Ours(1.9, 0.1), Judged.NOT_TOLD),
        ((0, 2), Ours(2.1, 0.1), Judged.NOT_TOLD),
        ((0, 2), Ours(2.3, 0.1), Judged.MISSED),
        ((0, inf), Ours(1e9, 1.0), Judged.MET),
        ((-inf, 0), Ours(0.3, 0.1), Judged.MISSED),
        ((0, 2), Ours(1.0, 2.0), Judged.NOT_TOLD),  # a range that the error fills tells nothing
        ((0, 2), Ours(nan), Judged.MISSED),
        ((0, 2), Ours(inf, 0.1), Judged.MISSED),
        ((0, 2), Ours(nan, inf), Judged.NOT_TOLD),
    ],
    ids=str,
)
def test_a_figure_is_met_missed_or_not_told(
    range: tuple[float, float], ours: Ours, judged: Judged
) -> None:
    assert judge(Expected("it", None, range), ours) is judged


def verdict(*figures: tuple[str, Ours], full_text: bool = True, **given: Any) -> Reproduction:
    """A claim whose figures are accepted between 0 and 2, each under a condition."""
    expected = tuple(Expected(str(k), None, (0, 2), when) for k, (when, _) in enumerate(figures))
    claim = Claim("p", "c", "here", "it is so", (), "x", {}, expected, full_text, **given)
    ours = {str(k): each for k, (_, each) in enumerate(figures)}
    return Reproduction(claim, Finding(ours, "so", ()))


@pytest.mark.parametrize(
    ("figures", "found"),
    [
        ([("", MET), ("", MET)], Verdict.HOLDS),
        ([("", MET), ("", MISSED)], Verdict.FAILS),
        ([("", MET), ("", NOT_TOLD)], Verdict.NOT_TESTABLE),
        ([("", MISSED), ("", NOT_TOLD)], Verdict.FAILS),
        ([("clean", MET), ("in use", MET)], Verdict.HOLDS),
        ([("clean", MET), ("in use", MISSED)], Verdict.ONLY_IF),
        ([("clean", MISSED), ("in use", MISSED)], Verdict.FAILS),
        ([("clean", MET), ("in use", NOT_TOLD)], Verdict.NOT_TESTABLE),
        ([("clean", MISSED), ("in use", NOT_TOLD)], Verdict.FAILS),
        ([("", MISSED), ("clean", MET), ("in use", MET)], Verdict.FAILS),
        ([("", MET), ("clean", MET), ("in use", MISSED)], Verdict.ONLY_IF),
        ([("clean", MET), ("clean", MISSED), ("in use", MET)], Verdict.ONLY_IF),
    ],
)
def test_the_verdict_follows_from_the_figures(
    figures: list[tuple[str, Ours]], found: Verdict
) -> None:
    assert verdict(*figures).verdict is found


def test_the_sentence_names_the_conditions_and_what_is_not_told() -> None:
    clean, use = ("clean inputs", MET), ("inputs in use", MISSED)
    untold = ("half of them", NOT_TOLD)
    assert verdict(clean, use).sentence == "holds only if clean inputs; not if inputs in use"
    assert verdict(use, untold).sentence == (
        "fails if inputs in use; not told if half of them; missed: 0 (5; asked 0 to 2)"
    )
    assert verdict(("", MET), ("", NOT_TOLD)).sentence == (
        "not testable here: not told by the runs: 1 (no value; asked 0 to 2)"
    )


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (Ours(1.9, 0.1), "0 (1.9, from 1.7 to 2.1 by two errors; asked 0 to 2)"),
        (Ours(1.9, inf), "0 (1.9 with an error that is not told; asked 0 to 2)"),
        (Ours(nan, inf), "0 (no value; asked 0 to 2)"),
    ],
)
def test_what_is_not_told_is_said_with_its_interval_and_what_was_asked(
    ours: Ours, said: str
) -> None:
    found = verdict(("", ours))
    assert found.sentence == f"not testable here: not told by the runs: {said}"
    assert "inf" not in str(found)
    assert "nan" not in str(found)


def test_what_is_not_told_names_the_conditions_that_are() -> None:
    found = verdict(("clean", MET), ("in use", NOT_TOLD))
    assert found.sentence.endswith("asked 0 to 2); met if clean")
    left = verdict(("slow", MISSED), ("fast", NOT_TOLD), alternatives=True)
    assert left.sentence.endswith("asked 0 to 2); missed if slow")


def test_what_fails_names_what_was_met() -> None:
    """A condition may be met where a figure that stands under none is not."""
    found = verdict(("", MISSED), ("small", MET), ("", MET))
    assert found.sentence == "fails; missed: 0 (5; asked 0 to 2); met: 1; 2"
    many = verdict(*[("", MISSED)] * 5)
    assert many.sentence.endswith("2 (5; asked 0 to 2); 2 more in the table")


def test_a_position_that_is_not_told_leaves_a_dispute_open() -> None:
    figures = ("slow", MISSED), ("fast", NOT_TOLD)
    assert verdict(*figures, alternatives=True).verdict is Verdict.NOT_TESTABLE
    told = (*figures, ("none", MET))
    assert verdict(*told, alternatives=True).verdict is Verdict.NOT_TESTABLE
    assert verdict(*told).verdict is Verdict.ONLY_IF
    assert verdict(("slow", MISSED), ("fast", MET), alternatives=True).verdict is Verdict.ONLY_IF
    assert verdict(("slow", MISSED), ("fast", MISSED), alternatives=True).verdict is Verdict.FAILS


@pytest.mark.parametrize("numbers", ["constants", "notes"])
def test_a_number_that_is_not_printed_fails_our_reading(numbers: str) -> None:
    assert verdict(("", MISSED), numbers=numbers).verdict is Verdict.DIFFERS
    assert ORIGINS[numbers] in str(verdict(("", MISSED), numbers=numbers))


def test_what_is_stated_in_the_claim_fails_whatever_text_was_at_hand() -> None:
    assert verdict(("", MISSED), numbers="stated", full_text=False).verdict is Verdict.FAILS


def test_what_fails_without_the_text_differs_from_our_reading() -> None:
    assert verdict(("", MISSED), full_text=False).verdict is Verdict.DIFFERS
    assert verdict(("", MET), full_text=False).verdict is Verdict.HOLDS


@pytest.mark.parametrize(
    ("theirs", "ours", "agree"),
    [
        (2.0, Ours(2.0), 16.0), (2.0, Ours(2.02), 2.0), (2.0, Ours(4.0), 0.0),
        (0.0, Ours(0.001), 3.0), (None, Ours(1.0), None),
        (2.0, Ours(90.0), 0.0), (2.0, Ours(-90.0), 0.0), (0.0, Ours(50.0), 0.0),  # never below 0
        (2.0, Ours(2.0, 9.0), None), (2.0, Ours(2.0, inf), None), (2.0, Ours(nan), None),
    ],
)  # fmt: skip
def test_digits_of_agreement(theirs: float | None, ours: Ours, agree: float | None) -> None:
    found = digits(Expected("it", theirs, (0, 9)), ours)
    assert found == pytest.approx(agree) if agree is not None else found is None


@pytest.mark.parametrize(
    ("figures", "least"),
    [
        ((("a", 1.01), ("b", 9.0)), 2.0),  # b fails, and its digits are not those of the claim
        ((("a", 1.01), ("b", 1.1)), 1.0),
        ((("", 1.1), ("a", 1.01), ("b", 9.0)), 1.0),
        ((("a", 9.0), ("b", 5.0)), 0.0),
        ((("a", 1.01), ("a", nan)), None),
    ],
)
def test_digits_of_a_claim_are_those_of_what_holds(
    figures: tuple[tuple[str, float], ...], least: float | None
) -> None:
    expected = tuple(Expected(str(k), 1.0, (0, 2), w) for k, (w, _) in enumerate(figures))
    ours = {str(k): Ours(v, inf if v != v else 0.0) for k, (_, v) in enumerate(figures)}
    claim = Claim("p", "c", "here", "it is so", (), "x", {}, expected)
    found = Reproduction(claim, Finding(ours, "so", ())).least_digits
    assert found == pytest.approx(least) if least is not None else found is None


@pytest.mark.parametrize(
    ("range", "message"),
    [((2, 1), "the range of 'it' is 2 to 1; the first is larger"), ((-inf, inf), "every number")],
)
def test_a_range_that_cannot_be_missed_or_met_is_refused(
    range: tuple[float, float], message: str
) -> None:
    with pytest.raises(PapersError, match=message):
        Expected("it", 1.0, range)
