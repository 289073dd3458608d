"""What a fit took as its units of dependence, and what it used of the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from isoloss.files import equal_by_fields
from isoloss.fits.sample import UnitKind


@equal_by_fields
@dataclass(frozen=True)
class Units:
    """What counts as one piece of evidence: runs, or groups, cells or trajectories of them.

    Attributes
    ----------
    kind
        "runs" where each stands alone, declared "groups", "cells" (all but the seed is the same),
        or "trajectories", which no column declares but the residuals show.
    count, rows
        How many units there are, and how many runs they hold.
    correlation
        Intraclass correlation of the residuals within units; NaN where units are runs.
    p_value
        Of the F test that units have no effect of their own; NaN where there is no such test.
    neighbours
        Correlation of the residuals of neighbours in tokens that agree in all but tokens, beyond
        what fits leave by chance; NaN where there are none.
    weighted
        Scatter of log loss beyond loss_se, by which rows are weighted; None without weights.
    not_used
        Documented columns of the table that the fit has no use for.
    tell_apart
        Columns that vary and that the law does not see: they only tell repeats and pairs apart.
    declared
        Whether a column weight weights rows.
    """

    kind: UnitKind
    count: int
    rows: int
    correlation: float = float("nan")
    p_value: float = float("nan")
    neighbours: float = float("nan")
    weighted: float | None = None
    not_used: tuple[str, ...] = ()
    tell_apart: tuple[str, ...] = ()
    declared: bool = False

    def __str__(self) -> str:
        if self.kind == "runs":
            return f"{self.count} independent runs"
        each = self.rows / self.count
        what = {"cells": "runs each", "groups": "runs each", "trajectories": "evaluations each"}
        number = f"{each:.0f}" if each == round(each) else f"{each:.1f} (mean)"
        held = f"{self.count} {self.kind} of {number} {what[self.kind]}"
        if self.correlation == self.correlation:
            held += f", residuals within one correlate by {self.correlation:.2f}"
            if self.p_value == self.p_value:
                held += f" (p = {self.p_value:.2g})"
        return held

    def lines(self, what: str = "loss") -> Iterator[str]:
        """What the first lines of a report say of units, weights and columns."""
        yield f"units: {self}"
        if self.weighted is not None:
            yield (
                "rows weighted by 1 / (scatter^2 + loss_se^2), scatter "
                f"{100 * self.weighted:.2g}% of the {what} beyond loss_se"
            )
        if self.declared:
            yield "rows weighted by column weight"
        if self.tell_apart:
            yield f"columns that only tell repeats and pairs apart: {', '.join(self.tell_apart)}"
        if self.not_used:
            yield f"columns not used: {', '.join(self.not_used)}"
