"""Distributions of ideal noise by name: what stands behind a model in `add_uniform(1e-3)`.

A distribution is symmetric, of mean zero and variance one. Second moments close with its kurtosis
alone, so that is all that the exact risk asks; rounding and the sampler draw it, from one table of
quantiles for numpy, torch and compiled code. `DISTRIBUTIONS.register("name", Distribution(...))`
adds one, and every noise model has it: `vec_name(0.01)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isoloss.files import Registry

Array = NDArray[np.float64]
#: Quantiles of a table: a random word's upper 16 bits choose one.
QUANTILES = 2**16
#: How far a table's variance and kurtosis may be from what is said, relative.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Distribution:
    """A symmetric distribution of mean zero and variance one.

    Attributes
    ----------
    meaning : str
        What it is, in a few words, as help and pages show it.
    kurtosis : float
        E n^4; 3 is normal, 1 the least.
    quantile : callable, optional
        The inverse of the distribution function: an array of shares in (0, 1) in, numbers out.
        None is the normal distribution, which every library draws by itself.

    Raises
    ------
    ValueError
        The quantiles are not those of a symmetric distribution of variance one and of this
        kurtosis, to 1%.
    """

    meaning: str
    kurtosis: float
    quantile: Callable[[Array], Array] | None = None

    def __post_init__(self) -> None:
        if self.quantile is None:
            if self.kurtosis != 3.0:
                raise ValueError(
                    f"a distribution of kurtosis {self.kurtosis!r} needs quantiles; only the "
                    "normal one, of kurtosis 3, is drawn without"
                )
            return
        values = self._raw
        if values.shape != (QUANTILES,) or not np.isfinite(values).all():
            raise ValueError(
                f"the quantiles of '{self.meaning}' are not {QUANTILES} finite numbers for as "
                "many shares in (0, 1)"
            )
        # Odd moments must vanish: the exact risk leaves them out.
        if np.abs(values + values[::-1]).max() > 1e-6 * np.abs(values).max():
            raise ValueError(f"the quantiles of '{self.meaning}' are not symmetric around zero")
        variance = float(np.mean(values**2))
        kurtosis = float(np.mean(values**4)) / variance**2 if variance else math.nan
        seen = (("variance", 1.0, variance), ("kurtosis", self.kurtosis, kurtosis))
        for name, said, found in seen:
            if not abs(found - said) <= TOLERANCE * said:
                raise ValueError(
                    f"the quantiles of '{self.meaning}' have {name} {found:.4g}; it is to be "
                    f"{said:.4g} to 1%"
                )

    @cached_property
    def _raw(self) -> Array:
        """The quantiles at the middles of equal shares."""
        if self.quantile is None:
            raise AssertionError("the normal distribution has no table")
        return np.asarray(self.quantile((np.arange(QUANTILES) + 0.5) / QUANTILES), dtype=float)

    @cached_property
    def table(self) -> Array | None:
        """2^16 equally likely numbers that are drawn, of variance one; None for the normal."""
        if self.quantile is None:
            return None
        table = self._raw / math.sqrt(float(np.mean(self._raw**2)))
        table.flags.writeable = False
        return table


def _two_point(share: Array) -> Array:
    return np.where(share < 0.5, -1.0, 1.0)


def _uniform(share: Array) -> Array:
    return math.sqrt(12.0) * (share - 0.5)


def _shipped() -> None:
    for name, each in (
        ("normal", Distribution("normal", 3.0)),
        ("two_point", Distribution("plus or minus one deviation", 1.0, _two_point)),
        ("uniform", Distribution("uniform, as errors in a cell are", 1.8, _uniform)),
    ):
        DISTRIBUTIONS.register(name, each, home=__name__)


#: The distributions of ideal noise by name.
DISTRIBUTIONS: Registry[Distribution] = Registry(
    "distribution of noise", load=_shipped, of=Distribution
)
