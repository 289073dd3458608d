"""Figures of claims as words: a row of the table, a range, a number."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite, isinf

from isoloss.papers.claim import ORIGINS, Expected, Ours
from isoloss.papers.verdict import TOLD, Judged, digits


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
        _error(ours),
        expected.unit,
        shown(digits(expected, ours), 2),
        judged.value,
        expected.when,
    )


def told(expected: Expected, ours: Ours) -> str:
    """A figure in a sentence: its value, what two standard errors leave of it, what is asked."""
    low, high = ours.value - TOLD * ours.error, ours.value + TOLD * ours.error
    unit = f" {expected.unit}" if expected.unit else ""
    if not isfinite(ours.value):
        said = "no value"
    elif not isfinite(ours.error):
        said = f"{ours.value:.3g}{unit} with an error that is not told"
    elif ours.error:
        said = f"{ours.value:.3g}{unit}, from {low:.3g} to {high:.3g} by two errors"
    else:
        said = f"{ours.value:.6g}{unit}"
    return f"{expected.name} ({said}; asked {accepted(expected.range)})"


def several(figures: Sequence[str], most: int = 3) -> str:
    """Figures in a sentence; how many more there are where they are too many for it."""
    more = len(figures) - most
    kept = list(figures) if more < 2 else [*figures[:most], f"{more} more in the table"]
    return "; ".join(kept)


def _error(ours: Ours) -> str:
    if isinf(ours.error):
        return "not told"
    return shown(ours.error, 2) if ours.error else ""


def accepted(range: tuple[float, float]) -> str:
    """A range in words: "6 to 8", "at least 0.5", "at most 2"."""
    low, high = range
    if low == -inf:
        return f"at most {high:.6g}"
    return f"at least {low:.6g}" if high == inf else f"{low:.6g} to {high:.6g}"


def shown(value: float | None, digits: int) -> str:
    """A number with so many significant digits; a dash where there is none."""
    return "-" if value is None or not isfinite(value) else f"{value:.{digits}g}"
