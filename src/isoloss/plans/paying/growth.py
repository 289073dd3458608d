"""How the gap of a recipe goes on with tokens, from a few cells of it and of other recipes.

Two candidates: a constant, and a power gap = c (D / D_last)^d, c of either sign. Few cells hardly
tell d, so it is shrunk to what other recipes show: d ~ N(m, s^2) over recipes, with m ~ N(0.3,
0.5^2), s ~ |N(0, 0.5^2)| (published exponents lie between -0.5 and 0.7: flat or shrinking where
gradients are rounded without bias, 0.5 to 0.7 where they are not). All of it is summed on a grid,
c, which is linear, by its exact posterior under a flat prior. The two candidates are stacked by
the density that each gives the last cell of every recipe from the cells before it (Yao et al. 2018,
eq. 4), under a Beta(2, 2) prior of the weight: one half where nothing tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isoloss.laws import Array
from isoloss.plans.paying.recipes import Recipe

#: Exponents of tokens on the grid, shape (e,).
EXPONENTS = np.linspace(-2.0, 3.0, 251)
#: Mean and standard deviation of the mean exponent over recipes, and scale of its spread.
CENTRE, WIDTH, SPREAD = 0.3, 0.5, 0.5
_MEANS, _SPREADS = np.linspace(-1.2, 1.8, 31), np.linspace(0.05, 1.5, 30)
WEIGHTS = np.linspace(0.005, 0.995, 199)


@dataclass(frozen=True)
class Growth:
    """What is known of the growth of one recipe's gap beyond its cells.

    Attributes
    ----------
    last
        Tokens of its last cell.
    shares
        Posterior over `EXPONENTS`, with the constant's weight added at 0, shape (e,).
    level, error
        Gap at the last cell and its standard error, given the exponent, shape (e,).
    """

    last: float
    shares: Array
    level: Array
    error: Array

    def drawn(self, tokens: float, normal: Array, uniform: Array) -> Array:
        """Gaps at a number of tokens, one for each pair of standard draws, shape (S,)."""
        k = np.searchsorted(np.cumsum(self.shares)[:-1], uniform)
        factor = (tokens / self.last) ** EXPONENTS[k]
        return np.asarray((self.level[k] + self.error[k] * normal) * factor)

    def mean(self, tokens: float) -> float:
        """The expected gap at a number of tokens."""
        return float(np.sum(self.shares * self.level * (tokens / self.last) ** EXPONENTS))

    @property
    def exponent(self) -> tuple[float, float]:
        """Mean and standard deviation of the exponent."""
        mean = float(self.shares @ EXPONENTS)
        return mean, float(np.sqrt(self.shares @ (EXPONENTS - mean) ** 2))


@dataclass(frozen=True)
class Grown:
    """The growth of the gaps of all recipes of a table.

    Attributes
    ----------
    weight
        Weight of the power beside the constant.
    growths
        One for each recipe, in their order.
    """

    weight: float
    growths: tuple[Growth, ...]


def grown(recipes: Sequence[Recipe]) -> Grown:
    """The growth of the gaps of recipes beyond their cells."""
    fits = [_Powers(each.tokens, each.gap, each.error) for each in recipes]
    told = np.array([each.log_evidence for each in fits])
    weight = _stacked(recipes, told)
    found = []
    for j, each in enumerate(fits):
        shares = weight * _normal(np.log(_prior(np.delete(told, j, 0))) + each.log_evidence)
        shares[_NONE] += 1.0 - weight
        found.append(Growth(each.last, shares, each.level, each.error))
    return Grown(weight, tuple(found))


#: The exponent of a constant, on the grid.
_NONE = int(np.argmin(np.abs(EXPONENTS)))


@dataclass(frozen=True)
class _Powers:
    """The power law of each exponent on the grid, fitted to some cells."""

    tokens: Array
    gap: Array
    noise: Array

    @property
    def last(self) -> float:
        return float(self.tokens[-1])

    @cached_property
    def _sums(self) -> tuple[Array, Array]:
        """sum w x^2 and sum w x gap for x = (D / D_last)^d, w = 1 / noise^2, shape (e,)."""
        x = (self.tokens / self.last)[:, None] ** EXPONENTS
        w = (self.noise**-2.0)[:, None]
        return np.sum(w * x**2, 0), np.sum(w * x * self.gap[:, None], 0)

    @property
    def level(self) -> Array:
        return self._sums[1] / self._sums[0]

    @property
    def error(self) -> Array:
        return np.asarray(self._sums[0] ** -0.5)

    @property
    def log_evidence(self) -> Array:
        """Log of the likelihood of each exponent with the level summed over, up to a constant."""
        xx, xy = self._sums
        return np.asarray(0.5 * xy**2 / xx - 0.5 * np.log(xx))

    def log_density(self, shares: Array, tokens: float, gap: float, noise: float) -> float:
        """Log of the density of one more cell, exponents by their shares."""
        factor = (tokens / self.last) ** EXPONENTS
        variance = (self.error * factor) ** 2 + noise**2
        log = -0.5 * (gap - self.level * factor) ** 2 / variance - 0.5 * np.log(variance)
        return float(np.logaddexp.reduce(log + np.log(np.maximum(shares, 1e-300))))


def _stacked(recipes: Sequence[Recipe], told: Array) -> float:
    """The weight of the power beside the constant, by the last cell of each recipe."""
    scores = []
    constant = np.zeros(len(EXPONENTS))
    constant[_NONE] = 1.0
    for j, each in enumerate(recipes):
        if len(each.tokens) < 2:
            continue
        fewer = _Powers(each.tokens[:-1], each.gap[:-1], each.error[:-1])
        prior = _prior(np.delete(told, j, 0))
        last = float(each.tokens[-1]), float(each.gap[-1]), float(each.error[-1])
        power = _normal(np.log(prior) + fewer.log_evidence)
        scores.append([fewer.log_density(shares, *last) for shares in (power, constant)])
    log = np.log(WEIGHTS) + np.log1p(-WEIGHTS)
    for one, other in scores:
        log = log + np.logaddexp(np.log(WEIGHTS) + one, np.log1p(-WEIGHTS) + other)
    return float(WEIGHTS[np.argmax(log)])


def _prior(others: Array) -> Array:
    """The prior of an exponent by the log evidence of other recipes, (recipes, e) to (e,)."""
    mean, spread = (v.ravel() for v in np.meshgrid(_MEANS, _SPREADS, indexing="ij"))
    log = -0.5 * ((mean - CENTRE) / WIDTH) ** 2 - 0.5 * (spread / SPREAD) ** 2
    each = np.exp(-0.5 * ((EXPONENTS - mean[:, None]) / spread[:, None]) ** 2)
    each /= each.sum(1, keepdims=True)
    for one in others:
        log = log + np.log(each @ np.exp(one - one.max()))
    return np.asarray(_normal(log) @ each) + 1e-300


def _normal(log: Array) -> Array:
    """Shares that add up to one, of their logarithms."""
    shares = np.exp(log - log.max())
    return np.asarray(shares / shares.sum())
