"""Losses predicted by many refits of a law, with intervals for the law's mean or for a new run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from isoloss.fits.caution import Caution
from isoloss.fits.solve import Coordinates
from isoloss.formats import Precision
from isoloss.laws import Array, Box, Inputs, Law, Mask, as_inputs, plain
from isoloss.runs import number

Of = Literal["run", "mean"]


@dataclass(frozen=True)
class Prediction:
    """Predicted losses in nats, each with an interval: arrays of shape (n,) beside the points they are for.

    ``of`` says what the interval covers: a new "run" (seed noise and misfit included) or the law's "mean".
    """

    params: Array
    tokens: Array
    precision: tuple[str, ...]
    loss: Array
    low: Array
    high: Array
    level: float
    of: Of
    cautions: tuple[Caution, ...] = ()

    def __len__(self) -> int:
        return len(self.loss)

    def __iter__(self) -> Iterator[tuple[float, float, float]]:
        yield from zip(self.loss.tolist(), self.low.tolist(), self.high.tolist(), strict=True)

    def covers(self, observed: Array) -> Mask:
        """Which observed losses lie inside their intervals."""
        return np.asarray((observed >= self.low) & (observed <= self.high))

    def __str__(self) -> str:
        head = f"{'params':>10} {'tokens':>10} {'precision':<24} {'loss':>8}   {100 * self.level:.0f}% interval of a {self.of}"
        rows = [
            f"{n:>10.4g} {d:>10.4g} {p:<24} {loss:>8.4f}   {low:.4f} to {high:.4f}"
            for n, d, p, (loss, low, high) in zip(
                self.params, self.tokens, self.precision, self, strict=True
            )
        ]
        return "\n".join([head, *rows, *(f"warning, {c}" for c in self.cautions)])


def counts(params: ArrayLike, tokens: ArrayLike) -> tuple[Array, Array]:
    """Params and tokens as arrays, from numbers or from texts such as "1.3B" (or lists of them)."""
    first, second = (
        np.array([number(v) if isinstance(v, str) else v for v in np.ravel(w)], float)
        for w in (params, tokens)
    )
    return first, second


def points(
    params: ArrayLike,
    tokens: ArrayLike,
    precision: str | Precision | Sequence[str | Precision],
    group: str | None = None,
    sparsity: str | None = None,
) -> Inputs:
    """The inputs of points to predict: params, tokens and precisions broadcast, one group and sparsity for all."""
    n, d = counts(params, tokens)
    names = [precision] if isinstance(precision, str | Precision) else list(precision)
    rows = np.broadcast(n, d, np.empty(len(names))).size
    return as_inputs(
        n, d, names, group=None if group is None else [group] * rows, sparsity=[sparsity] * rows
    )


def of_law(law: Law, x: Inputs, level: float) -> Prediction:
    """The prediction of a law without draws: no interval, and a warning that says so."""
    loss = law.loss(x)
    none = np.full(len(x), np.nan)
    missing = Caution(
        "no_interval", f"{law.name} is a law without refits, so this loss has no interval"
    )
    return summarise(x, loss, np.vstack([none, none]), level, "mean", law.box, (missing,))


def loss_draws(coordinates: Coordinates, theta: Array, x: Inputs) -> Array:
    """Losses of every run under many constants, shape (S, n); NaN where a draw lies outside the law's domain."""
    with np.errstate(all="ignore"):
        loss = plain(coordinates.law.formula.loss(coordinates.constants(theta), x))
    return np.array(np.broadcast_to(loss, (len(theta), len(x))))


def with_noise(draws: Array, residual: Array, constants: int, seed: int) -> Array:
    """Draws of new runs: draws of the mean times fitted residuals, inflated for the constants spent.

    Draws are repeated up to at least two thousand, each with residuals of its own, so that few refits do not make
    the interval of a run narrow.
    """
    rng = np.random.default_rng(seed)
    draws = np.tile(draws, (-(-2000 // max(1, len(draws))), 1))
    n = len(residual)
    grown = (residual - residual.mean()) * np.sqrt(n / max(1, n - constants))
    return np.asarray(draws * np.exp(-rng.choice(grown, size=draws.shape)))


def summarise(
    x: Inputs,
    centre: Array,
    draws: Array,
    level: float,
    of: Of,
    box: Box | None,
    extra: tuple[Caution, ...] = (),
) -> Prediction:
    """The prediction at a level from draws (S, n), with warnings for what the draws and the fitted runs do not hold.

    A point has no interval (NaN) where more draws are undefined than a tail of the interval holds.
    """
    check_level(level)
    undefined = 1.0 - np.isfinite(draws).mean(axis=0)
    known = undefined <= (1 - level) / 2
    ends = np.full((2, len(x)), np.nan)
    ends[:, known] = np.nanquantile(draws[:, known], [(1 - level) / 2, (1 + level) / 2], axis=0)
    names = tuple(str(x.levels.items[k]) for k in x.level)
    cautions = (*_outside(x, box), *_undefined(undefined, known), *extra)
    return Prediction(x.params, x.tokens, names, centre, ends[0], ends[1], level, of, cautions)


def check_level(level: float) -> None:
    """Raises ValueError unless a level is a share between zero and one."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level:g}; it is a share between 0 and 1, as 0.9")


def _undefined(share: Array, known: Mask) -> tuple[Caution, ...]:
    worst = float(share.max(initial=0.0))
    if worst <= 0.01 or worst == 1.0:
        return ()
    text = f"up to {100 * worst:.0f}% of the refits are not defined at a point"
    lost = int((~known).sum())
    return (
        Caution("undefined_draws", text + (f"; {lost} points have no interval" if lost else "")),
    )


def _outside(x: Inputs, box: Box | None) -> tuple[Caution, ...]:
    if box is None:
        return ()
    far = box.outside(x)
    if far.max() <= 1.0:
        return ()
    k = int(np.argmax(far))
    return (
        Caution(
            "extrapolation",
            f"{int((far > 1).sum())} of {len(far)} points lie outside the fitted runs, {x.params[k]:.3g} params on "
            f"{x.tokens[k]:.3g} tokens by a factor {far[k]:.1f}; intervals do not hold a misfit that shows only there",
        ),
    )
