"""Fits and comparisons as kinds of files, and what must hold between their fields."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isoloss.files import KINDS, Kind
from isoloss.files import load as load
from isoloss.files import save as save
from isoloss.fits.compare_laws import Comparison
from isoloss.fits.doubt import Prediction
from isoloss.fits.evidence import HeldOut
from isoloss.fits.result import Fit


def check_fit(fit: Fit) -> None:
    """Raise ValueError where fields of a fit do not belong together, as after an edit."""
    p = fit.points
    _same_length("points", p.params, p.tokens, p.precision, p.observed, p.predicted, p.held_out)
    if not all(
        np.all(np.isfinite(x) & (x > 0)) for x in (p.params, p.tokens, p.observed, p.predicted)
    ):
        raise ValueError("points has params, tokens or losses that are not above 0")
    free = len(fit.law.free)
    if fit.draws.ndim != 2 or fit.draws.shape[1] != free or not len(fit.draws):
        raise ValueError(f"draws has the shape {fit.draws.shape} for {free} free constants")
    if not (np.abs(fit.draws) < 1e100).all():
        raise ValueError("draws holds values that are no numbers")
    _share("level", fit.level)
    if fit.flop is not None and not 0 < fit.flop < np.inf:
        raise ValueError(f"flop is {fit.flop}; the file is damaged or edited")
    if fit.held_out is not None:
        _check_held_out(fit.held_out)


def check_comparison(comparison: Comparison) -> None:
    """Raise ValueError where a comparison has no entries, or weights that are no shares."""
    if not comparison.entries:
        raise ValueError("it has no entries")
    weights = [entry.weight for entry in comparison.entries]
    if not all(0 <= weight <= 1 for weight in weights) or abs(sum(weights) - 1) > 1e-6:
        raise ValueError("its weights are no shares of 1")
    _share("level", comparison.level)
    for entry in comparison.entries:
        for held in entry.held_out:
            _check_held_out(held)


def _check_held_out(held: HeldOut) -> None:
    found: Prediction = held.prediction
    columns = (found.params, found.tokens, found.precision, found.loss, found.low, found.high)
    what = f"the hold-out {held.rule!r}"
    _same_length(what, *columns, held.observed)
    if not all(np.isfinite(each).all() for each in (found.params, found.tokens, held.observed)):
        raise ValueError(f"{what} has numbers that are not finite; the file is damaged or edited")
    _share("its level", found.level)


def _same_length(what: str, *columns: ArrayLike) -> None:
    shapes = {np.shape(column) for column in columns}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise ValueError(f"{what} has columns of different lengths")


def _share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}; it must be above 0 and below 1")


KINDS.register("fit", Kind(Fit, check=check_fit))
KINDS.register("comparison", Kind(Comparison, check=check_comparison))
