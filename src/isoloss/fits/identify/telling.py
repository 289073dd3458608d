"""Answers asked along the ridge of a fit: widened by it, or withheld where it moves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.doubt import Prediction, loss_draws
from isoloss.fits.identify.identified import Identified, join_ridges
from isoloss.fits.solve import Coordinates
from isoloss.fits.warning import ResultWarning, WarningKind
from isoloss.laws import Array, Inputs
from isoloss.runs import compact

#: A law of an average: its weight, what its runs can tell, and its free constants.
Weighted = tuple[float, Identified, Coordinates]


def widened(made: Prediction, laws: Sequence[Weighted], draws: Array, x: Inputs) -> Prediction:
    """A prediction whose intervals hold what the ridges of its laws allow.

    Parameters
    ----------
    made
        The prediction from bootstrap replicates.
    laws
        The law that made it, of weight one, or those that it averages.
    draws
        Their mean under the replicates, shape (S, n).
    x
        The n points.

    Returns
    -------
    Prediction
        Intervals are widened by as much as the ridge reaches beyond those of the mean. A point that
        moves along a ridge that only a bound ends has none (NaN), and a warning says so.
    """
    loose = [each for each in laws if each[1].followed]
    if not loose:
        return made
    with np.errstate(all="ignore"):
        ridges = [
            (weight, known.of_losses(np.log(loss_draws(free, known.theta, x)), made.level))
            for weight, known, free in loose
        ]
        reach = join_ridges(ridges, made.level)
        ends = np.nanquantile(np.log(draws), [(1 - made.level) / 2, (1 + made.level) / 2], axis=0)
        low = made.low * np.exp(np.fmin(0.0, reach.low - ends[0]))
        high = made.high * np.exp(np.fmax(0.0, reach.high - ends[1]))
    low, high = (np.where(reach.moved, np.nan, end) for end in (low, high))
    names = dict.fromkeys(
        name for weight, known, _ in loose for name in known.not_held(made.level) if weight > 0
    )
    said = _said(made, loose, tuple(names), np.flatnonzero(reach.moved))
    return replace(made, low=low, high=high, warnings=(*made.warnings, *said))


def _said(
    made: Prediction, laws: Sequence[Weighted], names: tuple[str, ...], moved: NDArray[np.intp]
) -> tuple[ResultWarning, ...]:
    if not len(moved):
        return ()
    k = int(moved[0])
    where = f"{compact(made.params[k])} params on {compact(made.tokens[k])} tokens in "
    where += f"'{made.precision[k]}'"
    why = next((known.cause for _, known, _ in laws if not known.left), "")
    text = f"the runs do not tell {len(moved)} of {len(made)} losses, as that of {where}: " + (
        why or f"it moves with {', '.join(names)}, which they do not hold, so it has no interval"
    )
    return (ResultWarning(WarningKind.NOT_IDENTIFIED, text, names),)


def no_exponent(
    exponent: tuple[float, float, float], by_form: bool, known: Identified, level: float
) -> str | None:
    """Why a compute-optimal exponent (value, low, high) is no answer of the runs, or None.

    ``by_form`` says that the law allows one exponent only.
    """
    value, low, _ = exponent
    if by_form:
        return f"the form of the law sets it to {value:.3g}, so the runs say nothing about it"
    if not known.left:
        return known.cause
    if np.isinf(low):
        return (
            "it moves along a ridge on which the runs do not tell "
            f"{', '.join(known.not_held(level))} apart"
        )
    if not np.isfinite(value):
        return (
            "no number of params between 1e3 and 1e16 is best at this compute: the loss falls for "
            "ever with params or with tokens alone, or counts are in another unit"
        )
    return None
