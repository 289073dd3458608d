"""How to serve a model that exists: gap, memory, decode speed, critical tokens by format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from isoloss.fits import ResultWarning, WarningKind
from isoloss.formats import Precision
from isoloss.laws import Array, is_gap_law, plain
from isoloss.plans.budget import Budget, BudgetLike, as_budget
from isoloss.plans.checks import (
    Spellings,
    as_count,
    as_precisions,
    check_level,
    check_switch,
    one_precision,
)
from isoloss.plans.costs import Hardware, as_machine, lacks
from isoloss.plans.critical import critical_tokens_of
from isoloss.plans.doubt import NO_INTERVAL, beyond
from isoloss.plans.evidence import gap_lies_between
from isoloss.plans.problems import PlanError
from isoloss.plans.search import (
    EQUAL,
    LawsLike,
    Member,
    Panel,
    decoding_bytes,
    far,
    members_of,
    metric_of_all,
    order_of,
    reweighted,
    serving_bytes,
    uncompared,
)
from isoloss.plans.serve.gaps import Gaps, never_run, sees_serving
from isoloss.plans.serve.serving_result import ServingChoice, ServingPlan
from isoloss.plans.warnings_of_plan import (
    in_candidates,
    inherited_of,
    mixture_of,
    no_run_in,
    taken_as_exact,
)
from isoloss.plans.what_laws_see import not_told_apart, unseen_of


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

    Each candidate is judged by the laws that see it, whatever else stands in the list, and laws of
    one base count once. Two candidates are compared by the laws that see both. Speed is bandwidth
    over the bytes that a step of decoding reads, an upper bound, unless the machine has measured
    decode speeds.

    Parameters
    ----------
    laws
        As for `plan`; "published" for every published law that sees rounding after training.
    budget
        Params (or a decoder, as "llama3-8b") and tokens of the model, and context, batch, memory,
        speed and serving devices of the use: a Budget or a mapping of its words.
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
        The candidates, best first; those that no law sees stand last.

    Raises
    ------
    PlanError
        There is no model or no format, the budget limits training, no law sees rounding after
        training, or no candidate meets the limits.
    """
    budget, device = as_budget(budget), as_machine(hardware)
    n, d = _model(budget)
    if budget.speed is not None and device.bandwidth == float("inf"):
        raise PlanError(
            f"speed needs a device with bandwidth, and {device.name} is a cost model; name one, as "
            "h100"
        )
    draws = as_count("draws", draws)
    check_level(level, draws)
    check_switch("extrapolate", extrapolate)
    asked = _spelled(formats, trained)
    members = _telling(members_of(laws, group, gaps=True))
    metric = metric_of_all(members)
    gaps = Gaps.asked(Panel.of(members, asked), budget, draws, level)
    found = [_served(k, gaps, budget, device, level) for k in range(len(asked))]
    kept, dropped = _within(found, budget)
    difference = gaps.differences(kept)
    ranked = [_with_better(i, kept, found, difference) for i in _order(kept, found, difference)]
    outside = {m.law.name: far(m, n, d) for m in members}
    unsure = _unsure(ranked, kept, found, difference)
    far_off = _beyond(ranked, outside)
    reason = unsure or far_off or _not_told(ranked, asked, gaps, level)
    withheld = None if extrapolate else reason
    mixture = mixture_of(budget)
    told = (ResultWarning(WarningKind.MIXTURE_OF_EXPERTS, mixture),) if mixture else ()
    if extrapolate and far_off:
        told = (ResultWarning(WarningKind.EXTRAPOLATION, far_off), *told)
    told = (*told, *never_run(members, ranked), *_between(members, gaps.panel, ranked, budget))
    warnings = (
        *told, *_too_fast(ranked, budget, device), *unseen_of(gaps.panel, gaps.standing),
        *_warnings(gaps.panel, device),
    )  # fmt: skip
    return ServingPlan(
        n, d, tuple(ranked), outside, str(device), level, withheld, dropped, warnings, metric,
        budget.shape, budget.all_params,
    )  # fmt: skip


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


def _telling(members: Sequence[Member]) -> tuple[Member, ...]:
    """The laws that have a term for rounding after training, whatever is served."""
    heard = [m for m in members if sees_serving(m)]
    if not heard:
        names = ", ".join(m.law.name for m in members[:4]) + (" ..." if len(members) > 4 else "")
        raise PlanError(
            f"none of {names} has a term for rounding after training; "
            "kumar2024 and ouyang2024 do, or 'published'"
        )
    return reweighted(heard)


