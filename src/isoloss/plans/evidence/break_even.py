"""Break-even: how much faster than bf16's the steps of a precision must be, so that it pays.

At speed-up s a param and token of the precision cost what bf16's do over s. Its least loss within
the budget falls with s; where it meets that of bf16 at its own best size, the precision breaks
even. The answer asks nothing about rates, so it stands beside them: a precision pays where its
steps are faster than that on the user's machine. A law that cannot see all that the precision
rounds says "at least".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoloss.fits import Standing
from isoloss.formats import Precision
from isoloss.laws import Array
from isoloss.plans.budget import Budget
from isoloss.plans.costs import Rate, RateDraws, drawn_costs
from isoloss.plans.doubt import NO_INTERVAL, interval
from isoloss.plans.evidence.choices import Choice
from isoloss.plans.evidence.question import Question
from isoloss.plans.problems import PlanError
from isoloss.plans.search import (
    Loss,
    Member,
    Panel,
    Space,
    levels_of,
    loss_of,
    mean_loss,
    search,
    shares,
    space_of,
)

BF16 = Precision("bf16")
#: Speed-ups that are looked at, points of the grid that a bracket is cut into, and how often.
SLOWEST, FASTEST, GRID, ROUNDS = 1 / 64, 64.0, 17, 7
#: Replicates behind an interval, as of regrets, and draws of the rates.
REFITS, DRAWS = 60, 1000


@dataclass(frozen=True)
class LawBreakEven:
    """The break-even speed-up by one law alone.

    Attributes
    ----------
    law
        Its name.
    speed_up
        By the constants of its best fit; infinite where no speed pays, NaN where it is undefined.
    standing
        "seen"; "at least" where the law cannot see all that the precision rounds; "unknown" where
        it reads the precision as another (floats as integers of their bits) or cannot bound it.
    """

    law: str
    speed_up: float
    standing: Standing


@dataclass(frozen=True)
class BreakEven:
    """What a precision needs to pay against bf16, and what its steps are known to reach.

    Attributes
    ----------
    precision
        Its spelling.
    speed_up
        Step over step in bf16 at which its best plan has the loss of bf16's best plan, by the laws
        that see it; infinite where no speed pays.
    interval
        Over laws and replicates; NaN where no law has any.
    standing
        "seen", or "at least" where no law sees all that the precision rounds, or "unknown".
    by_law
        The same by each law alone.
    published
        Lowest and highest published speed-up of its formats; NaN without any.
    figures, sources
        How many figures these are, and of how many sources.
    reached
        Low end, middle and high end (90%) of the speed-up that the plan takes.
    basis
        What that rests on: "measured", "given", "published" or "assumed".
    pays
        Share of the draws of rates and laws in which its steps are faster than break-even, 0 to 1;
        the most it can be where `standing` is "at least"; NaN where no law tells.
    probability
        Share of the draws of rates and laws in which the precision is the best of all candidates;
        NaN where none tells.
    """

    precision: str
    speed_up: float
    interval: tuple[float, float]
    standing: Standing
    by_law: tuple[LawBreakEven, ...]
    published: tuple[float, float]
    figures: int
    sources: int
    reached: tuple[float, float, float]
    basis: str
    pays: float
    probability: float


def break_evens_of(
    question: Question, choices: Sequence[Choice], level: float
) -> tuple[BreakEven, ...]:
    """The break-even speed-up of each choice that is not trained in bf16, in their order.

    None where the machine is a cost model, no limit pays for tokens, or bf16 cannot be planned.
    """
    panel, space = question.panel, question.all
    if panel is None or space is None or question.device.is_abstract or not space.limits_training:
        return ()
    if space.params is not None and space.tokens is not None:
        return ()
    try:
        plain = space_of(question.budget, question.device, [BF16])
    except PlanError:  # bf16 does not fit in memory or budget
        return ()
    names = [str(p) for p in space.precisions]
    asked = [c for c in choices if _is_low(space.precisions[names.index(c.precision)])]
    which = [names.index(c.precision) for c in asked]
    if not which:
        return ()
    whole = Panel.of(panel.members, [*space.precisions, BF16])
    costs, _ = drawn_costs(question.device, space.precisions, RateDraws.of(question.device, DRAWS))
    return tuple(
        _one(k, whole, question.budget, (space.take(k), plain), choice, (level, 1.0 / costs[:, k]))
        for k, choice in zip(which, asked, strict=True)
    )


def _is_low(precision: Precision) -> bool:
    """Whether a precision is trained in anything but bf16."""
    return str(precision.trained) not in ("fp", str(BF16))


def _one(
    k: int,
    panel: Panel,
    budget: Budget,
    spaces: tuple[Space, Space],
    choice: Choice,
    asked: tuple[float, Array],
) -> BreakEven:
    """The break-even of one candidate by the laws that see it and bf16, else by those that read
    it; asked are the level of its interval and draws of its speed-up.
    """
    able = panel.seers[-1]
    told, standing = panel.readers(k)
    used = panel.seers[k] & able or told & able
    by_law = tuple(_by_law(i, k, panel, budget, spaces) for i in sorted(able))
    by_law = tuple(each for each in by_law if each is not None)
    speed, ends, pays = float("nan"), NO_INTERVAL, float("nan")
    if used:
        members = panel.taken(frozenset(used))
        counts = shares(members, REFITS)
        low, plain = (mean_loss(members, counts, levels_of(s.precisions), budget) for s in spaces)
        speed = float(_roots(low, plain, spaces, 1)[0])
        each, weights = np.full(1, speed), np.ones(1)
        if standing == "seen" and any(m.drawn is not None for m in members):
            each, weights = _replicates(members, counts, budget, spaces)
            ends = interval(each, weights, asked[0])
        if standing != "unknown":
            pays = float(np.mean(asked[1][:, None] > each, axis=0) @ weights)
    rate: Rate = spaces[0].rates[0]
    gain = rate.speed_up
    if gain is None:
        raise ValueError(f"rate of '{choice.precision}' has no speed-up")
    return BreakEven(
        choice.precision, speed, ends, standing, by_law, (gain.least, gain.most), gain.figures,
        gain.sources, (gain.low, gain.middle, gain.high), gain.basis, pays,
        choice.probability if choice.standing == "seen" else float("nan"),
    )  # fmt: skip


def _by_law(
    i: int, k: int, panel: Panel, budget: Budget, spaces: tuple[Space, Space]
) -> LawBreakEven | None:
    """The break-even by one law alone; None where it is undefined or tells no precisions apart."""
    member, view = panel.members[i], panel.views[i][k]
    if view.undefined is not None or view.is_blind:
        return None
    low, plain = (loss_of(member, member.values, levels_of(s.precisions), budget) for s in spaces)
    return LawBreakEven(member.law.name, float(_roots(low, plain, spaces, 1)[0]), view.standing)


def _replicates(
    members: Sequence[Member],
    counts: Sequence[Sequence[int]],
    budget: Budget,
    spaces: tuple[Space, Space],
) -> tuple[Array, Array]:
    """The break-even by each replicate of each law, and the weight of each."""
    found, weights = [], []
    for m, rows in zip(members, counts, strict=True):
        c = m.chosen(rows)
        low, plain = (loss_of(m, c, levels_of(s.precisions), budget) for s in spaces)
        found.append(_roots(low, plain, spaces, len(rows)))
        weights += [m.weight / len(rows)] * len(rows)
    return np.concatenate(found), np.array(weights)


def _roots(low: Loss, plain: Loss, spaces: tuple[Space, Space], rows: int) -> Array:
    """The speed-up at which the least loss meets that of bf16, for each replicate, (rows,).

    Brackets are cut by a grid, all replicates at once; zero and infinity where every speed that is
    looked at pays, and none.
    """
    space, of_bf16 = spaces
    target = search(plain, of_bf16, rows, endless=True).loss
    ends = np.log(np.full((rows, 1), SLOWEST)), np.log(np.full((rows, 1), FASTEST))
    many = space.pick([0] * GRID)
    always = never = np.zeros(rows, dtype=bool)
    for turn in range(ROUNDS):
        steps = ends[0] + (ends[1] - ends[0]) * np.linspace(0, 1, GRID)
        loss = search(low, _at_speed(many, steps), rows, endless=True).loss
        pays = np.isfinite(loss) & (loss <= target)
        if turn == 0:
            always, never = pays[:, 0], ~pays[:, -1]
        first = np.where(pays.any(axis=1), pays.argmax(axis=1), GRID - 1)
        at = np.clip(first, 1, GRID - 1)[:, None]
        ends = tuple(np.take_along_axis(steps, at - back, axis=1) for back in (1, 0))
    middle = np.exp(0.5 * (ends[0] + ends[1]))[:, 0]
    return np.asarray(np.where(never, np.inf, np.where(always, 0.0, middle)))


def _at_speed(space: Space, log_speed: Array) -> Space:
    """A space whose steps are so much faster than those of bf16, (S, n)."""
    cost = np.array([rate.cost for rate in space.rates])
    factor = np.exp(-log_speed) / cost
    spendings = tuple(
        replace(s, each=s.each * factor, once=np.broadcast_to(s.once, factor.shape))
        for s in space.spendings
    )
    return replace(space, spendings=spendings)
