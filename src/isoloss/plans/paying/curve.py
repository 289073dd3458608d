"""The loss of the reference by tokens, in draws: its own cells where they reach, base laws beyond.

Between cells the curve is a monotone cubic in log tokens. Beyond them it falls as a law says,

    dL / d ln D = b^(1 - u t) dL_law / d ln D,  t = min(1, ln(D / D_end) / ln 10),  u ~ U(0, 1),

where b is how much steeper the reference falls over its own cells than the law says (1 with one
cell), least squares. So a law gives its shape and the cells its scale, and ten times beyond them
the scale may have returned to the published one: own runs may be undecayed, published ones are
decayed, and nothing tells which of the two goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import PchipInterpolator

from isoloss.laws import Array, DomainError, Law, as_inputs, plain
from isoloss.plans.paying.recipes import Reference
from isoloss.plans.problems import PlanError

#: Points of the grid, how far it reaches beyond cells and targets, and where the scale of a law may
#: have returned to the published one.
POINTS, BEYOND, RETURN = 700, 60.0, 10.0


@dataclass(frozen=True)
class Curve:
    """Losses of the reference on a grid of log tokens.

    Attributes
    ----------
    grid
        Log tokens at even distances, shape (g,).
    loss
        Draws of the loss there, shape (S, g).
    """

    grid: Array
    loss: Array

    def at(self, log_tokens: Array | float) -> Array:
        """The loss of each draw at its own log tokens, shape (S,); linear between points."""
        rows = np.arange(len(self.loss))
        place = (np.broadcast_to(log_tokens, rows.shape) - self.grid[0]) / self._step
        k = np.clip(place.astype(np.intp), 0, len(self.grid) - 2)
        share = place - k
        return np.asarray((1 - share) * self.loss[rows, k] + share * self.loss[rows, k + 1])

    def reaching(self, loss: Array) -> Array:
        """Log tokens at which each draw first has a loss, shape (S,); infinite where it never has
        on the grid, minus infinite where it has it before the grid begins.
        """
        below = self.loss <= loss[:, None]
        k = np.argmax(below, axis=1)
        rows = np.arange(len(k))
        before = np.maximum(k - 1, 0)
        high, low = self.loss[rows, before], self.loss[rows, k]
        with np.errstate(all="ignore"):
            found = self.grid[before] + self._step * (high - loss) / (high - low)
        return np.where(below.any(1), np.where(k > 0, found, -np.inf), np.inf)

    @property
    def _step(self) -> float:
        return float(self.grid[1] - self.grid[0])

    def mean(self, parts: int) -> Curve:
        """The mean over so many equal parts of the draws, one after the other."""
        return Curve(self.grid, self.loss.reshape(parts, -1, len(self.grid)).mean(0))


@dataclass(frozen=True)
class Curves:
    """What draws of a reference's curve are made of.

    Attributes
    ----------
    reference
        Its cells.
    laws
        The laws beyond them.
    grid
        Log tokens, shape (g,).
    """

    reference: Reference
    laws: tuple[Law, ...]
    grid: Array
    _falls: Array = field(repr=False)

    @classmethod
    def of(cls, reference: Reference, laws: Sequence[Law], at: float) -> Curves:
        """The curves of a reference by some laws, on a grid around its cells and a target.

        Raises PlanError for a law that has no loss there.
        """
        low = min(float(reference.tokens[0]), at) / BEYOND
        high = max(float(reference.tokens[-1]), at) * BEYOND
        grid = np.linspace(np.log(low), np.log(high), POINTS)
        falls = [_losses(law, reference.params, np.exp(grid)) for law in laws]
        return cls(reference, tuple(laws), grid, np.array(falls))

    def scale(self, k: int, noise: Array) -> Array:
        """How much steeper than law k the cells fall, by draws of their noise (S, m), shape (S,);
        one with a single cell.
        """
        x = np.interp(np.log(self.reference.tokens), self.grid, self._falls[k])
        x = x - x.mean()
        if len(x) == 1:
            return np.ones(len(noise))
        slope = (self.reference.loss - noise) @ x / float(x @ x)
        return np.asarray(np.maximum(slope, 1e-3))

    def drawn(self, noise: Array, back: Array) -> Curve:
        """Draws of the curve: those of the first law, then those of the second.

        Parameters
        ----------
        noise
            Draws of the noise of the cells, shape (S, m).
        back
            Draws of u, how far the scale of a law returns, shape (S,).
        """
        every = [self._by_law(k, noise, back) for k in range(len(self.laws))]
        return Curve(self.grid, np.concatenate(every))

    def _by_law(self, k: int, noise: Array, back: Array) -> Array:
        cells = np.log(self.reference.tokens)
        loss = self.reference.loss - noise
        inside = (self.grid >= cells[0]) & (self.grid <= cells[-1])
        far = np.maximum(cells[0] - self.grid, self.grid - cells[-1])
        returned = back[:, None] * np.clip(far / np.log(RETURN), 0.0, 1.0)
        factor = np.exp(np.log(self.scale(k, noise))[:, None] * (1.0 - returned))
        middle = 0.5 * (factor[:, 1:] + factor[:, :-1])
        fall = np.zeros_like(factor)
        np.cumsum(middle * np.diff(self._falls[k]), axis=1, out=fall[:, 1:])
        out: Array = np.empty_like(fall)
        for end, side in ((0, self.grid < cells[0]), (-1, self.grid > cells[-1])):
            from_end = _interpolated(self.grid, fall, float(cells[end]))
            out[:, side] = loss[:, [end]] + fall[:, side] - from_end[:, None]
        if inside.any():
            own = PchipInterpolator(cells, loss, axis=1) if len(cells) > 1 else None
            out[:, inside] = loss if own is None else own(self.grid[inside])
        return out


def _interpolated(grid: Array, values: Array, at: float) -> Array:
    """Values (S, g) at one point of the grid's axis, shape (S,)."""
    k = int(np.clip(np.searchsorted(grid, at) - 1, 0, len(grid) - 2))
    share = (at - grid[k]) / (grid[k + 1] - grid[k])
    return np.asarray((1 - share) * values[:, k] + share * values[:, k + 1])


def _losses(law: Law, params: float, tokens: Array) -> Array:
    """The losses of a law without rounding."""
    try:
        found = np.asarray(plain(law.loss(as_inputs(params, tokens, "fp"))), dtype=float)
    except DomainError as error:
        raise PlanError(f"law {law.name!r} has no loss there: {error}") from error
    if not np.isfinite(found).all():
        raise PlanError(f"law {law.name!r} has no loss at {params:.3g} params; leave it out")
    if not found[-1] < found[0]:
        raise PlanError(
            f"law {law.name!r} does not fall with tokens at {params:.3g} params, so that no curve "
            "can go on by it; give a law of losses"
        )
    return found
