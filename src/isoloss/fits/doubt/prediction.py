"""Losses predicted by bootstrap replicates of a law, with intervals of its mean or of a new run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from isoloss.files import displayed, percent, was
from isoloss.fits.arguments import FitError, Of, check_level, check_text, shown
from isoloss.fits.doubt.discrepancy import Discrepancy
from isoloss.fits.doubt.hidden_bend import POWER
from isoloss.fits.doubt.in_words import (
    ends_in_words,
    interval_in_words,
    loss_in_words,
    share_in_words,
)
from isoloss.fits.sections import NOT_HELD, POINT_LAW, UNDEFINED, UNKNOWN, Absent
from isoloss.fits.seeing import Standing
from isoloss.fits.solve import Coordinates
from isoloss.fits.warning import ResultWarning, WarningKind
from isoloss.formats import Precision
from isoloss.laws import Array, Box, Inputs, Law, Mask, as_inputs, plain
from isoloss.runs import compact, number

#: So many times beyond the runs nothing is known of the error, and replicates of a law spread by
#: parts of a percent: an interval made of them is not given.
FAR = 100.0
#: What is known of the loss of a point: what a law says of its level, or that it has no loss there.
PointStanding = Literal[Standing, "undefined"]


@displayed
@dataclass(frozen=True)
class Prediction:
    """Predicted losses, each with an interval; iterates over (loss, low, high).

    Attributes
    ----------
    params, tokens
        The points, shape (n,).
    precision
        Their spellings, n texts.
    loss
        Predicted losses, shape (n,).
    low, high
        Ends of the intervals, shape (n,); NaN where there is none.
    level
        Coverage of the intervals, 0.9 = 90%.
    of
        What an interval is of: a new "run" (seed noise and misfit included) or the law's "mean".
    warnings
        What the fitted runs do not tell of these points.
    metric
        What the losses are: "nats" per token, "excess_risk", or "unknown" in a file of isoloss 0.1.
    standing
        What each loss is: "seen", "at least" (a lower bound: the law misses some of what is
        rounded), "unknown" (loss NaN: no law sees it, or it rests on constants that no run tells)
        or "undefined" (NaN too: outside the domain of the law). None of these has an interval. ()
        where all are seen.
    what
        "loss", or "gap" where it is less the loss of the same model without rounding.
    """

    params: Array
    tokens: Array
    precision: tuple[str, ...]
    loss: Array
    low: Array
    high: Array
    level: float
    of: Of
    warnings: tuple[ResultWarning, ...] = field(default=(), metadata=was("cautions"))
    metric: str = "unknown"
    standing: tuple[PointStanding, ...] = ()
    what: Literal["loss", "gap"] = "loss"

    def __len__(self) -> int:
        return len(self.loss)

    def __iter__(self) -> Iterator[tuple[float, float, float]]:
        yield from zip(self.loss.tolist(), self.low.tolist(), self.high.tolist(), strict=True)

    @property
    def said(self) -> tuple[tuple[str, str, str], ...]:
        """Loss and ends of the interval of each point as printed, with what is not known."""
        points = zip(self, self._standing, self.absent, strict=True)
        return tuple(_said(*each, known, absent) for each, known, absent in points)

    @property
    def _standing(self) -> tuple[PointStanding, ...]:
        """What is known of each point."""
        every: tuple[PointStanding, ...] = ("seen",)
        return self.standing or every * len(self)

    @property
    def absent(self) -> tuple[Absent | None, ...]:
        """Why each point has no interval: "unknown" (no law sees it), "undefined" (no law has a
        loss there), "point law" (no doubt of it exists), "not held" (the runs do not tell it); None
        where it has one.
        """
        is_point = any(each.kind == WarningKind.NO_INTERVAL for each in self.warnings)
        without = POINT_LAW if is_point else NOT_HELD
        words: dict[PointStanding, Absent | None] = {"seen": None, "undefined": UNDEFINED}
        return tuple(
            without if known == "seen" and low != low else words.get(known, UNKNOWN)
            for known, (_, low, _) in zip(self._standing, self, strict=True)
        )

    def covers(self, observed: Array) -> Mask:
        """Which observed losses lie inside their intervals."""
        return np.asarray((observed >= self.low) & (observed <= self.high))

    def __str__(self) -> str:
        head = (
            f"{'params':>10} {'tokens':>10} {'precision':<24} {self.what:>8}   "
            f"{percent(self.level)} interval of a {self.of}"
        )
        rows = [
            f"{n:>10.4g} {d:>10.4g} {p:<24} {loss:>8}   "
            + interval_in_words(ends, loss_in_words, absent or NOT_HELD)
            for n, d, p, (loss, *_), absent, (_, *ends) in zip(
                self.params, self.tokens, self.precision, self.said, self.absent, self, strict=True
            )
        ]
        return "\n".join([head, *rows, *(f"warning, {each}" for each in self.warnings)])


def _said(
    loss: float, low: float, high: float, known: PointStanding, absent: Absent | None
) -> tuple[str, str, str]:
    """A loss with its interval in words."""
    bound = "at least " if known == "at least" else ""
    ends = ends_in_words((low, high), loss_in_words, absent or NOT_HELD)
    is_none = known in (UNKNOWN, UNDEFINED)
    return known if is_none else bound + loss_in_words(loss), *ends


def counts(params: ArrayLike, tokens: ArrayLike) -> tuple[Array, Array]:
    """Params and tokens as arrays of shape (n,), from numbers or texts such as "1.3B"."""
    return _counted("params", params), _counted("tokens", tokens)


def _counted(name: str, values: Any) -> Array:
    if isinstance(values, str):
        return np.array([number(values)])
    if values is None:
        raise FitError(f"{name} is None; it is a count or a list of counts")
    try:
        found = np.array([number(v) if isinstance(v, str) else v for v in np.ravel(values)], float)
    except (TypeError, ValueError, OverflowError) as error:
        raise FitError(f"{name} is {shown(values)}; it is a count or a list of counts") from error
    if not len(found):
        raise FitError(f"{name} is empty; give at least one count, as '1.3B'")
    return found


def points(
    params: ArrayLike,
    tokens: ArrayLike,
    precision: str | Precision | Sequence[str | Precision],
    group: str | None = None,
    sparsity: str | None = None,
    unique_tokens: ArrayLike | None = None,
) -> Inputs:
    """The inputs of points to predict: params, tokens, precisions and different tokens broadcast to
    shape (n,).

    One group and one sparsity hold for all points.

    Raises
    ------
    FitError
        Params, tokens or precisions are empty, no counts, or of lengths that do not broadcast.
    """
    check_text("group", group, "'a'")
    check_text("sparsity", sparsity, "'2:4'")
    n, d = counts(params, tokens)
    if not isinstance(precision, str | Precision) and not (
        isinstance(precision, Sequence | np.ndarray) and len(precision)
    ):
        raise FitError(
            f"precision is {shown(precision)}; it is a spelling as 'w4 a8', or a list of them"
        )
    names = [precision] if isinstance(precision, str | Precision) else list(precision)
    unique = None if unique_tokens is None else _counted("unique_tokens", unique_tokens)
    if unique is not None and (unique < 1).any():
        raise FitError(
            f"unique_tokens is {unique.min():g}; accepted is a count of tokens, 1 or more"
        )
    rows = _one_length(n, d, names, unique)
    groups = None if group is None else [group] * rows
    return as_inputs(n, d, names, unique_tokens=unique, group=groups, sparsity=[sparsity] * rows)


def _one_length(n: Array, d: Array, names: Sequence[Any], unique: Array | None) -> int:
    """How many points there are; FitError where lengths do not broadcast."""
    counted = {"params": n, "tokens": d, "precisions": names}
    counted |= {} if unique is None else {"unique_tokens": unique}
    lengths = {len(each) for each in counted.values()} - {1}
    if len(lengths) > 1:
        *first, last = (f"{len(each)} {name}" for name, each in counted.items())
        raise FitError(
            f"there are {', '.join(first)} and {last}; each is one value or as many as the others"
        )
    return max(lengths, default=1)


def loss_draws(coordinates: Coordinates, theta: Array, x: Inputs) -> Array:
    """Losses of runs under many constants, shape (S, n); NaN outside the law's domain."""
    with np.errstate(all="ignore"):
        loss = plain(coordinates.law.formula.loss(coordinates.constants(theta), x))
    return np.array(np.broadcast_to(loss, (len(theta), len(x))))


