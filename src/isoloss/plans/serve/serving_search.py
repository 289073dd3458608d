"""How to serve a model that exists: gap, memory, decode speed, critical tokens by format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isoloss.fits import ResultWarning, WarningKind
from isoloss.formats import Precision
from isoloss.laws import Array, plain
from isoloss.plans.budget import Budget, BudgetLike, as_budget
from isoloss.plans.checks import (
    Spellings,
    as_count,
    as_precisions,
    check_level,
    check_switch,
    one_precision,
)
from isoloss.plans.costs import Hardware, as_machine
from isoloss.plans.critical import critical_tokens_of
from isoloss.plans.doubt import beyond, interval
from isoloss.plans.problems import PlanError
from isoloss.plans.search import (
    LawsLike,
    Member,
    far,
    losses_at,
    members_of,
    metric_of_all,
    serving_bytes,
    shares,
)
from isoloss.plans.serve.serving_result import ServingChoice, ServingPlan
from isoloss.plans.warnings_of_plan import taken_as_exact
from isoloss.plans.what_laws_see import not_told_apart


def rank_serving(
    laws: LawsLike,
    budget: BudgetLike,
    hardware: str | Hardware,
    formats: Spellings,
    *,
    trained: str | Precision = "fp",
    extrapolate: bool = False,
    draws: int = 1000,
    level: float = 0.9,
    group: str | None = None,
) -> ServingPlan:
    """The ways to serve a model that exists, ranked by expected loss gap.

    The laws asked are those defined at every candidate at which any of them is. Speed is bandwidth
    over bytes read, an upper bound, unless the machine has measured decode speeds.

    Parameters
    ----------
    laws
        As for `plan`; "published" for every published law that sees rounding after training.
    budget
        Params and tokens of the model (or its decoder), and context, batch, memory, speed and
        serving devices of the use: a Budget or a mapping of its words.
    hardware
        A machine by name, or a Hardware.
    formats
        What is served, as "w4/128", or whole spellings with an arrow.
    trained
        What the model was trained in, which stands before the arrow.
    extrapolate
        Recommend one choice also for a model outside the runs of a law.
    draws
        How many bootstrap replicates of the laws are averaged over.
    level
        Coverage of the intervals, 0.9 = 90%.
    group
        Whose constants, where a law has some for each of several groups.

    Returns
    -------
    ServingPlan
        The candidates, least expected gap first.

    Raises
    ------
    PlanError
        There is no model or no format, the budget limits training, no law sees rounding after
        training, or no candidate meets the limits.
    """
    budget, device = as_budget(budget), as_machine(hardware)
    n, d = _model(budget)
    check_level(level)
    check_switch("extrapolate", extrapolate)
    draws = as_count("draws", draws)
    asked = _spelled(formats, trained)
    members, silent = _telling(members_of(laws, group), asked)
    metric = metric_of_all(members)
    counts = shares(members, draws)
    losses, weights = losses_at(members, counts, asked, n, d, budget)
    before, _ = losses_at(members, counts, [p.trained for p in asked], n, d, budget)
    gaps = losses - before
    found = [
        _served(p, members, gaps[:, k], weights, budget, device, level) for k, p in enumerate(asked)
    ]
    found, dropped = _within(found, budget)
    found = [replace(c, beaten_by=_better(c, found)) for c in found]
    found.sort(key=lambda c: (not np.isfinite(c.gap), c.gap))
    outside = {m.law.name: far(m, n, d) for m in members}
    reasons = [beyond("the model", law, away) for law, away in outside.items()]
    withheld = None if extrapolate else next(filter(None, reasons), None)
    warnings = (*silent, *_warnings(members, asked, device))
    return ServingPlan(
        n, d, tuple(found), outside, str(device), level, withheld, dropped, warnings, metric
    )


def _model(budget: Budget) -> tuple[float, float]:
    """Params and tokens of the model; PlanError without them, and for limits of training."""
    if budget.params is None or budget.tokens is None:
        raise PlanError(
            "serving needs a model that exists: give params and tokens in the budget "
            "(--params, --tokens)"
        )
    names = ("train", "hours", "money", "served", "unique_tokens")
    given = [name for name in names if getattr(budget, name) is not None]
    if given:
        raise PlanError(
            f"{', '.join(given)} limits training, and the model exists; "
            "serving takes memory, speed, context and batch"
        )
    return budget.params, budget.tokens


def _spelled(formats: Spellings, trained: str | Precision) -> list[Precision]:
    """The precisions, each with its arrow: what is given without one is served so."""
    before = one_precision(trained, "trained").trained
    if not isinstance(formats, str) and isinstance(formats, Sequence) and not formats:
        raise PlanError("no format to serve in; give at least one, as 'w4/128' (--serve)")
    asked = as_precisions(formats, "formats")
    whole = [p if p.serve else Precision(before.train, p.train or {"w": "fp"}) for p in asked]
    return list(dict.fromkeys(whole))


def _telling(
    members: Sequence[Member], asked: Sequence[Precision]
) -> tuple[list[Member], tuple[ResultWarning, ...]]:
    """The laws that see what is served, weights adding up to one; warnings about the others.

    Laws are comparable only on the same candidates, so one that is undefined at a candidate where
    others are defined is left out, unless none is defined at all of them.
    """
    heard = []
    for m in members:
        known = {p for p in asked if m.knows(p) is None}
        if any(s.startswith("->") for p in known for s in m.sees(p)):
            heard.append((m, known))
    if not heard:
        names = ", ".join(m.law.name for m in members[:4]) + (" ..." if len(members) > 4 else "")
        raise PlanError(
            f"none of {names} has a term for rounding after training; "
            "kumar2024 and ouyang2024 do, or 'published'"
        )
    most = max(len(known) for _, known in heard)
    kept = [m for m, known in heard if len(known) == most]
    total = sum(m.weight for m in kept)
    words = [
        ResultWarning(
            WarningKind.UNTESTED,
            f"law {m.law.name} is undefined at {_missing(known, asked)} and left out",
        )
        for m, known in heard
        if len(known) < most
    ]
    return [replace(m, weight=m.weight / total) for m in kept], tuple(words)


def _missing(known: set[Precision], asked: Sequence[Precision]) -> str:
    return ", ".join(f"'{p}'" for p in asked if p not in known)


def _within(
    found: Sequence[ServingChoice], budget: Budget
) -> tuple[list[ServingChoice], dict[str, str]]:
    """The ways that meet the limits on memory and speed, and why the others do not."""
    dropped = {}
    for c in found:
        if budget.memory is not None and c.bytes > budget.memory:
            dropped[c.precision] = (
                f"'{c.precision}': {c.bytes / 1e9:.4g} GB, "
                f"and memory is {budget.memory / 1e9:.4g} GB"
            )
        elif budget.speed is not None and c.speed < budget.speed:
            dropped[c.precision] = (
                f"'{c.precision}': {c.speed:.4g} tokens/s at most, "
                f"and speed is {budget.speed:.4g} tokens/s"
            )
    kept = [c for c in found if c.precision not in dropped]
    if not kept:
        raise PlanError(f"no format meets the limits: {'; '.join(dropped.values())}")
    return kept, dropped


def _speed(
    precision: Precision, size: float, budget: Budget, device: Hardware
) -> tuple[float, str]:
    """Tokens a second of one sequence, and where that is from."""
    served = str(Precision(precision.serve)) if precision.serve else str(precision)
    for name in (str(precision), served):
        if name in device.decoding:
            return device.decoding[name] * budget.serving_devices, "measured"
    return device.bandwidth * budget.serving_devices / size, "bandwidth"


def _served(
    precision: Precision,
    members: Sequence[Member],
    gaps: Array,
    weights: Array,
    budget: Budget,
    device: Hardware,
    level: float,
) -> ServingChoice:
    n, d = budget.params or 0.0, budget.tokens or 0.0
    size = float(plain(serving_bytes(n, precision, budget)))
    speed, origin = _speed(precision, size, budget, device)
    held = np.isfinite(gaps)
    mean = float(np.average(gaps[held], weights=weights[held])) if held.any() else float("nan")
    knowing = [m for m in members if m.knows(precision) is None]
    critical = [critical_tokens_of(m, n, precision) for m in knowing]
    alone = {
        m.law.name: float(m.law.gap(n, d, precision, precision.trained, group=m.group))
        for m in knowing
    }
    return ServingChoice(
        str(precision),
        mean,
        interval(gaps[held], weights[held], level),
        alone,
        size,
        size <= device.memory * budget.serving_devices,
        speed,
        origin,
        (min(critical, default=float("nan")), max(critical, default=float("nan"))),
        (),
    )


def _better(one: ServingChoice, all_of: Sequence[ServingChoice]) -> tuple[str, ...]:
    """The candidates that lose less than this one and take no more memory."""
    return tuple(
        c.precision
        for c in all_of
        if c.gap < one.gap - 1e-12 and c.bytes <= one.bytes * (1 + 1e-12)
    )


def _warnings(
    members: Sequence[Member], asked: Sequence[Precision], device: Hardware
) -> list[ResultWarning]:
    found = []
    if not device.is_abstract and not device.decoding:
        found.append(
            ResultWarning(
                WarningKind.UNTESTED,
                "decode speed is bandwidth over bytes read (optimistic; no kernel measured)",
            )
        )
    for m in members:
        known = [p for p in asked if m.knows(p) is None]
        unseen = dict.fromkeys(s for p in known for s in m.unseen(p) if s.startswith("->"))
        if unseen:
            text = (
                f"law {m.law.name} has no term for {', '.join(unseen)}: "
                "what they cost is missing from the gap"
            )
            found.append(ResultWarning(WarningKind.UNSEEN_PARTS, text, tuple(unseen)))
        found += not_told_apart([m], known)
    found += taken_as_exact(members)
    for each in dict.fromkeys(
        str(f.bare) for p in asked for f in p.serve.values() if f.computes_in not in device.peaks
    ):
        if not device.is_abstract:
            found.append(
                ResultWarning(
                    WarningKind.UNTESTED,
                    f"{device.name} does not compute in {each}: "
                    "only memory and bandwidth are saved",
                )
            )
    return list(dict.fromkeys(found))
