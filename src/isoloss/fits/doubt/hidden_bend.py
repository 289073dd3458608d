"""What the test for lack of fit can find on a design, and what a bend that it misses would do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from isoloss.fits.doubt.in_words import share_in_words
from isoloss.laws import Array, Inputs

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
    middle
        Log10 of the count from which the bend is taken.
    taken
        What the constants take of a unit bend, shape (p,).
    """

    along: str
    bend: float
    far: float
    decades: float
    runs: int
    noise: float
    middle: float
    taken: Array

    def moves(self, x: Inputs, slopes: Array) -> Array:
        """How far the bend moves the loss at points (n,) where the law has slopes (n, p)."""
        return self.bend * np.abs(_unit_bend(self.along, x, self.middle) - slopes @ self.taken)

    def __str__(self) -> str:
        found, far = share_in_words(self.bend), share_in_words(self.far)
        return (
            f"power: over {self.decades:.2g} decades of {self.along}, {self.runs} runs with "
            f"residuals of {100 * self.noise:.2g}% show a bend of {found} a decade "
            f"squared in {100 * POWER:.0f}% of tables; a smaller one may stay hidden, and up to "
            f"{far} at {FAR:.0f} times the params and tokens with it"
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


def hidden_bends(
    x: Inputs, slopes: Array, taking: Array, noise: float, needed: float, top: Array
) -> tuple[HiddenBend, ...]:
    """The least bends along params and along tokens that the test finds.

    Parameters
    ----------
    x, slopes
        The runs and how the constants move their log loss, shape (n, p).
    taking
        What the constants take of columns at the runs, shape (p, n).
    noise
        Standard deviation of residuals.
    needed
        The noncentrality at which the test finds them.
    top
        Slopes at `FAR` times the largest params and tokens, shape (p,).
    """
    scaled = slopes / np.maximum(np.linalg.norm(slopes, axis=0), 1e-100)
    basis, size, _ = np.linalg.svd(scaled, full_matrices=False)
    basis = basis[:, size > 1e-8]
    found = []
    for along, logs in (("params", x.log_params), ("tokens", x.log_tokens)):
        tens = logs / np.log(10.0)
        middle = float(tens.mean())
        unit = _unit_bend(along, x, middle)
        length = float(np.linalg.norm(unit - basis @ (basis.T @ unit)))
        # The constants can take it all, or the test never speaks: no bend is found, however large.
        if not length > 1e-6 * len(unit) ** 0.5 or not np.isfinite(needed):
            continue
        bend, taken = noise * float(np.sqrt(needed)) / length, taking @ unit
        far = bend * abs(float((tens.max() + np.log10(FAR) - middle) ** 2 - top @ taken))
        span = float(np.ptp(tens))
        found.append(HiddenBend(along, bend, far, span, len(unit), noise, middle, taken))
    return tuple(found)


def _unit_bend(along: str, x: Inputs, middle: float) -> Array:
    """A bend of one per decade squared."""
    logs = x.log_params if along == "params" else x.log_tokens
    return np.asarray((logs / np.log(10.0) - middle) ** 2)
