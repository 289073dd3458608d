"""Predictions asked along the ridge of a fit: widened by it, or withheld where it moves them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.doubt import Prediction, loss_draws
from isoloss.fits.identify.identified import NOISES, Identified
from isoloss.fits.solve import Coordinates
from isoloss.fits.warning import ResultWarning, WarningKind
from isoloss.laws import Array, Inputs


def widened(
    made: Prediction, known: Identified, coordinates: Coordinates, draws: Array, x: Inputs
) -> Prediction:
    """A prediction whose intervals hold what the ridge allows.

    Parameters
    ----------
    made
        The prediction from bootstrap replicates.
    known
        What the runs can tell.
    coordinates
        The free constants of the law.
    draws
        The law's mean under the replicates, shape (S, n).
    x
        The n points.

    Returns
    -------
    Prediction
        Intervals are widened by as much as the ridge reaches beyond those of the mean. A point that
        moves along a ridge that only a bound ends has none (NaN), and a warning says so.
    """
    if not known.followed:
        return made
    with np.errstate(all="ignore"):
        ridge = np.log(loss_draws(coordinates, known.theta, x))
        ends = np.nanquantile(np.log(draws), [(1 - made.level) / 2, (1 + made.level) / 2], axis=0)
        reach = known.along(ridge, made.level, NOISES * known.noise)
        low = made.low * np.exp(np.fmin(0.0, reach.low - ends[0]))
        high = made.high * np.exp(np.fmax(0.0, reach.high - ends[1]))
    low, high = (np.where(reach.moved, np.nan, end) for end in (low, high))
    said = _said(made, known, np.flatnonzero(reach.moved))
    return replace(made, low=low, high=high, warnings=(*made.warnings, *said))


def _said(
    made: Prediction, known: Identified, moved: NDArray[np.intp]
) -> tuple[ResultWarning, ...]:
    if not len(moved):
        return ()
    k = int(moved[0])
    names = known.not_held(made.level)
    text = (
        f"the runs do not tell {len(moved)} of {len(made)} losses, as that of {made.params[k]:.3g} "
        f"params on {made.tokens[k]:.3g} tokens: it moves with {', '.join(names)}, which they do "
        "not hold, so it has no interval"
    )
    return (ResultWarning(WarningKind.NOT_IDENTIFIED, text, names),)
