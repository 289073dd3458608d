"""The numbers behind the figures of a plan, computed when first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Precision
from isoloss.laws import Array, Box, DomainError, plain
from isoloss.plans.critical import critical_of
from isoloss.plans.doubt import NO_INTERVAL, interval
from isoloss.plans.evidence.charts import Charts, Curve, Frontier, Served, Serving, Surface
from isoloss.plans.evidence.choices import Choice
from isoloss.plans.evidence.question import Question
from isoloss.plans.search import (
    MOST_PARAMS,
    Loss,
    Space,
    levels_of,
    mean_loss,
    replanned,
    search,
    thinned,
)

#: Points of the grid a side, of the line of a budget, of a frontier and of a curve of serving.
GRID, LINE, COSTS, POINTS = 60, 161, 25, 61
#: Budgets whose limits are drawn, and how far a frontier reaches, in budgets.
FACTORS, REACH = (0.01, 0.1, 1.0, 10.0), (0.01, 10.0)
#: Bootstrap replicates behind a figure, runs shown in it, and precisions with a curve of their own.
REFITS, RUNS, CURVES = 120, 400, 5
#: How far around the plan the grid reaches, as factors of its params and tokens; regions of runs
#: widen it to WIDEST.
AROUND, WIDEST = (1 / 30, 12.0), (1 / 1000, 100.0)
TOKENS_PER_PARAM = (1.0, 1e5)


def charts_of(
    question: Question, choices: Sequence[Choice], surface: Surface, frontier: Frontier | None
) -> Charts:
    """The charts of a plan whose choices are given, best first, some of them made already."""
    return Charts(
        surface,
        frontier,
        _serving(question, _seen(question, choices)),
        _regions(question),
        *_runs(question),
    )


def surface_of(question: Question, choices: Sequence[Choice]) -> Surface:
    """The expected loss around the first choice, in its precision."""
    return _surface(question, choices[0], _regions(question))


def frontier_of(question: Question, choices: Sequence[Choice], level: float) -> Frontier | None:
    """The least expected loss at each cost; None where no cost is limited, or no law sees it."""
    names = contrasting([c.precision for c in _seen(question, choices)])
    return _frontier(question, names, choices[0], level)


def _seen(question: Question, choices: Sequence[Choice]) -> list[Choice]:
    """The choices that the laws of the first one see: no curve is by other laws."""
    asked = {str(p) for p in question.space.precisions}
    return [c for c in choices if c.precision in asked]


def _regions(question: Question) -> tuple[Box, ...]:
    """The regions of the runs behind the laws."""
    return tuple(m.law.box for m in question.members if m.law.box is not None)


def contrasting(names: Sequence[str]) -> list[str]:
    """The first precision of each number of bits, 16 and more counting as one."""
    first: dict[float, str] = {}
    for name in names:
        p = Precision(name)
        bits = min((f.bits for f in (*p.train.values(), *p.serve.values())), default=16.0)
        first.setdefault(min(float(bits), 16.0), name)
    kept = list(first.values())
    wide = [first[16.0]] if 16.0 in first and first[16.0] not in kept[:CURVES] else []
    return kept[: CURVES - len(wide)] + wide


def _surface(question: Question, best: Choice, regions: Sequence[Box]) -> Surface:
    """The expected loss around the best plan, in its precision."""
    precision, k = Precision(best.precision), _index(question, best.precision)
    held = np.isfinite(question.drawn.loss[:, k])
    cloud = question.drawn.params[held, k], question.drawn.tokens[held, k]
    if best.is_point:  # draws of the rates may leave the plan of a law where it is
        places = np.unique(np.round(np.log(np.column_stack(cloud)), 9), axis=0)
        cloud = np.exp(places[:, 0]), np.exp(places[:, 1])
    params = _around(best.params, cloud[0], [box.params for box in regions])
    tokens = _around(best.tokens, cloud[1], [box.tokens for box in regions])
    u, y = (v.reshape(1, -1) for v in np.meshgrid(np.log(params), np.log(tokens), indexing="ij"))
    loss = plain(_expected(question, [precision] * u.size)(u, y)).reshape(GRID, GRID)
    loss = np.full(loss.shape, np.nan) if best.standing == "unknown" else loss
    space = question.space.take(k)
    line = np.geomspace(params[0], params[-1], LINE)
    factors = FACTORS if space.spendings else ()
    limits = np.array([_limit(space, f, line) for f in factors]).reshape(len(factors), LINE)
    shown = _some(len(cloud[0]), REFITS)
    return Surface(
        best.precision,
        params,
        tokens,
        np.where(np.isfinite(loss), loss, np.nan),
        factors,
        line,
        limits,
        float(np.exp(space.cap[0])),
        cloud[0][shown],
        cloud[1][shown],
        space.capped_by[0],
    )


def _limit(space: Space, factor: float, params: Array) -> Array:
    """The most tokens that a multiple of the budget leaves, near 1 where it pays for no model."""
    some = _scaled(replace(space, cap=np.full(1, MOST_PARAMS), tokens=None), (factor,))
    log_params = np.log(params)
    tokens = plain(some.frontier(log_params[:, None]))[:, 0]
    return np.exp(np.where(log_params > some.most_params(), 0.0, tokens))


def _around(at: float, cloud: Array, regions: Sequence[tuple[float, float]]) -> Array:
    """A grid of counts around a value, a cloud of others, and the regions of runs nearby."""
    low, high = at * AROUND[0], at * AROUND[1]
    for ends in (*regions, (cloud.min(), cloud.max())) if len(cloud) else regions:
        low, high = min(low, ends[0] / 1.3), max(high, ends[1] * 1.3)
    return np.geomspace(max(low, at * WIDEST[0]), min(high, at * WIDEST[1]), GRID)


def _frontier(
    question: Question, names: Sequence[str], best: Choice, level: float
) -> Frontier | None:
    """The best of some precisions at multiples of the budget; None where no cost is limited, or
    no law sees them."""
    space = question.space
    is_held = space.params is not None and space.tokens is not None
    if not space.spendings or is_held or best.standing == "unknown":
        return None
    binding = [s for s in space.spendings if s.name in best.binding]
    asked, unit = _cost(question, (binding or list(space.spendings))[0].name)
    factors = np.geomspace(*REACH, COSTS)
    ks = [_index(question, name) for name in names]
    wide = _several([_scaled(space.take(k), factors) for k in ks])
    levels, counts = levels_of(wide.precisions), thinned(question.members, question.counts, REFITS)
    mean = search(mean_loss(question.members, counts, levels, question.budget), wide)
    drawn, weights = replanned(question.members, counts, levels, question.budget, wide)
    known = np.isfinite(mean.loss[0])
    is_point = all(m.drawn is None for m in question.members)
    ends = [
        NO_INTERVAL if is_point else interval(drawn.loss[held, j], weights[held], level)
        for j, held in enumerate(np.isfinite(drawn.loss).T)
    ]
    low, high = (np.array(v) for v in zip(*ends, strict=True))
    values = [mean.params[0], mean.tokens[0], mean.loss[0], low, high]
    rows = [np.where(known, v, np.nan).reshape(len(ks), COSTS) for v in values]
    curves = tuple(Curve(name, *(v[i] for v in rows)) for i, name in enumerate(names))
    return Frontier(unit, asked * factors, asked, curves)


def _serving(question: Question, choices: Sequence[Choice]) -> Serving | None:
    """Loss against tokens for what is rounded after training; None where no candidate is."""
    names = contrasting([c.precision for c in choices if Precision(c.precision).serve])
    if not names:
        return None
    after = [Precision(name) for name in names]
    before = list(dict.fromkeys(p.trained for p in after))
    params = choices[0].params
    tokens = params * np.geomspace(*TOKENS_PER_PARAM, POINTS)
    served = [_served(question, p, params, tokens) for p in (*before, *after)]
    return Serving(params, tokens, tuple(served[: len(before)]), tuple(served[len(before) :]))


def _served(question: Question, precision: Precision, params: float, tokens: Array) -> Served:
    try:
        many = _expected(question, [precision] * len(tokens))
        loss = plain(many(np.full((1, len(tokens)), np.log(params)), np.log(tokens)[None, :]))[0]
        critical = critical_of(_expected(question, [precision]), params)
    except DomainError:
        return Served(str(precision), np.full(len(tokens), np.nan), float("nan"))
    return Served(str(precision), np.asarray(loss), critical)


def _expected(question: Question, precisions: Sequence[Precision]) -> Loss:
    """The loss averaged over laws and some replicates of each, at one precision a column."""
    return mean_loss(
        question.members,
        thinned(question.members, question.counts, REFITS),
        levels_of(precisions),
        question.budget,
    )


def _scaled(space: Space, factors: Sequence[float] | Array) -> Space:
    """One precision under several multiples of the budget: n copies, each with its own cost."""
    f = np.asarray(factors, dtype=float)
    spendings = tuple(
        replace(s, each=s.each / f, once=s.once / f, times=1.0) for s in space.spendings
    )
    n = len(f)
    return Space(
        space.precisions * n,
        space.rates * n,
        spendings,
        np.repeat(space.cap, n),
        space.capped_by * n,
        space.params,
        space.tokens,
    )


def _several(spaces: Sequence[Space]) -> Space:
    """Spaces under the same limits, side by side."""
    first = spaces[0]
    spendings = tuple(
        replace(
            s,
            each=np.concatenate([other.spendings[i].each for other in spaces]),
            once=np.concatenate([other.spendings[i].once for other in spaces]),
        )
        for i, s in enumerate(first.spendings)
    )
    return Space(
        tuple(p for s in spaces for p in s.precisions),
        tuple(r for s in spaces for r in s.rates),
        spendings,
        np.concatenate([s.cap for s in spaces]),
        tuple(by for s in spaces for by in s.capped_by),
        first.params,
        first.tokens,
    )


def _cost(question: Question, name: str) -> tuple[float, str]:
    """What a limit allows, in the unit that people write it in, and that unit."""
    most = next(s.most for s in question.space.spendings if s.name == name)
    paid = question.budget.served and not question.device.is_free_to_train
    also = ", serving included" if paid else ""
    if name == "money" and question.budget.price is not None:
        unit = f"money ({question.budget.currency})" if question.budget.currency else "money"
        return most * question.budget.price, unit + also
    if name == "hours":
        return most, "device hours" + also
    return most, question.device.train_unit + also


def _runs(question: Question) -> tuple[Array, Array]:
    """Params and tokens of the runs that the laws were fitted to, each place once."""
    fits = [m.fit.points for m in question.members if m.fit is not None]
    rows = [np.column_stack([p.params, p.tokens])[~p.held_out] for p in fits]
    places = np.unique(np.concatenate(rows), axis=0) if rows else np.zeros((0, 2))
    places = places[_some(len(places), RUNS)]
    return places[:, 0], places[:, 1]


def _some(count: int, most: int) -> NDArray[np.intp]:
    """The places of at most so many of a count, evenly chosen."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.intp))


def _index(question: Question, name: str) -> int:
    """Which of the candidates has a name."""
    return [str(p) for p in question.space.precisions].index(name)
