"""What speaks against a plan: where it lies outside the runs, what no law sees, where laws disagree, what is assumed."""

from __future__ import annotations

from collections.abc import Sequence

from isoloss.fits import INHERITED, ResultWarning, WarningKind
from isoloss.plans.costs import Hardware
from isoloss.plans.doubt import beyond
from isoloss.plans.result import Choice, LawPlan
from isoloss.plans.search import Member, Space, far

#: Laws of this weight speak, and sizes this many times apart are a disagreement.
HEARD, APART = 0.05, 2.0


def outside_of(members: Sequence[Member], first: Choice) -> str | None:
    """Why the first choice is an extrapolation, None where it lies inside the runs of every law."""
    for m in members:
        point = f"{first.params:.3g} params on {first.tokens:.3g} tokens"
        if (why := beyond(point, m.law.name, far(m, first.params, first.tokens))) is not None:
            return why
        if m.fit is not None:
            fitted = {
                p
                for p, out in zip(m.fit.points.precision, m.fit.points.held_out, strict=True)
                if not out
            }
            if first.precision not in fitted | {"fp"}:
                return f"no run that {m.law.name} was fitted to has precision '{first.precision}'"
    return None


def cautions_of(
    members: Sequence[Member], first: Choice, device: Hardware, space: Space, k: int
) -> tuple[ResultWarning, ...]:
    """What the first choice, precision ``k`` of the space, takes for granted or leaves out."""
    found = []
    if not device.is_abstract and first.rate != "measured":
        text = f"rates are peaks times mfu ({first.rate}): an upper bound, kernels unknown; a measured table comes first"
        found.append(ResultWarning(WarningKind.UNTESTED, text))
    if first.emulated:
        text = f"{device.name} does not compute in {', '.join(first.emulated)}: it runs wider and saves memory only"
        found.append(ResultWarning(WarningKind.UNTESTED, text))
    if space.spendings and not first.binding:
        found.append(
            ResultWarning(
                WarningKind.UNTESTED,
                f"more tokens would hurt in '{first.precision}': {_shares_left(first)} stays unspent",
            )
        )
    precision = space.precisions[k]
    for m in members:
        formats = {*precision.train, *(f"-> {s}" for s in precision.serve)}
        unseen = sorted(formats - set(m.sees(precision)))
        if unseen:
            text = f"{m.law.name} says nothing of {', '.join(unseen)} in '{precision}': their cost is left out of the loss"
            found.append(ResultWarning(WarningKind.UNTESTED, text))
        if m.fit is not None:
            found += [c for c in m.fit.warnings if c.kind in INHERITED]
    return tuple(dict.fromkeys([*found, *taken_as_exact(members)]))


def taken_as_exact(members: Sequence[Member]) -> list[ResultWarning]:
    """A word about laws that have no refits."""
    bare = ", ".join(m.law.name for m in members if m.fit is None)
    text = f"laws without refits, whose constants are taken as exact: {bare}"
    return [ResultWarning(WarningKind.NO_INTERVAL, text)] if bare else []


def disagreeing(by_law: Sequence[LawPlan]) -> tuple[ResultWarning, ...]:
    """A word where laws of weight, each alone, would train sizes that lie far apart."""
    told = [each for each in by_law if each.weight >= HEARD]
    least, most = (pick(told, key=lambda each: each.params, default=None) for pick in (min, max))
    if least is None or most is None or most.params <= APART * least.params:
        return ()
    text = (
        f"laws of weight would train from {least.params:.3g} params ({least.law}) to {most.params:.3g} ({most.law}), "
        "so an average of them is no law's optimum"
    )
    return (ResultWarning(WarningKind.LAWS_DISAGREE, text),)


def _shares_left(first: Choice) -> str:
    return ", ".join(f"{100 * (1 - share):.3g}% of {name}" for name, share in first.spent.items())
