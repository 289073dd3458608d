"""The verb ``plan``: a budget in; the best params, tokens and precision out, with what could be otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from isoloss.fits import Caution, Comparison, Fit
from isoloss.formats import Precision
from isoloss.laws import Array, Law, Levels, Value, plain
from isoloss.plans.budget import Budget
from isoloss.plans.hardware import Hardware, machine
from isoloss.plans.members import Listened, Member, blind, levels_of, members_of
from isoloss.plans.problems import PlanError
from isoloss.plans.result import Choice, LawPlan, Plan
from isoloss.plans.search import Best, Loss, search
from isoloss.plans.space import Space, serving_bytes, space_of


def plan(
    thing: Listened | Sequence[Listened] | Mapping[str, float],
    budget: Budget,
    hardware: str | Hardware,
    *,
    precision: str | Precision | Sequence[str | Precision] | None = None,
    extrapolate: bool = False,
    draws: int = 1000,
    level: float = 0.9,
    group: str | None = None,
) -> Plan:
    """The params, tokens and precision of least expected loss that a budget allows on a machine.

    ``thing``: a fit, a comparison (all its laws by weight), a law or its name, a list of these, or "published".
    ``precision``: the candidates; by default those that the fitted runs have, or bf16 where there are none. Every
    refit is planned again for the intervals. Outside the region of the runs a single recommendation is withheld
    unless ``extrapolate``. Raises PlanError, in one sentence, for what cannot be planned.
    """
    if not isinstance(budget, Budget):
        raise PlanError(f"budget is {budget!r}; give a Budget, as Budget('1e21 flop')")
    if not 0 < level < 1:
        raise PlanError(f"level is {level:g}; it is a share between 0 and 1, as 0.9")
    device = machine(hardware)
    members = members_of(thing, group, budget.unique_tokens is not None)
    asked, sparse = candidates_of(thing, precision)
    candidates, unknown = _known(members, asked)
    dropped = {**sparse, **unknown}
    members, silent = _seeing(members, candidates)
    space = space_of(budget, device, candidates)
    levels = levels_of(candidates)
    counts = _shares(members, draws)
    mean = search(_mean(members, counts, levels, budget), space)
    order = [int(k) for k in np.argsort(mean.loss[0]) if np.isfinite(mean.loss[0, k])]
    if not order:
        raise PlanError(
            f"no precision of {', '.join(map(repr, map(str, candidates)))} can be planned within {budget}"
        )
    lost = "no loss at any size that the budget allows, or not for all refits of all laws"
    dropped |= {str(p): f"'{p}': {lost}" for k, p in enumerate(candidates) if k not in order}
    bare = len(members) == 1 and members[0].drawn is None
    drawn = (mean, np.ones(1)) if bare else _replanned(members, counts, levels, budget, space)
    choices = tuple(_choice(k, mean, drawn, space, budget, device, level) for k in order)
    by_law = tuple(_of_law(m, levels, budget, space) for m in members)
    outside = _outside(members, choices[0])
    cautions = (*silent, *_cautions(members, choices[0], device, space, order[0]))
    withheld = None if extrapolate else outside
    extra = (Caution("extrapolation", outside),) if outside and extrapolate else ()
    return Plan(choices, by_law, str(budget), str(device), level, withheld, dropped, (*extra, *cautions))


def candidates_of(
    thing: object, given: str | Precision | Sequence[str | Precision] | None
) -> tuple[tuple[Precision, ...], dict[str, str]]:
    """The precisions to choose from, each once, and why fitted levels with a sparsity are not among them."""
    sparse: dict[str, str] = {}
    if given is not None:
        found = [Precision.parse(p) for p in ([given] if isinstance(given, str | Precision) else given)]
    else:
        fits = [thing] if isinstance(thing, Fit) else []
        fits = [e.fit for e in thing.entries] if isinstance(thing, Comparison) else fits
        found = []
        for name in dict.fromkeys(p for fit in fits for p in fit.points.precision):
            try:
                found.append(Precision.parse(name))
            except ValueError:  # a level is printed as its precision and then its sparsity
                sparse[name] = f"'{name}': pruned weights are not planned"
        found = found or [Precision("bf16")]
    if not found:
        raise PlanError("no precision to choose from; give at least one, as 'bf16'")
    return tuple(dict.fromkeys(found)), sparse


def _known(
    members: Sequence[Member], candidates: Sequence[Precision]
) -> tuple[tuple[Precision, ...], dict[str, str]]:
    """The candidates at which every law is defined, and why the others are left out."""
    unsure = [m for m in members if not m.knows_all(candidates)]
    reasons = {}
    for p in candidates:
        told = [(m.law.name, why) for m in unsure if (why := m.knows(p)) is not None]
        if told:
            reasons[str(p)] = f"{told[0][0]}: {told[0][1]}"
    kept = tuple(p for p in candidates if str(p) not in reasons)
    if not kept:
        name, why = next(iter(reasons.items()))
        raise PlanError(f"no precision is known to all {len(members)} laws; '{name}' is not to {why}")
    return kept, reasons


def _seeing(
    members: Sequence[Member], candidates: Sequence[Precision]
) -> tuple[tuple[Member, ...], tuple[Caution, ...]]:
    """The laws that tell the candidates apart, weights adding up to one, and a word about the others."""
    deaf = [m for m in members if blind(m, candidates)]
    if len(deaf) == len(members):
        if len(candidates) > 1:
            raise PlanError(
                f"{', '.join(m.law.name for m in deaf)} cannot tell the precisions apart, so the cheapest would win; "
                "give a law with a precision in it, or one precision"
            )
        return tuple(members), ()
    left = [m for m in members if m not in deaf]
    total = sum(m.weight for m in left)
    words = tuple(
        Caution(
            "untested", f"{m.law.name} (weight {m.weight:.2g}) says nothing of precision and is not asked"
        )
        for m in deaf
    )
    return tuple(Member(m.law, m.weight / total, m.drawn, m.fit, m.group) for m in left), words


def _shares(members: Sequence[Member], draws: int) -> list[list[int]]:
    """The refits of each law that are planned again, as many as its weight says."""
    if draws < 1:
        raise PlanError(f"draws is {draws}; accepted is a whole number of at least 1")
    out = []
    for m in members:
        share = max(1, round(draws * m.weight)) if m.drawn is not None else 1
        out.append([int(k) for k in np.linspace(0, m.count - 1, min(share, m.count))])
    return out


def _mean(members: Sequence[Member], counts: Sequence[list[int]], levels: Levels, budget: Budget) -> Loss:
    """The loss averaged over laws by weight and over the refits of each."""
    known = [(m, m.chosen(rows)) for m, rows in zip(members, counts, strict=True)]

    def loss(log_params: Value, log_tokens: Value) -> Value:
        total: Value = 0.0
        for m, c in known:
            found = m.loss(c, log_params, log_tokens, levels, budget.unique_tokens)
            total = total + m.weight * _averaged(found)
        return total

    return loss


def _averaged(found: Value) -> Value:
    """The mean over refits, (1, n), of a value or of a jet with its derivatives."""

    def over(part: Value) -> Value:
        return np.mean(np.atleast_2d(part), axis=0, keepdims=True)

    return found.mapped(over) if hasattr(found, "mapped") else over(found)


def _replanned(
    members: Sequence[Member], counts: Sequence[list[int]], levels: Levels, budget: Budget, space: Space
) -> tuple[Best, Array]:
    """The plan of every refit of every law, and the weight of each, adding up to one."""
    found, weights = [], []
    for m, rows in zip(members, counts, strict=True):
        c = m.chosen(rows)
        found.append(search(_loss_of(m, c, levels, budget), space, len(rows)))
        weights += [m.weight / len(rows)] * len(rows)
    stacked = (np.vstack([getattr(b, name) for b in found]) for name in ("params", "tokens", "loss"))
    return Best(*stacked), np.array(weights)


def _loss_of(member: Member, c: Mapping[str, Value], levels: Levels, budget: Budget) -> Loss:
    """The loss of one law under some constants."""
    return lambda u, y: member.loss(c, u, y, levels, budget.unique_tokens)


def _choice(
    k: int,
    mean: Best,
    drawn: tuple[Best, Array],
    space: Space,
    budget: Budget,
    device: Hardware,
    level: float,
) -> Choice:
    best, weights = drawn
    n, d = float(mean.params[0, k]), float(mean.tokens[0, k])
    winner = np.argmin(best.loss, axis=1)
    held = np.isfinite(best.loss[:, k])
    spent = {s.name: float(s.spent(n, d)[k] / s.most) for s in space.spendings}
    binding = [name for name, share in spent.items() if share > 1 - 1e-6]
    if space.params is None and np.log(n) > space.cap[k] - 1e-6:
        binding.append(space.capped_by[k])
    rate = space.rates[k]
    single = not device.is_abstract
    return Choice(
        precision=str(space.precisions[k]),
        params=n,
        tokens=d,
        loss=float(mean.loss[0, k]),
        params_interval=_interval(best.params[held, k], weights[held], level),
        tokens_interval=_interval(best.tokens[held, k], weights[held], level),
        loss_interval=_interval(best.loss[held, k], weights[held], level),
        probability=float(weights[(winner == k) & held].sum()),
        binding=tuple(binding),
        spent=spent,
        flop=6.0 * n * d * rate.cost,
        device_hours=6.0 * n * d / rate.flops / 3600.0 if single else float("nan"),
        serving_bytes=float(plain(serving_bytes(n, space.precisions[k], budget))),
        rate=rate.how,
        emulated=rate.emulated,
    )


def _interval(values: Array, weights: Array, level: float) -> tuple[float, float]:
    """The weighted quantiles that leave (1 - level) / 2 on each side; NaN without values."""
    if not len(values):
        return float("nan"), float("nan")
    order = np.argsort(values)
    upto = np.cumsum(weights[order]) / weights.sum()
    low, high = (
        values[order][min(len(values) - 1, int(np.searchsorted(upto, q)))]
        for q in ((1 - level) / 2, (1 + level) / 2)
    )
    return float(low), float(high)


def _of_law(member: Member, levels: Levels, budget: Budget, space: Space) -> LawPlan:
    """What one law alone would do with the budget."""
    best = search(_loss_of(member, member.values, levels, budget), space)
    k = int(np.argmin(best.loss[0]))
    n, d = float(best.params[0, k]), float(best.tokens[0, k])
    return LawPlan(
        member.law.name,
        member.weight,
        str(space.precisions[k]),
        n,
        d,
        float(best.loss[0, k]),
        _far(member, n, d),
    )


def _far(member: Member, params: float, tokens: float) -> float:
    """How far a point lies outside the region of a law's runs, as a factor; NaN where no region is known."""
    law: Law = member.law
    if law.box is None:
        return float("nan")
    return float(law.box.outside(member.point(Precision("fp"), params, tokens))[0])


