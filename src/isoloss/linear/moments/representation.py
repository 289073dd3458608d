"""Full, compressed or sketched representation of a problem, with its data quantiser."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from isoloss.formats import DISTRIBUTIONS, NOISES, Format
from isoloss.linear.moments.feature_moments import data_moments, shared_factors
from isoloss.linear.moments.mixtures import NORMAL
from isoloss.linear.moments.modes import Modes, modes_of
from isoloss.linear.moments.setting import Setting, scalar
from isoloss.linear.moments.sketching import sketched_setting
from isoloss.linear.quantisers import is_listed
from isoloss.linear.regression import Regression


def setting_of(
    problem: Regression, data: Format | None, scale: float | None, compressed: bool
) -> Setting:
    """The setting of a problem whose data are rounded to `data` (None: not), remembered for a
    while.
    """
    if problem.sketch is not None:
        return sketched_setting(problem, data, scale)
    few = compressed and problem.smooth and not _rugged(problem, data)
    return (_compressed if few else _full)(problem, data, scale)


def _rugged(problem: Regression, data: Format | None) -> bool:
    """Whether moments jump from one eigenvalue to the next: features near plus or minus one number
    cross the midpoints of a grid, one after the other.
    """
    return problem.kurtosis < NORMAL and data is not None and data.noise is None


@lru_cache(maxsize=1024)
def _compressed(problem: Regression, data: Format | None, scale: float | None) -> Setting:
    # Nearest rounding kills features far below the first step, like exp(-step^2 i^a / 8): shorter
    # blocks (modes.py).
    steep = data is not None and data.noise is None and data.rounding != "sr"
    return _plain(problem, data, scale, modes_of(problem, True, steep))


@lru_cache(maxsize=2)
def _full(problem: Regression, data: Format | None, scale: float | None) -> Setting:
    return _plain(problem, data, scale, modes_of(problem, False))


def _plain(problem: Regression, data: Format | None, scale: float | None, modes: Modes) -> Setting:
    """The setting of a problem without sketch, in the coordinates of the features."""
    lam = modes.lam
    h, f, g, t, b = data_moments(lam, problem.kurtosis, data, scale)
    rho4, rho3 = shared_factors(data)
    signal = float(np.sum(modes.weight * lam * modes.target**2))
    return Setting(
        weight=modes.weight,
        lam=lam,
        h=h,
        f=f,
        g=g,
        t=t,
        b=b,
        rho4=scalar(rho4),
        rho3=scalar(rho3),
        target=modes.target,
        noise_var=scalar(problem.noise_var),
        norm=lam,
        best=modes.target,
        signal=scalar(signal),
        approximation=scalar(0.0),
        exact=data is None or data.noise is not None or is_listed(data),
    )


# A setting is remembered by the name of its noise: another meaning of the name makes it another.
for _records in (NOISES, DISTRIBUTIONS):
    for _kept in (_compressed, _full, sketched_setting):
        _records.when_changed(_kept.cache_clear)
