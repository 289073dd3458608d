"""Ways to draw a table again: runs, groups, cells, fractional weights, or signs of residuals."""

from __future__ import annotations

from typing import Any, Literal, assert_never, get_args

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.arguments import FitError, shown
from isoloss.laws import Array

#: What is drawn again: runs, whole groups or cells, fractional weights, or signs of residuals.
Resample = Literal["runs", "groups", "cells", "fractional", "wild"]


def check_resample(how: Any) -> None:
    """FitError unless ``how`` is None or names a way of resampling."""
    if how is not None and how not in get_args(Resample):
        names = ", ".join(get_args(Resample))
        raise FitError(f"unknown resample {shown(how)}; accepted are {names}")


def weights(
    how: Literal["runs", "groups", "cells", "fractional"],
    units: NDArray[np.intp],
    draws: int,
    rng: np.random.Generator,
    spread: float = 1.0,
) -> Array:
    """Weights of rows in each of many resamples, shape (draws, rows), from the unit of each row.

    "runs": how often each row is drawn with replacement; "groups" and "cells": the same for whole
    ones; "fractional": weights of mean one and variance ``spread`` from a gamma law, exponential
    for one, by group or cell where there are any (no row is ever lost, for levels of few rows).
    """
    count = int(units.max()) + 1
    match how:
        case "fractional":
            drawn = (
                rng.exponential(size=(draws, count))
                if spread == 1.0
                else rng.gamma(1.0 / spread, size=(draws, count))
            )
            drawn *= count / drawn.sum(axis=1, keepdims=True)
        case "runs" | "groups" | "cells":
            drawn = rng.multinomial(count, np.full(count, 1.0 / count), size=draws).astype(float)
        case _:
            assert_never(how)
    return np.asarray(drawn[:, units])


def wild(
    fitted: Array,
    residual: Array,
    units: NDArray[np.intp],
    draws: int,
    rng: np.random.Generator,
    exponent: bool = False,
) -> Array:
    """Losses with signs of residuals flipped, shape (draws, rows); one sign a unit.

    ``exponent`` says that both are logarithms of losses. Signs of equal chance keep the median of
    every residual, which makes the wild bootstrap valid for absolute errors too.
    Reference: Feng, He and Hu 2011, Biometrika 98.
    """
    signs = rng.choice([-1.0, 1.0], size=(draws, int(units.max()) + 1))
    drawn = fitted - signs[:, units] * residual
    return np.asarray(np.exp(drawn) if exponent else drawn)
