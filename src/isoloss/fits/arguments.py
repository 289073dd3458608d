"""Checks of the numbers and words given to a verb, each a sentence before any work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np

from isoloss.files import checked_level, real_number, shown_value, whole_number
from isoloss.laws import Constant, Law

#: What an interval is of: a new run, or the law's mean.
Of = Literal["run", "mean"]


#: The largest seed that a random generator of every machine takes.
MOST_SEED = 2**63 - 1


class FitError(ValueError):
    """What a verb of fits refuses, with the reason in one sentence."""


def check_level(level: Any, draws: int | None = None) -> float:
    """The coverage of an interval as a number; FitError as `isoloss.files.checked_level`."""
    return checked_level(level, FitError, draws)


def check_count(name: str, value: Any, least: int, most: int = 1_000_000) -> int:
    """A whole number of at least ``least`` and at most ``most``; FitError for anything else."""
    whole = whole_number(value)
    if whole is None or whole < least:
        raise FitError(f"{name} is {shown(value)}; it is a whole number of at least {least}")
    if whole > most:
        raise FitError(f"{name} is {shown(value)}; it is a whole number of at most {most}")
    return whole


def check_text(name: str, value: Any, example: str) -> str | None:
    """A text or None; FitError for anything else."""
    if value is not None and not isinstance(value, str):
        raise FitError(f"{name} is {shown(value)}; it is text as {example}, or None")
    return value


def check_share(name: str, value: Any) -> float:
    """A finite number of zero or more; FitError for anything else."""
    if not 0 <= real_number(value) < np.inf:
        raise FitError(f"{name} is {shown(value)}; it is a number of zero or more")
    return float(value)


def check_budget(flop: Any) -> float:
    """A budget of FLOPs as a number; FitError unless it is finite and above zero."""
    if not 0 < real_number(flop) < np.inf:
        raise FitError(f"flop is {shown(flop)}; it is a number of FLOPs above 0, as 1e21")
    return float(flop)


def check_of(of: Any) -> None:
    """FitError unless an interval is asked of a "run" or of the "mean"."""
    if not isinstance(of, str) or of not in get_args(Of):
        raise FitError(f"cannot predict the interval of {shown(of)}; of is 'run' or 'mean'")


def check_callback(callback: Any) -> None:
    """FitError for a callback that cannot be called."""
    if callback is not None and not callable(callback):
        raise FitError(
            f"callback is {shown(callback)}; it is a function of the replicates finished, or None"
        )


def check_fixed(fixed: Any, law: Law) -> dict[str, float]:
    """The values at which constants are held; FitError unless it maps names to finite numbers.

    Names are constants of the law, and values lie inside their bounds.
    """
    if fixed is None:
        return {}
    if not isinstance(fixed, Mapping):
        raise FitError(f"fixed is {shown(fixed)}; it maps names of constants to values")
    for name, value in fixed.items():
        if not isinstance(name, str) or not np.isfinite(real_number(value)):
            raise FitError(f"fixed holds {shown(name)} at {shown(value)}; a value is a number")
    constants = {k.name: k for k in law.constants}
    for name, value in fixed.items():
        if name not in constants:
            raise FitError(
                f"fixed holds {shown(name)}, which law {law.name!r} has not; its constants are "
                f"{', '.join(constants)}"
            )
        check_inside(constants[name], float(value), law.name)
    return {name: float(value) for name, value in fixed.items()}


def check_inside_bounds(law: Law) -> None:
    """FitError for a law that holds a constant outside its bounds, before it is fitted."""
    for k in law.constants:
        if k.name in law.fixed and k.value is not None:
            check_inside(k, k.value, law.name)


def check_inside(k: Constant, value: float, law: str) -> None:
    """FitError for a constant of a law that is held outside its bounds."""
    if not k.lower <= value <= k.upper:
        raise FitError(
            f"{k.name} is fixed at {value:g}, outside its bounds {k.lower:g} to {k.upper:g} in law "
            f"{law!r}; law.bounded({k.name}=(low, high)) sets others"
        )


def shown(value: Any) -> str:
    """A value as a message shows it; laws by their names, tables by their runs."""
    if isinstance(value, Law):
        return f"the law {value.name!r}"
    if type(value).__name__ == "Runs" and len(value):
        return f"a table of {len(value)} runs"
    return shown_value(value)
