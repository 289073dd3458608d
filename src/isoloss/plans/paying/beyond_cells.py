"""How the gap of a recipe goes on with tokens, from a few cells of it and of other recipes.

Candidates, with D_last the last cell, c the gap there and g the root mean square of the last gaps
of all recipes:

    constant   gap = c
    straight   gap = c + e g ln(D / D_last)
    power      gap = c (D / D_last)^e,  c of either sign

Few cells hardly tell e, so it is shrunk to what other recipes of the table show: e ~ N(m, s^2) over
recipes, with m ~ N(0.3, 0.5^2), s ~ |N(0, 0.5^2)| (published exponents lie between -0.5 and 0.7:
flat or shrinking where gradients are rounded without bias, 0.5 to 0.7 where they are not). All of
it is summed on a grid; c, which is linear, by its exact posterior under a flat prior. Candidates
have prior weights by stacking: the density that each gives the last cell of every recipe from the
cells before it (Yao et al. 2018, eq. 4), under a Dirichlet(2, ..., 2); then the cells of a recipe
say which of them it follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from isoloss.laws import Array
from isoloss.plans.paying.recipes import Recipe

Form = Literal["constant", "straight", "power"]
FORMS: tuple[Form, ...] = ("constant", "straight", "power")
#: Values of e on the grid, and mean and standard deviation of the mean e over recipes, and scale of
#: its spread.
GRID = np.linspace(-2.0, 3.0, 251)
CENTRE, WIDTH, SPREAD = 0.3, 0.5, 0.5
_MEANS, _SPREADS = np.linspace(-1.2, 1.8, 31), np.linspace(0.05, 1.5, 30)
#: Turns of the search for stacking weights.
TURNS = 500
#: A share that is none, of which a logarithm can be taken.
TINY = 1e-300


@dataclass(frozen=True)
class GapBeyond:
    """What is known of the growth of one recipe's gap beyond its cells.

    Attributes
    ----------
    weights
        Posterior weight of each form.
    parts
        One for each form that has a weight.
    """

    weights: Mapping[Form, float]
    parts: tuple[Cells, ...]
    shares: Array

    def drawn(self, tokens: float, normal: Array, uniform: Array) -> Array:
        """Gaps at a number of tokens, one for each pair of standard draws, shape (S,)."""
        mean, error = self._at(tokens)
        k = np.searchsorted(np.cumsum(self.shares)[:-1], uniform)
        return np.asarray(mean[k] + error[k] * normal)

    def mean(self, tokens: float) -> float:
        """The expected gap at a number of tokens."""
        return float(self.shares @ self._at(tokens)[0])

    def log_density(self, tokens: float, gap: float, noise: float) -> float:
        """Log density of a gap that is measured at a number of tokens, with its noise."""
        return log_density(*self._at(tokens), self.shares, gap, noise)

    def _at(self, tokens: float) -> tuple[Array, Array]:
        """Means and standard errors of the gap, given form and e."""
        found = [part.at(tokens) for part in self.parts]
        return np.concatenate([m for m, _ in found]), np.concatenate([e for _, e in found])


@dataclass(frozen=True)
class GapsBeyond:
    """The growth of the gaps of all recipes of a table.

    Attributes
    ----------
    weights
        Prior weights of the forms, by stacking.
    growths
        One for each recipe, in their order.
    """

    weights: Mapping[Form, float]
    growths: tuple[GapBeyond, ...]


@dataclass(frozen=True)
class Cells:
    """Some cells of a recipe under one form: the gap at the last of them, given e on the grid.

    Attributes
    ----------
    form
        The form.
    last, unit
        Tokens of the last cell, and the unit of a straight line's slope, nats.
    level, error
        The gap at the last cell and its standard error, shape (e,).
    log_evidence
        Log likelihood of e with the level summed over, up to what all forms share, shape (e,).
    """

    form: Form
    last: float
    unit: float
    level: Array
    error: Array
    log_evidence: Array

    @classmethod
    def of(cls, form: Form, recipe: Recipe, unit: float, count: int | None = None) -> Cells:
        """The first cells of a recipe, all unless a count is given."""
        tokens, gap, noise = (v[:count] for v in (recipe.tokens, recipe.gap, recipe.error))
        last = float(tokens[-1])
        factor, offset = _shape(form, np.log(tokens / last)[:, None], unit)
        w, y = (noise**-2.0)[:, None], gap[:, None] - offset
        xx, xy = np.sum(w * factor**2, 0), np.sum(w * factor * y, 0)
        log = -0.5 * (np.sum(w * y**2, 0) - xy**2 / xx) - 0.5 * np.log(xx)
        return cls(form, last, unit, xy / xx, xx**-0.5, log)

    def at(self, tokens: float) -> tuple[Array, Array]:
        """Mean and standard error of the gap at a number of tokens, given e, shape (e,)."""
        factor, offset = _shape(self.form, np.array(np.log(tokens / self.last)), self.unit)
        return self.level * factor + offset, self.error * factor


def log_density(mean: Array, error: Array, shares: Array, gap: float, noise: float) -> float:
    """Log density of a gap under a mixture of normals, by the shares of its parts."""
    variance = error**2 + noise**2
    log = -0.5 * (gap - mean) ** 2 / variance - 0.5 * np.log(2 * np.pi * variance)
    return float(np.logaddexp.reduce(log + np.log(np.maximum(shares, TINY))))


def gaps_beyond(recipes: Sequence[Recipe], forms: Sequence[Form] = FORMS) -> GapsBeyond:
    """The growth of the gaps of recipes beyond their cells, by some forms."""
    unit = float(np.sqrt(np.mean([each.gap[-1] ** 2 for each in recipes])))
    cells = {form: [Cells.of(form, each, unit) for each in recipes] for form in forms}
    priors = {form: _priors(form, each) for form, each in cells.items()}
    weights = _stacked(recipes, priors, unit)
    found = []
    for j in range(len(recipes)):
        parts = tuple(cells[form][j] for form in forms)
        log = [
            np.log(weights[form]) + np.log(priors[form][j]) + cells[form][j].log_evidence
            for form in forms
        ]
        shares = _normal(np.concatenate(log))
        by_form = [float(each.sum()) for each in np.split(shares, np.cumsum([*map(len, log)])[:-1])]
        found.append(GapBeyond(dict(zip(forms, by_form, strict=True)), parts, shares))
    return GapsBeyond(weights, tuple(found))


def _shape(form: Form, log_tokens: Array, unit: float) -> tuple[Array, Array]:
    """What a level is multiplied by and what is added to it, given e on the grid."""
    if form == "constant":
        none = np.zeros((*log_tokens.shape[:-1], 1))
        return none + 1.0, none
    moved = log_tokens * GRID
    if form == "straight":
        return np.ones_like(moved), unit * moved
    return np.exp(moved), np.zeros_like(moved)


def _stacked(
    recipes: Sequence[Recipe], priors: Mapping[Form, Sequence[Array]], unit: float
) -> dict[Form, float]:
    """Weights of the forms by the last cell of each recipe, by expectation and maximisation."""
    scores = []
    for j, each in enumerate(recipes):
        if len(each.tokens) > 1:
            tokens, last = float(each.tokens[-1]), (float(each.gap[-1]), float(each.error[-1]))
            found = []
            for form, prior in priors.items():
                fewer = Cells.of(form, each, unit, -1)
                shares = _normal(np.log(prior[j]) + fewer.log_evidence)
                found.append(log_density(*fewer.at(tokens), shares, *last))
            scores.append(found)
    k = len(priors)
    weights = np.full(k, 1.0 / k)
    log = np.array(scores).reshape(-1, k)
    density = np.exp(log - log.max(axis=1, keepdims=True, initial=-np.inf))
    for _ in range(TURNS):
        mixed = weights * density
        weights = (1.0 + (mixed / mixed.sum(1, keepdims=True)).sum(0)) / (k + len(density))
    return dict(zip(priors, weights.tolist(), strict=True))


def _priors(form: Form, cells: Sequence[Cells]) -> list[Array]:
    """The prior of e for each recipe by the evidence of the others, each of shape (e,)."""
    if form == "constant":
        return [np.ones(1) for _ in cells]
    mean, spread = (v.ravel() for v in np.meshgrid(_MEANS, _SPREADS, indexing="ij"))
    start = -0.5 * ((mean - CENTRE) / WIDTH) ** 2 - 0.5 * (spread / SPREAD) ** 2
    each = np.exp(-0.5 * ((GRID - mean[:, None]) / spread[:, None]) ** 2)
    each /= each.sum(1, keepdims=True)
    told = [
        np.log(each @ np.exp(one.log_evidence - one.log_evidence.max()) + TINY) for one in cells
    ]
    total = start + np.sum(told, axis=0)
    return [_normal(total - one) @ each + TINY for one in told]


def _normal(log: Array) -> Array:
    """Shares that add up to one, of their logarithms."""
    shares = np.exp(log - log.max())
    return np.asarray(shares / shares.sum())