def _outside(members: Sequence[Member], first: Choice) -> str | None:
    """Why the first choice is an extrapolation, None where it lies inside the runs of every law."""
    for m in members:
        far = _far(m, first.params, first.tokens)
        place = f"{first.params:.3g} params on {first.tokens:.3g} tokens"
        if not far <= 1.0:
            why = "no region of runs is known" if np.isnan(far) else f"by a factor of {far:.3g}"
            return f"{place} lies outside the runs of {m.law.name} ({why})"
        if m.fit is not None:
            fitted = {
                p for p, out in zip(m.fit.points.precision, m.fit.points.held_out, strict=True) if not out
            }
            if first.precision not in fitted | {"fp"}:
                return f"no run that {m.law.name} was fitted to has precision '{first.precision}'"
    return None


def _cautions(
    members: Sequence[Member], first: Choice, device: Hardware, space: Space, k: int
) -> tuple[Caution, ...]:
    found = []
    if not device.is_abstract and first.rate != "measured":
        text = f"rates are peaks times mfu ({first.rate}): an upper bound, kernels unknown; a measured table comes first"
        found.append(Caution("untested", text))
    if first.emulated:
        text = f"{device.name} does not compute in {', '.join(first.emulated)}: it runs wider and saves memory only"
        found.append(Caution("untested", text))
    if space.spendings and not first.binding:
        found.append(
            Caution(
                "untested",
                f"more tokens would hurt in '{first.precision}': {_shares_left(first)} stays unspent",
            )
        )
    precision = space.precisions[k]
    for m in members:
        formats = {*precision.train, *(f"-> {s}" for s in precision.serve)}
        unseen = sorted(formats - set(m.sees(precision)))
        if unseen:
            text = f"{m.law.name} says nothing of {', '.join(unseen)} in '{precision}': their cost is left out of the loss"
            found.append(Caution("untested", text))
        if m.fit is not None:
            found += [c for c in m.fit.cautions if c.kind in ("lack_of_fit", "collinear_design", "at_bound")]
    bare = [m.law.name for m in members if m.fit is None]
    if bare:
        text = f"laws without refits, whose constants are taken as exact: {', '.join(bare)}"
        found.append(Caution("no_interval", text))
    return tuple(dict.fromkeys(found))


def _shares_left(first: Choice) -> str:
    return ", ".join(f"{100 * (1 - share):.3g}% of {name}" for name, share in first.spent.items())
