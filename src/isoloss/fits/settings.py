"""How a law is fitted: the settings that ``fit`` and ``compare`` share, checked before any work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from isoloss.fits.arguments import MOST_SEED, check_callback, check_count, check_level, check_text
from isoloss.fits.doubt import Resample, check_resample
from isoloss.fits.solve import Objective, as_objective

#: Called with the number of bootstrap replicates just finished.
Callback = Callable[[int], None]


@dataclass(frozen=True)
class Settings:
    """How a law is fitted, checked: what ``fit`` and ``compare`` share.

    Attributes
    ----------
    objective
        What is minimised.
    per
        The column with a base for each of its values; None for one base.
    draws, how
        Bootstrap replicates, and how tables are drawn again (None: what the runs allow).
    starts
        Walks from random starts.
    level
        Coverage of intervals, 0.9 = 90%.
    seed
        The seed of starts, replicates and random hold-outs.
    callback
        Called with the number of replicates just finished.
    """

    objective: Objective
    per: str | None
    draws: int
    how: Resample | None
    starts: int
    level: float
    seed: int
    callback: Callback | None


def settings(
    objective: str | Objective,
    per: str | None,
    draws: int,
    how: Resample | None,
    starts: int,
    level: float,
    seed: int,
    callback: Callback | None,
) -> Settings:
    """Settings, or FitError for the first that is not accepted."""
    check_resample(how)
    check_callback(callback)
    count = check_count("draws", draws, 2)
    return Settings(
        as_objective(objective),
        check_text("per", per, "'source'"),
        count,
        how,
        check_count("starts", starts, 1),
        check_level(level, count),
        check_count("seed", seed, 0, MOST_SEED),
        callback,
    )
