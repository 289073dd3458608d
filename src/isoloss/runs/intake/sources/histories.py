"""Evaluations along a run, tied to the steps at which they were logged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def at_steps(metrics: Mapping[str, Iterable[tuple[int, Any]]]) -> list[dict[str, Any]]:
    """One row for every step at which all metrics were logged, in the order of steps; where there
    is none, one of unknown values, so that the run stays, and its row says what lacks.

    Parameters
    ----------
    metrics
        Name of the column to its steps and values; of a step that was logged twice the later value
        is taken, as a run that was resumed logs it again.
    """
    by_step = {name: dict(values) for name, values in metrics.items()}
    if not by_step:
        return []
    common = set.intersection(*(set(values) for values in by_step.values()))
    rows = [
        {"step": step, **{name: values[step] for name, values in by_step.items()}}
        for step in sorted(common)
    ]
    return rows or [{"step": None, **dict.fromkeys(by_step)}]
