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

from isoloss.fits import Standing, View
from isoloss.formats import Precision
from isoloss.laws import Array
from isoloss.plans.budget import Budget
from isoloss.plans.costs import Hardware, RateDraws, drawn_costs_of_models
from isoloss.plans.doubt import NO_INTERVAL, interval
from isoloss.plans.evidence.choices import Choice
from isoloss.plans.evidence.question import Question
from isoloss.plans.evidence.spellings import is_low, is_one_class
from isoloss.plans.problems import PlanError
from isoloss.plans.search import (
    Loss,
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
#: Speed-ups that are looked at, turns at most, and the difference in loss and the bracket in logs
#: at which a root is found.
SLOWEST, FASTEST, TURNS, EQUAL, CLOSE = 1 / 64, 64.0, 60, 1e-12, 1e-10
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
        Share of the draws of rates, of laws by weight and of their replicates in which its steps
        are faster than the break-even of that draw, 0 to 1; the most it can be where `standing` is
        "at least"; NaN where no law tells.
    probability
        Share of the draws of rates and laws in which the precision is the best of all candidates;
        NaN where none tells.
    is_whole
        Whether all three products of a step run in one class of formats, as in the published
        figures; else these are of another recipe, and `reached` counts each product by itself.
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
    is_whole: bool = True


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
    told = [c for c in choices if c.precision in names]  # others are defined for no law
    asked = [c for c in told if is_low(space.precisions[names.index(c.precision)])]
    which = [names.index(c.precision) for c in asked]
    if not which:
        return ()
    panel = Panel.of(panel.members, [*(space.precisions[k] for k in which), BF16])
    sides = Sides(panel, question.budget, space.pick(which), plain, question.device)
    draws = RateDraws.of(question.device, DRAWS)
    model = question.budget.decoder, question.budget.params
    costs, _ = drawn_costs_of_models(question.device, sides.low.precisions, draws, *model)
    own = [sides.alone(i) for i in range(len(panel.members))]
    found = _by_laws(sides, own)
    return tuple(
        _one(k, sides, choice, found[k], [each[k] for each in own], (level, 1.0 / costs[:, k]))
        for k, choice in enumerate(asked)
    )


@dataclass(frozen=True)
class Drawn:
    """The break-even of one candidate by the laws that tell it, each as often as its weight says.

    Attributes
    ----------
    speed_up
        By the average of these laws.
    each, weights
        By each replicate of each law, or by the law itself where it has none, (S,), and the weights
        of these, adding up to one.
    is_point
        Whether no law has replicates.
    """

    speed_up: float
    each: Array
    weights: Array
    is_point: bool


@dataclass(frozen=True)
class Sides:
    """Candidates and bf16, which stands last in the panel, and what the budget leaves of each."""

    panel: Panel
    budget: Budget
    low: Space
    plain: Space
    device: Hardware

    def alone(self, i: int) -> list[LawBreakEven | None]:
        """The break-even of each candidate by one law; None where it tells no precisions apart."""
        member, views = self.panel.members[i], self.panel.views[i]
        able = [k for k in range(len(self.low)) if _tells(views[k]) and views[-1].sees]
        out: list[LawBreakEven | None] = [None] * len(self.low)
        if able:
            loss = [
                loss_of(member, member.values, levels_of(s.precisions), self.budget)
                for s in (self.low.pick(able), self.plain)
            ]
            speeds = _roots(loss[0], loss[1], (self.low.pick(able), self.plain), 1)[0]
            for k, speed in zip(able, speeds, strict=True):
                out[k] = LawBreakEven(member.law.name, float(speed), views[k].standing)
        return out

    def together(self, laws: frozenset[int], which: Sequence[int]) -> list[Drawn]:
        """The break-even of some candidates by some laws."""
        members = self.panel.taken(laws)
        counts = shares(members, REFITS)
        spaces = self.low.pick(which), self.plain
        loss = [mean_loss(members, counts, levels_of(s.precisions), self.budget) for s in spaces]
        mean = _roots(loss[0], loss[1], spaces, 1)[0]
        found, weights = [], []
        for m, rows in zip(members, counts, strict=True):
            c = m.chosen(rows)
            one = [loss_of(m, c, levels_of(s.precisions), self.budget) for s in spaces]
            found.append(_roots(one[0], one[1], spaces, len(rows)))
            weights += [m.weight / len(rows)] * len(rows)
        each, is_point = np.vstack(found), all(m.drawn is None for m in members)
        return [
            Drawn(float(mean[j]), each[:, j], np.array(weights), is_point)
            for j in range(len(which))
        ]


def _tells(view: View) -> bool:
    """Whether a law has a loss of its own for a precision."""
    return view.undefined is None and not view.is_blind and not view.unheld


def _by_laws(sides: Sides, own: Sequence[Sequence[LawBreakEven | None]]) -> list[Drawn | None]:
    """The break-even of each candidate by the laws that see it and bf16, else by those that read
    it; None without a law.
    """
    able = sides.panel.seers[-1]
    kinds: dict[frozenset[int], list[int]] = {}
    for k in range(len(sides.low)):
        laws, _ = sides.panel.readers(k)
        used = frozenset(i for i in laws & able if _tells(sides.panel.views[i][k]))
        kinds.setdefault(used, []).append(k)
    out: list[Drawn | None] = [None] * len(sides.low)
    for used, which in kinds.items():
        if not used:
            continue
        (first, *rest) = sorted(used)
        if not rest and sides.panel.members[first].drawn is None:
            # One law without replicates: its own answer.
            for k in which:
                one = own[first][k]
                speed = float("nan") if one is None else one.speed_up
                out[k] = Drawn(speed, np.full(1, speed), np.ones(1), True)
            continue
        for k, found in zip(which, sides.together(used, which), strict=True):
            out[k] = found
    return out


def _one(
    k: int,
    sides: Sides,
    choice: Choice,
    found: Drawn | None,
    by_law: Sequence[LawBreakEven | None],
    asked: tuple[float, Array],
) -> BreakEven:
    """The break-even of one candidate; asked are the level of its interval and draws of its
    speed-up.
    """
    standing = sides.panel.readers(k)[1]
    speed, ends, pays = float("nan"), NO_INTERVAL, float("nan")
    if found is not None:
        speed = found.speed_up
        if standing == "seen" and not found.is_point:
            ends = interval(found.each, found.weights, asked[0])
        if standing != "unknown":
            pays = float(np.mean(asked[1][:, None] > found.each, axis=0) @ found.weights)
    gain = sides.low.rates[k].speed_up
    if gain is None:
        raise ValueError(f"rate of '{choice.precision}' has no speed-up")
    return BreakEven(
        choice.precision, speed, ends, standing, tuple(each for each in by_law if each),
        (gain.least, gain.most), gain.figures, gain.sources, (gain.low, gain.middle, gain.high),
        gain.basis, pays, choice.probability if choice.standing == "seen" else float("nan"),
        is_one_class(sides.low.precisions[k], sides.device),
    )  # fmt: skip


def _roots(low: Loss, plain: Loss, spaces: tuple[Space, Space], rows: int) -> Array:
    """The speed-up at which the least loss meets that of bf16, by replicate and candidate, (S, m).

    False position with halved ends (Illinois) in the logs of speed-ups, all at once; where an end
    has no plan, its bracket is bisected. Zero and infinity where every speed that is looked at
    pays, and none.
    """
    space, of_bf16 = spaces
    target = search(plain, of_bf16, rows, endless=True).loss

    def over(log_speed: Array) -> Array:
        return search(low, _at_speed(space, log_speed), rows, endless=True).loss - target

    shape = (rows, len(space))
    slow, fast = np.full(shape, np.log(SLOWEST)), np.full(shape, np.log(FASTEST))
    above, below = over(slow), over(fast)
    always, never = above <= 0, ~(below <= 0)
    side = np.zeros(shape)
    for _ in range(TURNS):
        with np.errstate(all="ignore"):
            chord = (slow * below - fast * above) / (below - above)
        inside = np.isfinite(chord) & (chord > slow) & (chord < fast)
        at = np.where(inside, chord, 0.5 * (slow + fast))
        value = over(at)
        pays = value <= 0
        # The end that stays for the second time counts half, so that both ends close in.
        above = np.where(pays, np.where(side > 0, above / 2, above), value)
        below = np.where(pays, value, np.where(side < 0, below / 2, below))
        slow, fast = np.where(pays, slow, at), np.where(pays, at, fast)
        side = np.where(pays, 1, -1)
        if ((np.abs(value) < EQUAL) | (fast - slow < CLOSE) | always | never).all():
            break
    return np.asarray(np.where(never, np.inf, np.where(always, 0.0, np.exp(at))))


def _at_speed(space: Space, log_speed: Array) -> Space:
    """A space whose steps are so much faster than those of bf16, (S, n)."""
    cost = np.array([rate.cost for rate in space.rates])
    factor = np.exp(-log_speed) / cost
    spendings = tuple(
        replace(s, each=s.each * factor, once=np.broadcast_to(s.once, factor.shape))
        for s in space.spendings
    )
    return replace(space, spendings=spendings)
