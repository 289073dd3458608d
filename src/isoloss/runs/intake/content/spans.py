"""Counts and factors as messages write them, and what tells their sizes."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoloss.runs.intake.origin import Origin
from isoloss.runs.numbers import compact

Array = NDArray[np.float64]


def within(values: Array, ends: tuple[float, float], factor: float = 1.0) -> bool:
    """Whether some of the values, scaled, may be such counts."""
    return bool(values.max() >= ends[0] / factor and values.min() <= ends[1] / factor)


def span(values: Array) -> str:
    """The least and the largest value in words."""
    low, high = float(values.min()), float(values.max())
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def logs_of(rows: pl.DataFrame, name: str) -> Array:
    """Logarithms, of which differences neither overflow nor divide by zero."""
    return np.asarray(np.log(rows[name].to_numpy()), dtype=np.float64)


def middle_of(logs: Array) -> float:
    """The median of what has these logarithms."""
    return float(np.exp(np.clip(np.median(logs), -700, 700)))


def count_of(name: str, log: float) -> str:
    """A count, or a loss, that has this logarithm."""
    value = float(np.exp(np.clip(log, -700, 700)))
    return f"{value:.4g}" if name == "loss" else compact(value)


def power(factor: float) -> str:
    """A power of ten as a factor of an expression."""
    return f"1e{round(np.log10(factor))}" if factor >= 1e3 or factor < 1 else "1"


def scaled(name: str, factor: str, origin: Origin) -> str:
    """The option that reads a column times a factor."""
    own = origin.called.get(name, name).removesuffix("*1")
    return f"--column {name}='{own}*{factor}'"
