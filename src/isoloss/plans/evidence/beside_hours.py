"""Published runs near a plan in params and tokens, beside the device hours that the plan gives."""

from __future__ import annotations

import math
from collections.abc import Sequence

from isoloss.formats import Precision
from isoloss.plans.costs import RUNS, Hardware, PublishedRun, classes_of
from isoloss.plans.evidence.choices import Choice
from isoloss.runs import compact

#: A run is near that has at most so many times more or fewer params, and tokens; runs at most.
NEAR, MOST = 1.3, 2


def published_hours(choices: Sequence[Choice], machine: Hardware) -> tuple[str, ...]:
    """What published runs near the first choice took, nearest first, each in a sentence.

    A run of the machine's products is compared with the first choice whose products run in its
    class of formats: its hours times the ratio of the FLOPs, 6 N D, inside or outside the interval.
    """
    first = choices[0]
    if machine.is_abstract:
        return ()
    found = [(_distance(run, first), run) for run in RUNS.values()]
    near = sorted((each for each in found if each[0] <= math.log(NEAR)), key=lambda each: each[0])
    return tuple(_said(run, choices, machine) for _, run in near[:MOST])


def _distance(run: PublishedRun, first: Choice) -> float:
    """The larger of the log ratios of params and of tokens."""
    counts = (run.params / first.params, run.tokens / first.tokens)
    return max(abs(math.log(ratio)) for ratio in counts)


def _said(run: PublishedRun, choices: Sequence[Choice], machine: Hardware) -> str:
    assumed = "" if run.is_format_said else " (assumed)"
    text = (
        f"published: {run.name} took {compact(run.hours)} hours on {run.device or run.machine} in "
        f"{run.format}{assumed}, {compact(run.params)} params on {compact(run.tokens)} tokens"
    )
    same = (c for c in choices if _runs_in(c, machine) == {run.format})
    choice = next(same, None) if run.machine == (machine.chip or machine.name) else None
    if choice is None:
        return text
    hours = run.hours * choice.params * choice.tokens / (run.params * run.tokens)
    ratio = f"per FLOP {hours / choice.device_hours:.2f} times the hours of '{choice.precision}'"
    # What is served is in the interval of the plan, and in no hours of training.
    low, high = choice.paid_hours_interval
    if low != low or choice.paid_hours > choice.device_hours * (1 + 1e-9):
        return f"{text}: {ratio}"
    return f"{text}: {ratio}, {'inside' if low <= hours <= high else 'outside'} the interval"


def _runs_in(choice: Choice, machine: Hardware) -> set[str]:
    """The classes of formats that the products of a choice run in."""
    return set(classes_of(machine, Precision(choice.precision).trained))