def _within(found: Sequence[ServingChoice], budget: Budget) -> tuple[list[int], dict[str, str]]:
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
                f"'{c.precision}': {c.speed:.4g} tokens/s a sequence at most, "
                f"and speed is {budget.speed:.4g} tokens/s"
            )
    kept = [k for k, c in enumerate(found) if c.precision not in dropped]
    if not kept:
        raise PlanError(f"no format meets the limits: {'; '.join(dropped.values())}")
    return kept, dropped


def _speed(
    precision: Precision, read: float, budget: Budget, device: Hardware
) -> tuple[float, str]:
    """Tokens a second of one sequence, of which a step reads so many bytes, and where that is
    from.
    """
    served = str(Precision(precision.serve)) if precision.serve else str(precision)
    for name in (str(precision), served):
        if name in device.decoding:
            return device.decoding[name] * budget.serving_devices, "measured"
    return device.bandwidth * budget.serving_devices / read, "bandwidth"


def _too_fast(
    ranked: Sequence[ServingChoice], budget: Budget, device: Hardware
) -> tuple[ResultWarning, ...]:
    """Warnings where a measured decode speed is above what bandwidth allows this model."""
    out = []
    for c in ranked:
        most = device.bandwidth * budget.serving_devices / c.bytes_read
        if c.speed_from == "measured" and c.speed > most:
            text = (
                f"measured decode speed of '{c.precision}' is {c.speed:.4g} tokens/s, and "
                f"bandwidth allows this model {most:.4g}: it was measured on a "
                "smaller model, or several tokens come of a step"
            )
            out.append(ResultWarning(WarningKind.UNTESTED, text))
    return tuple(out)


def _served(k: int, gaps: Gaps, budget: Budget, device: Hardware, level: float) -> ServingChoice:
    """One way to serve, by the laws that see it."""
    n, d = budget.params or 0.0, budget.tokens or 0.0
    precision, told = gaps.panel.precisions[k], gaps.told(k)
    size = float(plain(serving_bytes(n, precision, budget)))
    read = float(plain(decoding_bytes(n, precision, budget)))
    speed, origin = _speed(precision, read, budget, device)
    # A law of gaps has no loss that more tokens could lower.
    whole = [m for m in told.members if not is_gap_law(m.law)]
    critical = [critical_tokens_of(m, n, precision) for m in whole]
    is_told = bool(critical) and told.is_seen and not told.moved(level)
    unknown = float("nan")
    seeing = told.members if told.is_seen else ()
    return ServingChoice(
        str(precision),
        told.mean if told.is_seen else unknown,
        told.interval(level, n, d) if told.is_seen else NO_INTERVAL,
        {m.law.name: _gap(m, n, d, precision) for m in seeing},
        size,
        size <= device.memory * budget.serving_devices,
        speed,
        origin,
        (min(critical), max(critical)) if is_told else NO_INTERVAL,
        (),
        told.mean if told.is_floor else unknown,
        max((o for m in told.members if (o := far(m, n, d)) == o), default=1.0),
        told.is_point,
        read,
        _gap_of_all(seeing, precision, budget),
        bool(whole) or not told.members,
    )


def _gap(member: Member, params: float, tokens: float, precision: Precision) -> float:
    """The gap of one law with the constants of its best fit."""
    return float(member.law.gap(params, tokens, precision, precision.trained, group=member.group))


def _gap_of_all(seeing: Sequence[Member], precision: Precision, budget: Budget) -> float:
    """The gap of a mixture of experts if laws take all its params for N; NaN of a dense model."""
    if budget.all_params is None or not seeing:
        return float("nan")
    n, d = budget.all_params, budget.tokens or 0.0
    return sum(m.weight * _gap(m, n, d, precision) for m in seeing)


def _between(
    members: Sequence[Member], panel: Panel, ranked: Sequence[ServingChoice], budget: Budget
) -> tuple[ResultWarning, ...]:
    """Warnings about ways whose parts differ, which no law sees whole."""
    n, d = _model(budget)
    unknown = {c.precision for c in ranked if c.gap != c.gap}
    asked = (p for p in panel.precisions if str(p) in unknown)
    found = (gap_lies_between(members, p, n, d, budget) for p in asked)
    return tuple(each for each in found if each is not None)


