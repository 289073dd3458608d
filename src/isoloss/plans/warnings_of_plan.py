"""Warnings of a plan: outside the runs, parts no law sees, laws that disagree, assumptions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from isoloss.fits import INHERITED, ResultWarning, WarningKind, by_law, loss_in_words
from isoloss.formats import Precision
from isoloss.laws import Array
from isoloss.plans.budget import Budget
from isoloss.plans.costs import USUAL, Hardware
from isoloss.plans.doubt import beyond
from isoloss.plans.evidence import Choice, LawPlan
from isoloss.plans.search import (
    Member,
    Panel,
    Space,
    far,
    losses_at,
    shares_within,
    uncompared,
    views_of,
)
from isoloss.plans.serving_rate import in_words
from isoloss.runs import compact

#: Laws of this weight speak; sizes so many times apart are a disagreement, and so many times apart
#: they have no common answer.
HEARD, APART, NO_ONE_SIZE = 0.05, 2.0, 10.0
#: Less than this share of the draws of rates is no sure payment.
SURE_TO_PAY = 0.95
#: The share of a device's memory beyond which state leaves too little for activations.
FULL = 0.9
#: Candidates that a sentence names.
NAMED = 4


def outside_of(members: Sequence[Member], first: Choice) -> str | None:
    """Reason the first choice is an extrapolation, of the law that it lies furthest from, or None
    inside the runs of every law.
    """
    point = f"{compact(first.params)} params on {compact(first.tokens)} tokens"
    places = [(far(m, first.params, first.tokens), m) for m in members]
    for place, m in sorted(places, key=lambda each: np.nan_to_num(each[0]), reverse=True):
        if (why := beyond(point, m.law.name, place)) is not None:
            return why
        if (why := no_run_in(m, first.precision)) is not None:
            return why
    return None


def no_run_in(member: Member, precision: str) -> str | None:
    """Reason where a law was fitted and no run of it has a precision, or None; none of a fit that
    says how far it lies off ways that were left out.
    """
    if member.fit is None or member.fit.left_out is not None:
        return None
    if precision in member.fit.points.fitted_precisions | {"fp"}:
        return None
    return f"no run that {member.law.name} was fitted to has precision '{precision}'"


def inherited_of(members: Sequence[Member]) -> list[ResultWarning]:
    """What the fits of laws say against what is made of them, by name where they differ."""
    fits = (m.fit for m in members if m.fit is not None)
    said = [(f.law.name, [w for w in f.warnings if w.kind in INHERITED]) for f in fits]
    return list(by_law(said))


def unsure(
    choices: Sequence[Choice], difference: Array, order: Sequence[int], panel: Panel
) -> tuple[str | None, ...]:
    """Reasons why the first choice cannot be called the best: not seen, or not compared."""
    first, names = choices[0], panel.precisions
    if first.standing != "seen":
        view = next(row[order[0]] for row in panel.views if row[order[0]].undefined is None)
        known = "a bound" if first.standing == "at least" else "unknown"
        parts = ", ".join(view.missing)
        why = f"no law sees {parts} in '{first.precision}'"
        if view.unheld:
            why = f"no run tells {', '.join(view.unheld)}, on which '{first.precision}' rests"
        return (f"{why}, so its loss is {known}",)
    seen = {k for k, c in zip(order, choices, strict=True) if c.standing == "seen"}
    apart = [f"'{names[k]}'" for k in uncompared(difference, order[0]) if k in seen]
    if not apart:
        return ()
    return (
        f"no law sees both '{first.precision}' and {', '.join(apart[:4])}, so the rank between "
        "them is unknown",
    )


def warnings_of(
    members: Sequence[Member], first: Choice, device: Hardware, space: Space, k: int
) -> tuple[ResultWarning, ...]:
    """Warnings about the first choice, precision `k` of the space."""
    found = []
    if not device.is_abstract and first.basis != "measured":
        text = f"{_rate_of(first, device)}; give a measured table"
        found.append(ResultWarning(WarningKind.UNTESTED, text))
    if space.spendings and not first.binding and space.tokens is None:
        found.append(
            ResultWarning(
                WarningKind.UNTESTED,
                f"more tokens would raise the loss in '{first.precision}': "
                f"{_shares_left(first)} stays unspent",
            )
        )
    precision = space.precisions[k]
    for m in members:
        unseen = views_of(m, [precision])[0].unseen
        if unseen:
            text = (
                f"law {m.law.name} has no term for {', '.join(sorted(unseen))} in '{precision}': "
                "what they cost is missing from the loss"
            )
            found.append(ResultWarning(WarningKind.UNSEEN_PARTS, text, unseen))
    found += inherited_of(members)
    return tuple(dict.fromkeys([*found, *taken_as_exact(members)]))


def _rate_of(first: Choice, device: Hardware) -> str:
    """Whose the rate of a choice is that is not measured."""
    if device.level.basis == "measured":
        low, high = first.speed_up_interval
        ends = f" ({low:.2f} to {high:.2f})" if low < high else ""
        return (
            f"throughput of '{first.precision}' is not measured: it is that of bf16, which is, "
            f"times {first.speed_up:.2f}{ends}"
        )
    if device.level.basis == "assumed":
        return (
            f"throughput is assumed, as far as runs of all machines go: no run on {device.name} is "
            "published, and no kernel was measured"
        )
    least = device.least_params
    sizes = f" of {compact(least)} params and more" if first.params < least else ""
    known = f"that of published runs{sizes}, not of yours"
    if device.level.is_point:
        known = f"{first.rate}, taken as exact"
        if first.in_doubt:
            known = "that of bf16 as given, speed-ups over it published or assumed"
    return f"throughput is {known}: no kernel was measured"


def emulated_of(choices: Sequence[Choice], device: Hardware) -> list[ResultWarning]:
    """A warning for the formats without products of their own, by the classes they run in, with
    the candidates that hold them.
    """
    where: dict[tuple[str, ...], dict[str, None]] = {}
    held: dict[tuple[str, ...], dict[str, None]] = {}
    for choice in choices:
        for name, classes in zip(choice.emulated, choice.runs_in, strict=False):
            where.setdefault(classes, {})[name] = None
            held.setdefault(classes, {})[choice.precision] = None
    return [
        ResultWarning(
            WarningKind.UNTESTED,
            f"{device.name} has no products in {', '.join(names)} ({in_candidates(held[classes])}):"
            f" they run in {' and '.join(classes)}"
            + (", only memory is saved" if classes == ("bf16",) else ""),
        )
        for classes, names in where.items()
    ]


def may_miss(
    space: Space, choices: Sequence[Choice], budget: Budget, device: Hardware
) -> tuple[ResultWarning, ...]:
    """A warning where held params and tokens may cost more than the budget, with how likely each
    candidate keeps within it over the rates, and what it takes at their middle.
    """
    within = dict(
        zip(map(str, space.precisions), shares_within(space, budget, device), strict=True)
    )
    unsure = [c for c in choices if within[c.precision] < SURE_TO_PAY]
    if not unsure:
        return ()
    said = []
    for c in unsure[:NAMED]:
        name, share = max(c.spent.items(), key=lambda each: each[1])
        likely = f"in {100 * within[c.precision]:.0f}% of the draws of rates"
        said.append(f"'{c.precision}' {likely} ({share:.2f} times the {name} at their middle)")
    more = f", and {len(unsure) - NAMED} more candidates" if len(unsure) > NAMED else ""
    text = (
        f"{compact(choices[0].params)} params on {compact(choices[0].tokens)} tokens may cost more "
        f"than the budget: it pays for {', for '.join(said)}{more}"
    )
    return (ResultWarning(WarningKind.UNTESTED, text),)


def in_candidates(spellings: Iterable[str]) -> str:
    """Which candidates a sentence is about, some of them by name."""
    names = [f"'{each}'" for each in spellings]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"in {', '.join(names[:NAMED])}{more}"


def served_of(budget: Budget, device: Hardware) -> tuple[ResultWarning, ...]:
    """A warning of how served tokens are charged."""
    if budget.served is None or budget.serve_rate is None or device.is_abstract:
        return ()
    text = (
        f"{compact(budget.served)} tokens served are charged at {in_words(budget.serve_rate)}, "
        "taken as exact and the same in every precision: what serving in fewer bits saves is not "
        "counted (--serve ranks formats)"
    )
    return (ResultWarning(WarningKind.UNTESTED, text),)


def unused_rates(precisions: Sequence[Precision], device: Hardware) -> tuple[ResultWarning, ...]:
    """A warning where a measured table has rates of spellings that no candidate has, and some
    candidate has none ('fp8' in the table is 'e4m3' there, not 'e4m3 g:e5m2'), and where a given
    share of the peak gives way to a measured rate.
    """
    asked = [str(p.trained) for p in precisions if str(p.trained) not in ("fp", "bf16")]
    found: tuple[ResultWarning, ...] = ()
    if "bf16" in device.measured and "bf16" in device.mfu:
        text = (
            f"a share of {device.mfu['bf16']:g} of the peak in bf16 is not used: its rate is "
            f"measured, {device.measured['bf16'] / device.peaks['bf16']:.2g} of the peak"
        )
        found = (ResultWarning(WarningKind.UNTESTED, text),)
    without = [f"'{name}'" for name in asked if name not in device.measured]
    rest = [f"'{name}'" for name in device.measured if name not in (*asked, "bf16")]
    if not without or not rest:
        return found
    text = (
        f"measured rates of {', '.join(rest)} are not used, and {', '.join(without)} has none: a "
        "row holds for the precision that it spells"
    )
    return (*found, ResultWarning(WarningKind.UNTESTED, text))


def memory_of(first: Choice, budget: Budget, device: Hardware) -> tuple[ResultWarning, ...]:
    """A warning where the devices of a budget cannot hold what training the first choice keeps, or
    where nothing is left for what is not counted.
    """
    if budget.devices is None or device.is_abstract:
        return ()
    rule = budget.training_memory or USUAL
    model = budget.decoder, budget.all_params
    asked = first.params, budget.devices, device.memory, device.name
    why = rule.why_not(*asked, *model) if budget.training_memory is None else None
    share = first.training_bytes / device.memory
    if share > FULL and not rule.counts_activations:
        why = (
            f"training state alone fills {100 * share:.3g}% of each {device.name}, and activations "
            "are not counted in it; count them, as training_memory='sequences=1,context=8192'"
        )
    return () if why is None else (ResultWarning(WarningKind.OUT_OF_MEMORY, why),)


def mixture_of(budget: Budget) -> str | None:
    """What laws take a mixture of experts for, in words; None of a dense model."""
    if budget.all_params is None or budget.params is None:
        return None
    return (
        f"laws take the {compact(budget.params)} params that one token uses for N, of "
        f"{compact(budget.all_params)}, and none here was fitted to mixtures of experts in low "
        "precision"
    )


def mixture_warning(
    members: Sequence[Member], counts: Sequence[Sequence[int]], first: Choice, budget: Budget
) -> tuple[ResultWarning, ...]:
    """A warning about a mixture of experts, with the loss of a dense model of all its params."""
    why = mixture_of(budget)
    if why is None:
        return ()
    asked = [Precision(first.precision)], first.all_params, first.tokens, budget
    loss, weights = losses_at(members, counts, *asked)
    dense = float(np.average(loss[:, 0], weights=weights))
    if first.standing != "unknown" and np.isfinite(dense):
        why += f"; a dense model of all of them would have {loss_in_words(dense)}"
    return (ResultWarning(WarningKind.MIXTURE_OF_EXPERTS, why),)


def taken_as_exact(members: Sequence[Member]) -> list[ResultWarning]:
    """A warning about laws that have no bootstrap replicates."""
    bare = ", ".join(m.law.name for m in members if m.fit is None)
    text = f"laws without bootstrap replicates, their constants taken as exact: {bare}"
    return [ResultWarning(WarningKind.NO_INTERVAL, text)] if bare else []


def disagreeing(by_law: Sequence[LawPlan]) -> tuple[ResultWarning, ...]:
    """A warning where laws of weight, each alone, would train sizes that lie far apart."""
    ends = _ends(by_law, APART)
    if ends is None:
        return ()
    least, most = ends
    text = (
        f"laws of weight would train from {compact(least.params)} params ({least.law}) "
        f"to {compact(most.params)} ({most.law}), so an average of them is no law's optimum"
    )
    return (ResultWarning(WarningKind.LAWS_DISAGREE, text),)


def no_one_size(by_law: Sequence[LawPlan]) -> str | None:
    """Reason where laws of weight lie so far apart in params that no size is an answer, or None."""
    ends = _ends(by_law, NO_ONE_SIZE)
    if ends is None:
        return None
    least, most = ends
    return (
        f"laws of weight would train {compact(least.params)} params ({least.law}) to "
        f"{compact(most.params)} ({most.law}), {most.params / least.params:.3g} times as many, and "
        "an average is nobody's optimum; each law's own answer stands below: plan by the law that "
        "you trust, or fit laws to runs of your own"
    )


def _ends(by_law: Sequence[LawPlan], apart: float) -> tuple[LawPlan, LawPlan] | None:
    """The laws of weight of the least and the most params, where these lie so many times apart."""
    told = [each for each in by_law if each.weight >= HEARD]
    least, most = (pick(told, key=lambda each: each.params, default=None) for pick in (min, max))
    if least is None or most is None or most.params <= apart * least.params:
        return None
    return least, most


def _shares_left(first: Choice) -> str:
    return ", ".join(f"{100 * (1 - share):.3g}% of {name}" for name, share in first.spent.items())
