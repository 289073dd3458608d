"""Figures of claims as words: a row of the table, a range, a number."""

from __future__ import annotations

from math import inf, isfinite

from isoloss.papers.claim import ORIGINS, Expected, Ours
from isoloss.papers.verdict import Judged, digits


def heads(numbers: str) -> tuple[str, ...]:
    """Heads of the table of figures, that of their numbers by where they come from."""
    known = ORIGINS[numbers]
    return ("figure", known, "accepted", "ours", "+-", "unit", "digits", "outcome", "only if")


def row(expected: Expected, ours: Ours, judged: Judged) -> tuple[str, ...]:
    """A figure as strings, one for each head."""
    return (
        expected.name,
        shown(expected.theirs, 6),
        accepted(expected.range),
        shown(ours.value, 6),
        shown(ours.error, 2) if ours.error else "",
        expected.unit,
        shown(digits(expected, ours), 2),
        judged.value,
        expected.when,
    )


def accepted(range: tuple[float, float]) -> str:
    """A range in words: "6 to 8", "at least 0.5", "at most 2"."""
    low, high = range
    if low == -inf:
        return f"at most {high:.6g}"
    return f"at least {low:.6g}" if high == inf else f"{low:.6g} to {high:.6g}"


def shown(value: float | None, digits: int) -> str:
    """A number with so many significant digits; a dash where there is none."""
    return "-" if value is None or not isfinite(value) else f"{value:.{digits}g}"