def _order(kept: Sequence[int], found: Sequence[ServingChoice], difference: Array) -> list[int]:
    """The places of the ways, best first; those that no law sees last, bounds before unknown."""
    gap = np.array([found[k].gap for k in kept])
    seen = [i for i in range(len(kept)) if np.isfinite(gap[i])]
    order = [seen[i] for i in order_of(difference[np.ix_(seen, seen)], gap[seen])]
    least = {i: found[k].at_least for i, k in enumerate(kept) if i not in seen}
    return order + sorted(least, key=lambda i: (np.isnan(least[i]), least[i]))


def _with_better(
    i: int, kept: Sequence[int], found: Sequence[ServingChoice], difference: Array
) -> ServingChoice:
    """A way with those that lose less by the laws that see both, and take no more memory."""
    one, others = found[kept[i]], [found[k] for k in kept]
    better = tuple(
        c.precision
        for c, less in zip(others, difference[:, i], strict=True)
        if less < -EQUAL and c.bytes <= one.bytes * (1 + 1e-12)
    )
    return replace(one, beaten_by=better)


def _unsure(
    ranked: Sequence[ServingChoice],
    kept: Sequence[int],
    found: Sequence[ServingChoice],
    difference: Array,
) -> str | None:
    """Reason why no way can be called the best: none is seen, or no law sees it and another."""
    fitting = [c for c in ranked if c.fits and c.gap == c.gap]
    if not fitting:
        return "no law sees a candidate that fits" if any(c.fits for c in ranked) else None
    names = [found[k].precision for k in kept]
    apart = uncompared(difference, names.index(fitting[0].precision))
    fit = {c.precision for c in fitting}
    other = [f"'{names[i]}'" for i in apart if names[i] in fit]
    if not other:
        return None
    return (
        f"no law sees both '{fitting[0].precision}' and {', '.join(other[:4])}, so the rank "
        "between them is unknown"
    )


def _beyond(ranked: Sequence[ServingChoice], outside: Mapping[str, float]) -> str | None:
    """Reason why the best is an extrapolation of a law that sees it."""
    best = next((c for c in ranked if c.fits and c.gap == c.gap), None)
    laws = best.by_law if best is not None else ()
    return next(filter(None, (beyond("the model", law, outside[law]) for law in laws)), None)


def _not_told(
    ranked: Sequence[ServingChoice], asked: Sequence[Precision], gaps: Gaps, level: float
) -> str | None:
    """Reason why the runs of a law that sees the best do not tell its gap."""
    best = next((c for c in ranked if c.fits and c.gap == c.gap), None)
    if best is None:
        return None
    index = [str(p) for p in asked].index(best.precision)
    if asked[index].is_wide:
        return None  # nothing is rounded, which needs no run
    told = gaps.told(index)
    if (why := told.moved(level)) is not None:
        return f"the runs do not tell the gap of '{best.precision}': {why}"
    return next(filter(None, (no_run_in(m, best.precision) for m in told.members)), None)


def _warnings(panel: Panel, device: Hardware) -> list[ResultWarning]:
    found = []
    if not device.is_abstract and not device.decoding:
        found.append(
            ResultWarning(
                WarningKind.UNTESTED,
                "decode speed is bandwidth over bytes read (optimistic; no kernel measured)",
            )
        )
    for m, row in zip(panel.members, panel.views, strict=True):
        unseen = dict.fromkeys(s for view in row if view.sees for s in view.unseen)
        if unseen:
            text = (
                f"law {m.law.name} has no term for {', '.join(unseen)}: "
                "what they cost is missing from the gap"
            )
            found.append(ResultWarning(WarningKind.UNSEEN_PARTS, text, tuple(unseen)))
    found += not_told_apart(panel)
    found += taken_as_exact(panel.members)
    found += inherited_of(panel.members)
    return list(dict.fromkeys([*found, *_lacking(panel.precisions, device)]))


def _lacking(precisions: Sequence[Precision], device: Hardware) -> list[ResultWarning]:
    """Warnings about served formats without products of their own, with the ways that hold them."""
    if device.is_abstract:
        return []
    held: dict[str, list[str]] = {}
    for p in precisions:
        for name in dict.fromkeys(str(f.bare) for f in p.serve.values() if lacks(device, f)):
            held.setdefault(name, []).append(str(p))
    saved = "only memory and bandwidth are saved"
    return [
        ResultWarning(
            WarningKind.UNTESTED,
            f"{device.name} has no products in {name} ({in_candidates(ways)}): {saved}",
        )
        for name, ways in held.items()
    ]
