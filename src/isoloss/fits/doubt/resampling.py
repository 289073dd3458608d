"""Ways to draw a table again: by runs, by groups, with fractional weights, or with signs on the residuals (wild)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoloss.laws import Array

Resample = Literal["runs", "groups", "fractional", "wild"]
NAMES: tuple[Resample, ...] = ("runs", "groups", "fractional", "wild")


def weights(
    how: Resample,
    rows: int,
    clusters: NDArray[np.intp] | None,
    draws: int,
    rng: np.random.Generator,
) -> Array:
    """Weights of rows in each of many resamples, shape (draws, rows).

    "runs": how often each row is drawn with replacement; "groups": the same for whole groups; "fractional":
    exponential weights of mean one, by group where there are groups (no row is ever lost, for levels of few rows).
    """
    units = rows if clusters is None or how == "runs" else int(clusters.max()) + 1
    if how == "fractional":
        drawn = rng.exponential(size=(draws, units))
        drawn *= units / drawn.sum(axis=1, keepdims=True)
    else:
        drawn = rng.multinomial(units, np.full(units, 1.0 / units), size=draws).astype(float)
    return drawn if units == rows else drawn[:, clusters]


def wild(
    fitted: Array,
    residual: Array,
    clusters: NDArray[np.intp] | None,
    draws: int,
    rng: np.random.Generator,
    exponent: bool = False,
) -> Array:
    """Losses drawn again by flipping signs of residuals, a sign a group where there are groups, (draws, rows).

    ``exponent`` says that both are logarithms of losses. Signs of equal chance keep the median of every residual,
    which makes the wild bootstrap valid for absolute errors too. Reference: Feng, He and Hu 2011, Biometrika 98.
    """
    units = len(fitted) if clusters is None else int(clusters.max()) + 1
    signs = rng.choice([-1.0, 1.0], size=(draws, units))
    drawn = fitted - (signs if clusters is None else signs[:, clusters]) * residual
    return np.asarray(np.exp(drawn) if exponent else drawn)
