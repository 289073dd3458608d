"""A law's constant: its name, its bounds and what it means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from isoloss.files import real_number, shown_value

Scale = Literal["log", "linear"]  # the coordinate that a fit walks in


@dataclass(frozen=True)
class Constant:
    """One named constant of a law.

    Attributes
    ----------
    name
        Its name in the formula, as "alpha"; two terms that use one name share the constant.
    meaning
        What it is, in a few words.
    lower, upper
        Its bounds in a fit.
    start
        The range that the starts of a fit are drawn from.
    unit
        "nats", "bits", "params" ...; empty where it has none.
    scale
        The coordinate that the solver walks in: "log" for amplitudes, which span decades, or
        "linear".
    amplitude
        Whether the loss is linear in it when the outer exponent is one.
    value
        The published or fitted value; None: to be fitted.

    Raises
    ------
    ValueError
        Bounds out of order, or a lower bound of zero and less for a logarithm.
    """

    name: str
    meaning: str
    lower: float
    upper: float
    start: tuple[float, float]
    unit: str = ""
    scale: Scale = "linear"
    amplitude: bool = False
    value: float | None = None

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ValueError(
                f"constant {self.name!r} has bounds [{self.lower:g}, {self.upper:g}]; the lower "
                "one must be smaller"
            )
        if self.scale == "log" and self.lower <= 0:
            raise ValueError(
                f"constant {self.name!r} is walked in its logarithm but its lower bound is "
                f"{self.lower:g}"
            )

    def at(self, value: float) -> Self:
        """The constant with a value."""
        return replace(self, value=float(value))

    def renamed(self, name: str, suffix: str) -> Self:
        """The same constant for one group of runs."""
        return replace(self, name=name, meaning=f"{self.meaning}, {suffix}", value=None)


def amplitude(name: str, meaning: str, unit: str = "", upper: float = 1e16) -> Constant:
    """A positive factor that spans decades, walked in its logarithm.

    Parameters
    ----------
    name, meaning, unit
        As in `Constant`.
    upper
        Its upper bound in a fit; the lower one is 1e-12.

    Returns
    -------
    Constant
        Without a value.
    """
    return Constant(name, meaning, 1e-12, upper, (1.0, 1e6), unit, "log", True)


def exponent(name: str, meaning: str, lower: float = 0.01, upper: float = 2.0) -> Constant:
    """A positive power.

    Parameters
    ----------
    name, meaning
        As in `Constant`.
    lower, upper
        Its bounds in a fit.

    Returns
    -------
    Constant
        Without a value.
    """
    return Constant(name, meaning, lower, upper, (0.05, 1.5))


def power(name: str, meaning: str, lower: float = -1.0, upper: float = 3.0) -> Constant:
    """A power of either sign: which sign is what the data should say.

    Parameters
    ----------
    name, meaning
        As in `Constant`.
    lower, upper
        Its bounds in a fit.

    Returns
    -------
    Constant
        Without a value.
    """
    return Constant(name, meaning, lower, upper, (0.0, 0.8))


def scale(
    name: str, meaning: str, lower: float, upper: float, start: tuple[float, float], unit: str = ""
) -> Constant:
    """A positive size, walked in its logarithm, in which the loss is not linear.

    Parameters
    ----------
    name, meaning, unit
        As in `Constant`.
    lower, upper
        Its bounds in a fit.
    start
        The range that the starts of a fit are drawn from.

    Returns
    -------
    Constant
        Without a value.
    """
    return Constant(name, meaning, lower, upper, start, unit, "log")


def check_bounds(k: Constant, bounds: Any) -> None:
    """ValueError unless bounds are two numbers, the first below the second."""
    pair = bounds if isinstance(bounds, tuple | list) and len(bounds) == 2 else (None, None)
    low, high = map(real_number, pair)
    least = " and above 0" if k.scale == "log" else ""
    if not low < high or (least and low <= 0):
        raise ValueError(
            f"bounds of {k.name} are {shown_value(bounds)}; they are two numbers (low, high), the "
            f"first below the second{least}"
        )
