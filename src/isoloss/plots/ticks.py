"""Ticks that people read: 30M, 1.5B on counts, plain numbers on losses, few of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from isoloss.runs import compact

MANTISSAS = ((1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))


def plain_number(value: float) -> str:
    """The shortest usual writing of a number to four digits: 0.01, −2.5, 34000, 1e−07."""
    return written(value, 4)


def written(value: float, digits: int) -> str:
    """A number to some significant digits, without an exponent up to a million and with a true
    minus sign.
    """
    rounded = float(f"{value:.{digits}g}")
    text = f"{rounded:.10g}" if 1e-4 <= abs(rounded) < 1e6 else f"{rounded:g}"
    return text.replace("e+", "e").replace("-", "−")


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two positive ends, at most ``most`` and, where a logarithmic axis is
    short, evenly spaced.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas in MANTISSAS:
        found = _inside([m * 10.0**k for k in decades for m in mantissas], low, high)
        if 3 <= len(found) <= most:
            return found
    powers = _inside([10.0**k for k in decades], low, high)
    if len(powers) > most:
        return powers[:: -(-len(powers) // most)]
    return linear_ticks(low, high, most)


def linear_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two ends at an even distance, at most ``most``."""
    span = high - low
    if span <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    for step in (m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0)):
        first = math.ceil(low / step - 1e-9)
        found = [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]
        if len(found) <= most:
            return found
    return [low, high]


def log_axis(
    axes: Axes,
    which: Literal["x", "y"],
    values: Sequence[float] | np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    write: Callable[[float], str] = compact,
    *,
    pad: float = 0.06,
    beyond: float = 0.0,
    most: int = 6,
) -> None:
    """Makes one axis logarithmic around the values, with round ticks; ``beyond`` is more room at
    its upper end.
    """
    low, high = math.log(float(np.min(values))), math.log(float(np.max(values)))
    span = max(high - low, 0.1)
    ends = math.exp(low - pad * span), math.exp(high + (pad + beyond) * span)
    set_scale, set_limits = (
        (axes.set_xscale, axes.set_xlim) if which == "x" else (axes.set_yscale, axes.set_ylim)
    )
    set_scale("log")
    set_limits(*ends)
    fixed(axes.xaxis if which == "x" else axes.yaxis, log_ticks(*ends, most), write)


def fixed(axis: Axis, ticks: Sequence[float], write: Callable[[float], str] = plain_number) -> None:
    """Puts ticks at these numbers only."""
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_major_formatter(FixedFormatter([write(t) for t in ticks]))
    axis.set_minor_locator(NullLocator())


def _inside(values: Sequence[float], low: float, high: float) -> list[float]:
    return [v for v in values if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]
