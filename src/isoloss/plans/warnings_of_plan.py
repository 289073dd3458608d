"""Warnings of a plan: outside the runs, parts no law sees, laws that disagree, assumptions."""

from __future__ import annotations

from collections.abc import Sequence

from isoloss.fits import INHERITED, ResultWarning, WarningKind, by_law
from isoloss.laws import Array
from isoloss.plans.budget import Budget
from isoloss.plans.costs import Hardware, too_large_to_train
from isoloss.plans.doubt import beyond
from isoloss.plans.evidence import Choice, LawPlan
from isoloss.plans.search import Member, Panel, Space, far, uncompared, views_of

#: Laws of this weight speak, and sizes this many times apart are a disagreement.
HEARD, APART = 0.05, 2.0


def outside_of(members: Sequence[Member], first: Choice) -> str | None:
    """Reason the first choice is an extrapolation, or None inside the runs of every law."""
    for m in members:
        point = f"{first.params:.3g} params on {first.tokens:.3g} tokens"
        if (why := beyond(point, m.law.name, far(m, first.params, first.tokens))) is not None:
            return why
        if (why := no_run_in(m, first.precision)) is not None:
            return why
    return None


def no_run_in(member: Member, precision: str) -> str | None:
    """Reason where a law was fitted and no run of it has a precision, or None."""
    if member.fit is None or precision in member.fit.points.fitted_precisions | {"fp"}:
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
        known = f"{first.rate}, taken as exact"
        known = "that of published runs, not of yours" if first.in_doubt else known
        text = f"throughput is {known}: no kernel was measured; give a measured table"
        found.append(ResultWarning(WarningKind.UNTESTED, text))
    if space.spendings and not first.binding:
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


def emulated_of(choices: Sequence[Choice], device: Hardware) -> list[ResultWarning]:
    """A warning for the formats without products of their own, by the classes they run in."""
    where: dict[tuple[str, ...], dict[str, None]] = {}
    for choice in choices:
        for name, classes in zip(choice.emulated, choice.runs_in, strict=False):
            where.setdefault(classes, {})[name] = None
    return [
        ResultWarning(
            WarningKind.UNTESTED,
            f"{device.name} has no products in {', '.join(names)}: they run in "
            f"{' and '.join(classes)}" + (", only memory is saved" if classes == ("bf16",) else ""),
        )
        for classes, names in where.items()
    ]


def memory_of(first: Choice, budget: Budget, device: Hardware) -> tuple[ResultWarning, ...]:
    """A warning where the devices of a budget cannot hold what training the first choice keeps."""
    if budget.devices is None or device.is_abstract:
        return ()
    params = first.params if budget.decoder is None else float(budget.decoder.params)
    why = too_large_to_train(params, budget.devices, device.memory, device.name)
    return () if why is None else (ResultWarning(WarningKind.OUT_OF_MEMORY, why),)


def taken_as_exact(members: Sequence[Member]) -> list[ResultWarning]:
    """A warning about laws that have no bootstrap replicates."""
    bare = ", ".join(m.law.name for m in members if m.fit is None)
    text = f"laws without bootstrap replicates, their constants taken as exact: {bare}"
    return [ResultWarning(WarningKind.NO_INTERVAL, text)] if bare else []


def disagreeing(by_law: Sequence[LawPlan]) -> tuple[ResultWarning, ...]:
    """A warning where laws of weight, each alone, would train sizes that lie far apart."""
    told = [each for each in by_law if each.weight >= HEARD]
    least, most = (pick(told, key=lambda each: each.params, default=None) for pick in (min, max))
    if least is None or most is None or most.params <= APART * least.params:
        return ()
    text = (
        f"laws of weight would train from {least.params:.3g} params ({least.law}) "
        f"to {most.params:.3g} ({most.law}), so an average of them is no law's optimum"
    )
    return (ResultWarning(WarningKind.LAWS_DISAGREE, text),)


def _shares_left(first: Choice) -> str:
    return ", ".join(f"{100 * (1 - share):.3g}% of {name}" for name, share in first.spent.items())
