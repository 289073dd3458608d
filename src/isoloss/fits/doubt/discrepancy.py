"""The discrepancy of a fit: how far its law may miss the truth, growing with the distance from the
runs.

The log loss of a run is law + discrepancy + unit + noise. The discrepancy is a smooth random
function of log params and log tokens, shared by all precisions; what the constants of the law can
take of it, they take, so that what is left at a point x is

    delta(x) - J(x) H delta(X),    H = (J'WJ)^-1 J'W  at the runs X.

Amid the runs the residuals tell it and H takes most of it, far from them neither: intervals grow
with the distance. What the residuals show of it counts with either sign, so that an interval stands
around the loss that the law says. A unit is
what shares an effect (a model size, a repeated cell); it moves the constants by -J(x) H g(X) and a
new run by an effect of its own.
Reference: Kennedy and O'Hagan 2001 (law plus discrepancy); Plumlee 2017, JASA 112 (a discrepancy
orthogonal to the gradient of the law).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri

from isoloss.fits.doubt.hidden_bend import HiddenBend
from isoloss.fits.solve import log_slopes
from isoloss.laws import Array, Inputs, Law

#: Waves of which a discrepancy is made, and the decades over which it bends.
WAVES, BENDS = 48, (0.7, 3.0)
#: Draws of a prediction, at least.
LEAST_DRAWS = 2000


@dataclass(frozen=True)
class Discrepancy:
    """What a law may miss of the truth, in log loss, as the runs tell it.

    Attributes
    ----------
    unknown
        Why the runs cannot tell it, in words; empty where they do. Intervals then leave it out.
    centre
        Log params and log tokens that distances are taken from.
    ratios
        Variances of the discrepancy over that of the noise, shape (k,); the first is zero.
    unit_ratios
        The same of unit effects, shape (g,); the first is zero.
    chances
        How likely each pair of them is, shape (g, k).
    variances
        Variance of the noise at each pair, shape (g, k).
    freedom
        Residuals less constants.
    taken
        What the constants take of each wave, shape (p, 2 WAVES).
    directions, sizes, shown
        Combinations of waves that the residuals see, shape (2 WAVES, r), how large each is at the
        runs, and what the residuals show of it, both (r,), in log loss.
    unit_pull
        Root of the covariance that unit effects of variance one give the constants, shape (p, p);
        zero where replicates already hold it.
    unit
        What shares an effect: "size", "cell", "group", or empty where nothing is known to.
    new_unit
        Whether a new run has a unit effect beyond the residuals' scatter within units.
    fall
        How the log scale of the noise changes with log params.
    span
        Least and greatest log params of the runs; the noise is held at its ends beyond them.
    bends
        Bends that the test for lack of fit would find, by direction.
    """

    unknown: str = "the fit was made before discrepancies were estimated"
    centre: tuple[float, float] = (0.0, 0.0)
    ratios: Array = field(default_factory=lambda: np.zeros(1))
    unit_ratios: Array = field(default_factory=lambda: np.zeros(1))
    chances: Array = field(default_factory=lambda: np.ones((1, 1)))
    variances: Array = field(default_factory=lambda: np.zeros((1, 1)))
    freedom: int = 0
    taken: Array = field(default_factory=lambda: np.zeros((0, 2 * WAVES)))
    directions: Array = field(default_factory=lambda: np.zeros((2 * WAVES, 0)))
    sizes: Array = field(default_factory=lambda: np.zeros(0))
    shown: Array = field(default_factory=lambda: np.zeros(0))
    unit_pull: Array = field(default_factory=lambda: np.zeros((0, 0)))
    unit: str = ""
    new_unit: bool = False
    fall: float = 0.0
    span: tuple[float, float] = (0.0, 0.0)
    bends: tuple[HiddenBend, ...] = ()

    @property
    def chance(self) -> float:
        """How likely the law misses something smooth, from even chances before the runs; NaN where
        it is unknown."""
        return float("nan") if self.unknown else float(1.0 - self.chances[:, 0].sum())

    @property
    def size(self) -> float:
        """Root mean square of the discrepancy before the constants take of it, in relative loss."""
        if self.unknown:
            return float("nan")
        return float(np.sqrt(np.sum(self.chances * self.variances * self.ratios)))

    def mean_draws(self, draws: Array, law: Law, theta: Array, x: Inputs, seed: int) -> Array:
        """Draws of the truth's mean (S, n) from those of the law's; S is 2000 at least.

        One seed draws the same functions whatever the points, so that differences between points
        are those of one truth.
        """
        return self._drawn(draws, law, theta, x, seed)[0]

    def run_draws(
        self, draws: Array, law: Law, theta: Array, x: Inputs, residual: Array, seed: int
    ) -> Array:
        """Draws of new runs (S, n): of the mean, times a unit's effect and noise.

        Noise is drawn from residuals (predicted less observed, log loss) with their log params
        ``residual`` (2, m), inflated for the constants spent, shrunk for what is discrepancy or
        unit effect, and scaled from their size to that of the point. Points share what is drawn, so
        that each has one interval, whatever is asked beside it.
        """
        mean, variance, unit = self._drawn(draws, law, theta, x, seed)
        rng = np.random.default_rng([seed, 2])
        e, at = residual
        middle = float(at.mean())
        level = e / np.exp(self.fall * (at - middle))
        grown = (level - level.mean()) * np.sqrt(len(e) / max(1, self.freedom))
        within = variance if self.new_unit else variance + unit
        shrunk = np.sqrt(within / max(self.variances[0, 0], 1e-300))
        scale = np.exp(self.fall * (np.clip(x.log_params, *self.span) - middle))
        noise = rng.choice(grown, size=(len(mean), 1)) * shrunk[:, None] * scale
        if self.new_unit:
            noise = noise + np.sqrt(unit)[:, None] * rng.standard_normal((len(mean), 1))
        return np.asarray(mean * np.exp(-noise))

    def hidden(self, law: Law, theta: Array, x: Inputs) -> Array:
        """How far a bend that the runs need not show moves the loss at points (n,), relative."""
        slopes = log_slopes(law, theta[None, :], x)[0]
        moves = [bend.moves(x, slopes) for bend in self.bends]
        return np.max(moves, axis=0) if moves else np.full(len(x), np.nan)

    def _drawn(
        self, draws: Array, law: Law, theta: Array, x: Inputs, seed: int
    ) -> tuple[Array, Array, Array]:
        """Draws of the mean (S, n), with variances of noise and of units (S,) beside them."""
        draws = np.tile(draws, (-(-LEAST_DRAWS // max(1, len(draws))), 1))
        count = len(draws)
        rng = np.random.default_rng([seed, 1])
        pair = rng.choice(self.chances.size, size=count, p=self.chances.ravel())
        g, k = np.unravel_index(pair, self.chances.shape)
        variance = self.variances[g, k]
        unsure = np.sqrt(self.freedom / rng.chisquare(self.freedom, count))[:, None]
        slopes = log_slopes(law, theta[None, :], x)[0]
        left = waves(x, self.centre) - slopes @ self.taken
        seen = left @ self.directions
        ratio = self.ratios[k][:, None]
        grown = 1.0 + ratio * self.sizes**2
        spread = unsure * np.sqrt(ratio * variance[:, None])
        # Given the residuals each direction is normal; the sign of its mean is drawn.
        tells = ratio * self.sizes * self.shown / grown * rng.choice([-1.0, 1.0], count)[:, None]
        tells = tells + spread / np.sqrt(grown) * rng.standard_normal(grown.shape)
        unseen = left - seen @ self.directions.T
        shift = tells @ seen.T + spread * (rng.standard_normal((count, left.shape[1])) @ unseen.T)
        unit = self.unit_ratios[g] * variance
        moved = rng.standard_normal((count, len(theta))) @ (slopes @ self.unit_pull).T
        shift -= unsure * np.sqrt(unit)[:, None] * moved
        return draws * np.exp(shift), variance, unit

    def lines(self, what: str = "loss") -> Iterator[str]:
        """The discrepancy in the report's words, with what the test for lack of fit can find."""
        if self.unknown:
            yield f"discrepancy unknown: {self.unknown}; intervals leave it out"
            return
        falls = (
            f"; noise goes as params to the power {self.fall:.2f}" if abs(self.fall) > 0.1 else ""
        )
        yield (
            f"discrepancy: chance {100 * self.chance:.0f}% that the law misses a smooth part "
            f"(about {100 * self.size:.2g}% of the {what}); intervals hold it and grow with the "
            f"distance{falls}"
        )
        yield from map(str, self.bends)


def waves(x: Inputs, centre: tuple[float, float]) -> Array:
    """Random waves in log params and log tokens at points, shape (n, 2 WAVES).

    A discrepancy is their sum with normal weights of variance one: a Gaussian process of variance
    one whose kernel is a mean of squared exponentials, of lengths even in log over `BENDS`
    decades. The frequencies stand in a low-discrepancy sequence, the same on every machine.
    """
    # Powers of 1/g with g^4 = g + 1, the generalised golden ratio, fill three dimensions evenly.
    g = 1.2207440846057596
    spread = (0.5 + np.arange(1, WAVES + 1)[:, None] / g ** np.arange(1, 4)) % 1.0
    length = np.log(10.0) * BENDS[0] * (BENDS[1] / BENDS[0]) ** spread[:, 2]
    frequency = ndtri(0.001 + 0.998 * spread[:, :2]) / length[:, None]
    at = np.stack([x.log_params - centre[0], x.log_tokens - centre[1]], axis=1) @ frequency.T
    return np.asarray(np.concatenate([np.cos(at), np.sin(at)], axis=1) / np.sqrt(WAVES))
