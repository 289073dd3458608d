"""The verb `first_runs`: a question and published laws in; the first runs out, or STOP.

Where nothing was run, published laws stand for what may be true. Each is read in one form over the
region of the runs (`power_laws`), which says how a run would move its constants, and these its
answer (`questions`). The design is bought as that of `next_runs` (`exchange`): the least mean log
variance of the answer over the laws by their weights, and some with other aims, of which the one
that answers under most of the weight is taken (`first_search`). What counts as known beside the
runs are bounds alone, as in a fit: the interval is that of a fit to these runs, and published
constants narrow nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import norm

from isoloss.fits import ResultWarning, WarningKind
from isoloss.formats import Precision
from isoloss.laws import Box
from isoloss.plans.budget import BudgetLike, as_budget, machine_of
from isoloss.plans.checks import as_count, check_level, check_noise
from isoloss.plans.costs import Hardware
from isoloss.plans.design.candidates import (
    POINTS,
    Candidates,
    Range,
    Region,
    affordable,
    ends_of,
    grid,
    purse,
)
from isoloss.plans.design.expected import Design, First
from isoloss.plans.design.first_result import FirstRuns, LawAnswer, Rival
from isoloss.plans.design.first_search import Room, design_inside, searched
from isoloss.plans.design.first_verdict import shown, verdict
from isoloss.plans.design.power_laws import readings_of
from isoloss.plans.design.questions import question_of
from isoloss.plans.design.rivals import ratio_spread, rivals
from isoloss.plans.design.to_train import bought_runs
from isoloss.plans.design.what_runs_cost import cost_in_words
from isoloss.plans.search import LawsLike, members_of

#: Unless said: the largest run at 20 tokens a param costs this share of the budget, the smallest
#: model is so many times smaller, and runs have so many tokens a param.
LARGEST, DOWN, RATIO = 0.25, 32.0, (2.0, 800.0)
#: Standard deviation of log loss from run to run unless said: about that of small models' seeds.
NOISE = 0.005


def first_runs(
    laws: LawsLike,
    budget: BudgetLike,
    hardware: str | Hardware | None = None,
    *,
    question: str,
    target: BudgetLike | None = None,
    within: float | None = None,
    params: Range | None = None,
    tokens: Range | None = None,
    max_runs: int = 64,
    max_seeds: int = 16,
    noise: float = NOISE,
    level: float = 0.9,
    group: str | None = None,
) -> FirstRuns:
    """The first runs within a budget that answer a question, or STOP where no runs of it do.

    Parameters
    ----------
    laws
        What may be true: "published", or laws as in `plan`.
    budget
        What all runs may cost together: train, hours or money.
    hardware
        The machine of the runs; None where the budget names it, as "64 h100 for 30 days".
    question
        "params within 1.5" of a plan; "exponent of w4": the sign of the token exponent of its gap;
        "gap of w4 > 0.02 at 7B, 140B": whether it costs more nats than that.
    target
        The compute of the plan; for a gap a budget that holds params and tokens; none for an
        exponent.
    within
        How near the answer is wanted, in its own unit: the factor (most over least) of params, 2
        unless said; the half-width at which an exponent counts as none, 0.05 unless said; the nats
        on either side at which a gap is known well enough, 0 unless said.
    params, tokens
        Ranges (least, most) of the runs, which rivals may leave; by default a quarter of the budget
        pays for a model on 20 tokens a param, and runs have from 1/32 of its size, or from the
        smallest size of half of the laws where that is less, to 4 times, with 2 to 800 tokens a
        param; a single run may be larger or longer where that brings an answer within reach.
    max_runs, max_seeds
        The most runs in all, and the most seeds of one kind of run.
    noise
        Standard deviation of log loss from run to run.
    level
        Coverage of the interval, 0.9 = 90%.
    group
        Whose constants, where a law has some for each of several groups.

    Returns
    -------
    FirstRuns
        The runs, what each law expects of them, rivals of the same cost, and STOP where no design
        of the budget answers the question under laws of half the weight.

    Raises
    ------
    PlanError
        An argument is of the wrong kind, the budget pays for no run, or no law can be read.
    """
    paid = as_budget(budget)
    device = machine_of(paid, hardware)
    most = purse(paid, device)
    limits = as_count("max_runs", max_runs), as_count("max_seeds", max_seeds)
    asked = question_of(question, None if target is None else as_budget(target, "target"), within)
    check_noise(noise)
    check_level(level)
    members = members_of(laws, group)
    region = region_for(most, params, tokens, [m.law.box for m in members])
    tried = (Precision("bf16"), *(() if asked.precision is None else (asked.precision,)))
    readings = readings_of(members, region, asked.precision)
    first = First(asked, readings, float(noise), float(norm.ppf((1 + level) / 2)))
    room = room_of(region, params, tokens, tried, device, most, limits)
    others = _rivals(first, rivals(region, device, tried, most, *limits))
    best = searched(first, room, [d for d in others.values() if d.is_inside(region)])
    told = verdict(best, list(others.values()), room)
    beta, own = float(np.median(readings.theta[:, 3])), best.counts
    return FirstRuns(
        # Runs that are bought to come near an answer stand first in a design.
        runs=tuple(sorted(bought_runs(best.runs, own), key=lambda run: (run.params, run.tokens))),
        question=str(asked), budget=str(paid), hardware=str(device),
        flop=best.cost, most_flop=most, laws=_answers(best),
        rivals=tuple(_rival(d, best, beta) for d in others.values()), half=best.half,
        width=asked.width(best.half), wanted=asked.wanted,
        spread=ratio_spread(best.runs, own, beta), shape=best.name, able=told.able,
        stop=told.stop, short=told.short,
        left_out=tuple(readings.left_out.items()), share=readings.share, noise=float(noise),
        level=level, warnings=_warnings(best, room),
        costs=cost_in_words(best.cost, paid, device),
    )  # fmt: skip


def room_of(
    region: Region,
    params: Range | None,
    tokens: Range | None,
    precisions: tuple[Precision, ...],
    machine: Hardware,
    most: float,
    limits: tuple[int, int],
) -> Room:
    """What may be bought: a grid over the region, and single runs beyond it where no range says
    otherwise.
    """
    runs = affordable(grid(region, POINTS, POINTS, machine, precisions), most)
    far = float("inf")
    reach = far if params is None else region.params[1], far if tokens is None else region.tokens[1]
    return Room(runs, region, reach, machine, most, *limits)


def region_for(
    most: float, params: Range | None, tokens: Range | None, boxes: Sequence[Box | None] = ()
) -> Region:
    """Where first runs may lie: as given, or what the budget leaves room for.

    Models as small as those that half of the laws rest on are left in where money is plenty.
    """
    large = float(np.sqrt(LARGEST * most / 120.0))
    small = [box.params[0] for box in boxes if box is not None]
    least = min([large / DOWN, *([float(np.median(small))] if small else [])])
    sizes = ends_of((least, large), params, "params")
    lengths = ends_of((RATIO[0] * sizes[0], RATIO[1] * sizes[0] * 4), tokens, "tokens")
    free = params is None or tokens is None
    return Region(sizes, lengths, RATIO if free else (0.0, float("inf")))


def _answers(best: Design) -> tuple[LawAnswer, ...]:
    """What each law expects of a design."""
    first, counts = best.first, np.asarray(best.counts)
    own, asked = first.readings, first.asked
    outside = own.outside(best.runs)
    found = []
    numbers = zip(best.halves, first.needs(), first.beyond(best.runs), outside, strict=True)
    rows = zip(own.names, own.weights, first.answers(), numbers, strict=True)
    for name, weight, answer, (half, need, beyond, far) in rows:
        inside = None if np.isnan(far).all() else int(counts[far <= 1].sum())
        words = asked.say(answer), asked.span(answer, half), asked.span(answer, need)
        law = LawAnswer(
            name, float(weight), *words, float(half), float(need), float(beyond), inside
        )
        found.append(law)
    return tuple(found)


def _rivals(first: First, tried: Iterable[tuple[str, Candidates, int]]) -> dict[str, Design]:
    """The best of each kind of rival."""
    best: dict[str, Design] = {}
    for name, runs, seeds in tried:
        design = Design(name, runs, np.full(len(runs), seeds), first)
        if name not in best or design.half < best[name].half:
            best[name] = design
    return best


def _rival(design: Design, best: Design, beta: float) -> Rival:
    """A rival beside the proposal."""
    spread, runs = ratio_spread(design.runs, design.counts, beta), int(design.counts.sum())
    cost, ratio = (design.half / best.half) ** 2, design.runs.tokens / design.runs.params
    ends = float(ratio.min()), float(ratio.max())
    return Rival(design.name, runs, ends, design.half, design.resolved, spread, cost)


def _warnings(best: Design, room: Room) -> tuple[ResultWarning, ...]:
    text = (
        "intervals are expected ones, of a fit of the right form with noise as given: a law that "
        "no published one is like, or noise that grows in small runs, is not in them"
    )
    found = [ResultWarning(WarningKind.UNTESTED, text)]
    readings = best.first.readings
    if (far := _far_from_laws(best, room)) is not None:
        found.append(ResultWarning(WarningKind.EXTRAPOLATION, far))
    if readings.left_out:
        text = (
            f"{len(readings.left_out)} of the {len(readings.left_out) + len(readings.names)} laws "
            f"asked, {shown(1 - readings.share)} of their weight, say nothing of the question"
        )
        found.append(ResultWarning(WarningKind.UNSEEN_PARTS, text))
    constants, runs = readings.theta.shape[1], int(best.counts.sum())
    if runs < 3 * constants:
        text = f"{runs} runs for {constants} constants: a fit has little to test its form by"
        found.append(ResultWarning(WarningKind.FEW_RUNS, text))
    return tuple(found)


def _far_from_laws(best: Design, room: Room) -> str | None:
    """How many runs lie outside those of every law, and what runs inside would bring; or None."""
    outside = best.first.readings.outside(best.runs)
    known = outside[~np.isnan(outside).any(axis=1)]
    if not len(known):
        return "of no law is the region of its runs known"
    nearest = known.min(axis=0)
    if (nearest <= 1).all():
        return None
    inside = design_inside(best.first, room)
    asked = best.first.asked
    instead = (
        "no design of this cost lies inside those of some law"
        if inside is None
        else f"runs inside those of some law would leave {asked.width(inside.half)}, enough under "
        f"laws of {shown(inside.resolved)} of the weight"
    )
    many = int(best.counts[nearest > 1].sum())
    return (
        f"{many} of {int(best.counts.sum())} runs lie outside the runs of every law here, by a "
        f"factor of up to {nearest.max():.3g}, so that what the laws say of them is untested; "
        f"{instead}, beside {asked.width(best.half)} and {shown(best.resolved)}"
    )