def with_discrepancy(
    law: Law,
    replicates: Array,
    runs: tuple[Array, Array],
    discrepancy: Discrepancy,
    x: Inputs,
    of: Of,
    seed: int,
) -> Array:
    """Draws (S, n) of the mean or of new runs, from replicates of a law's constants (S, p).

    ``runs`` are the log residuals of the fitted runs, predicted less observed, and their params. An
    unknown discrepancy is left out, and noise is then the same at every size.
    """
    coordinates = Coordinates(law)
    draws = loss_draws(coordinates, replicates, x)
    residual, params = runs
    if discrepancy.unknown:
        constants = replicates.shape[1]
        return draws if of == "mean" else with_noise(draws, residual, constants, seed)
    theta = coordinates.theta(law.values)
    if of == "mean":
        return discrepancy.mean_draws(draws, law, theta, x, seed)
    return discrepancy.run_draws(draws, law, theta, x, np.stack([residual, np.log(params)]), seed)


def with_noise(draws: Array, residual: Array, constants: int, seed: int) -> Array:
    """Draws of new runs: draws of the mean times residuals, inflated for the constants spent.

    Draws are repeated up to at least two thousand, each with a residual of its own, so that few of
    them do not make the interval of a run narrow. All points share it: a point has one interval,
    whatever is asked beside it.
    """
    rng = np.random.default_rng(seed)
    draws = np.tile(draws, (-(-2000 // max(1, len(draws))), 1))
    n = len(residual)
    grown = (residual - residual.mean()) * np.sqrt(n / max(1, n - constants))
    return np.asarray(draws * np.exp(-rng.choice(grown, size=(len(draws), 1))))


def summarise(
    x: Inputs,
    centre: Array,
    draws: Array,
    level: float,
    of: Of,
    law: Law,
    extra: tuple[ResultWarning, ...] = (),
) -> Prediction:
    """The prediction at a level from draws (S, n), with warnings for what they do not hold.

    A point has no interval (NaN) where more draws are undefined than a tail of the interval holds.
    """
    check_level(level)
    undefined = 1.0 - np.isfinite(draws).mean(axis=0)
    known = undefined <= (1 - level) / 2
    ends = np.full((2, len(x)), np.nan)
    ends[:, known] = np.nanquantile(draws[:, known], [(1 - level) / 2, (1 + level) / 2], axis=0)
    names = tuple(str(x.levels.items[k]) for k in x.level)
    warnings = (*outside_runs(x, law.box), *_undefined(undefined, known), *extra)
    return Prediction(
        x.params, x.tokens, names, centre, ends[0], ends[1], level, of, warnings, law.metric
    )


def hidden_beyond(laws: Sequence[tuple[Law, Discrepancy]], x: Inputs) -> tuple[ResultWarning, ...]:
    """A warning of what a bend that the runs of some laws need not show would do outside them."""
    moved = {}
    for law, discrepancy in laws:
        # Bends are along params and tokens, whatever the repeats.
        far = np.zeros(0) if law.box is None else replace(law.box, epochs=None).outside(x)
        if far.max(initial=0.0) <= 1.0 or not discrepancy.bends:
            continue
        k = np.array([int(np.argmax(far))])
        where = f"{compact(x.params[k[0]])} params on {compact(x.tokens[k[0]])} tokens"
        theta = Coordinates(law).theta(law.values)
        moved[law.name] = float(discrepancy.hidden(law, theta, x.take(k))[0])
    if not moved:
        return ()
    least, most = (share_in_words(f(moved.values())) for f in (min, max))
    text = (
        f"a bend beside {' or '.join(moved)}, which such runs show in {100 * POWER:.0f}% of "
        f"tables, moves the loss by {least if least == most else f'{least} to {most}'} at "
        f"{where}; a smaller one may stay hidden"
    )
    return (ResultWarning(WarningKind.EXTRAPOLATION, text),)


def _undefined(share: Array, known: Mask) -> tuple[ResultWarning, ...]:
    worst = float(share.max(initial=0.0))
    if worst <= 0.01 and known.all():
        return ()
    many, lost = int((share > 0).sum()), int((~known).sum())
    text = (
        f"some bootstrap replicates have no loss at {many} of {len(share)} points, up to "
        f"{100 * worst:.3g}% of them at one"
    )
    none = f"; {lost} of the points ha{'s' if lost == 1 else 've'} no interval" if lost else ""
    return (ResultWarning(WarningKind.UNDEFINED_DRAWS, text + none),)


def outside_runs(x: Inputs, box: Box | None) -> tuple[ResultWarning, ...]:
    """A warning of points that lie outside the fitted runs."""
    if box is None:
        return ()
    far = box.outside(x)
    if far.max() <= 1.0:
        return ()
    hole = box.in_hole(x)
    found = _in_hole(x, box, hole) if (hole > 1.0).any() else ()
    far = np.where(hole >= far, 1.0, far)
    if far.max() <= 1.0:
        return found
    k = int(np.argmax(far))
    again = "" if x.epochs[k] <= 1 else f" seen {x.epochs[k]:.3g} times"
    text = (
        f"{int((far > 1).sum())} of {len(far)} points lie outside the fitted runs, "
        f"{compact(x.params[k])} params on {compact(x.tokens[k])} tokens{again} by a factor "
        f"{far[k]:.1f}; "
        "intervals do not hold a misfit that shows only there"
    )
    return (ResultWarning(WarningKind.EXTRAPOLATION, text), *found)


def _in_hole(x: Inputs, box: Box, far: Array) -> tuple[ResultWarning, ...]:
    """A warning of points between fitted runs that lie far apart in params."""
    k = int(np.argmax(far))
    low, high = next((a, b) for a, b in box.holes if a < x.params[k] < b)
    text = (
        f"{int((far > 1).sum())} of {len(far)} points lie in a hole of the fitted runs, none of "
        f"which has between {compact(low)} and {compact(high)} params: {compact(x.params[k])} are "
        f"a factor {far[k]:.1f} from the nearest; intervals do not hold a misfit that shows only "
        "there"
    )
    return (ResultWarning(WarningKind.EXTRAPOLATION, text),)
