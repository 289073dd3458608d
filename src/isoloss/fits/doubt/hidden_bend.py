"""What the test for lack of fit can find on a design, and what a bend that it misses would do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from isoloss.laws import Array

#: p-value at which the test speaks, share of tables in which it does, and how far "far" is.
SPEAKS, POWER, FAR = 0.01, 0.8, 10.0


@dataclass(frozen=True)
class HiddenBend:
    """The bend that the test for lack of fit finds in four of five tables of a design.

    Attributes
    ----------
    along
        "params" or "tokens".
    bend
        The bend, in relative loss per decade squared.
    far
        What it moves at ten times the largest params and tokens, in relative loss; the constants
        take the rest.
    decades
        Span of the runs along it.
    runs
        Their number.
    noise
        Standard deviation of their residuals, in relative loss.
    """

    along: str
    bend: float
    far: float
    decades: float
    runs: int
    noise: float

    def __str__(self) -> str:
        return (
            f"power: over {self.decades:.2g} decades of {self.along}, {self.runs} runs with "
            f"residuals of {100 * self.noise:.2g}% show a bend of {100 * self.bend:.2g}% a decade "
            f"squared in {100 * POWER:.0f}% of tables; a smaller one may stay hidden, and up to "
            f"{100 * self.far:.2g}% at {FAR:.0f} times the params and tokens with it"
        )


def noncentrality(freedom: int, left: int) -> float:
    """Noncentrality at which the test speaks in a share `POWER` of tables; infinite where never.

    The test refers ``left`` times the share of squared residuals that lies in ``freedom``
    directions to a chi-squared law. A curve that is there is part of those residuals too, so the
    share has a noncentral beta law: with few runs the test finds far less than a chi-squared test.
    """
    share = stats.chi2.isf(SPEAKS, freedom) / left
    if share >= 1.0 or left <= freedom:
        return float("inf")
    limit = share / (1.0 - share) * (left - freedom) / freedom

    def lacks(c: float) -> float:
        return float(stats.ncf.sf(limit, freedom, left - freedom, c)) - POWER

    return float(optimize.brentq(lacks, 1e-6, 1e4)) if lacks(1e4) > 0 else float("inf")


def hidden_bend(
    along: str, logs: Array, left: Array, far: float, noise: float, needed: float
) -> HiddenBend | None:
    """The least bend that the test finds; None where the constants can take any, or it finds none.

    ``left`` (n,) and ``far`` are what the constants leave of a unit bend at the runs and far away;
    ``logs`` are log10 counts of the runs; ``needed`` is a noncentrality.
    """
    length = float(np.linalg.norm(left))
    if not length > 1e-6 * len(logs) ** 0.5 or not np.isfinite(needed):
        return None
    bend = noise * np.sqrt(needed) / length
    return HiddenBend(
        along, float(bend), float(bend * abs(far)), float(np.ptp(logs)), len(logs), noise
    )
