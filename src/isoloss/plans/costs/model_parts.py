"""Rates and bits of a precision whose matrices differ: `w:nvfp4 w.last4:bf16`, by their shares.

The shares are those of a shape where one is given. Without one, attention is a third of the blocks
and the feed-forward layer two thirds, as in the count 12 layers width^2; blocks need a shape, or
params that are held. The head is outside of the 6 N D that costs are made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from isoloss.formats import Precision
from isoloss.laws import Array
from isoloss.plans.costs.achieved import LEAST_SURE, Range
from isoloss.plans.costs.hardware import Hardware
from isoloss.plans.costs.rates import Rate, RateDraws, drawn_costs, rate_of
from isoloss.plans.costs.shapes import bits_of, decoder_of
from isoloss.plans.problems import PlanError
from isoloss.runs import ENDS, Decoder, Matrix, Mixture, RunsError, names_in, own_precisions


@dataclass(frozen=True)
class Portion:
    """Matrices of one precision.

    Attributes
    ----------
    precision
        Theirs, without names of matrices.
    active, kept
        Their share of the params that one token uses, and of all.
    """

    precision: Precision
    active: float
    kept: float


@lru_cache(maxsize=1024)
def portions_of(
    precision: Precision, shape: Decoder | Mixture | None = None, params: float | None = None
) -> tuple[Portion, ...]:
    """The precisions of a model's matrices, with their shares.

    Parameters
    ----------
    precision
        Of the model.
    shape
        Of the model, where it is known.
    params
        Its params, where they are held and the shape is not known.

    Raises
    ------
    PlanError
        A name is none of those accepted, or names blocks where neither shape nor params are known.
    """
    try:
        names = names_in(precision)
        if not names:
            whole = own_precisions(precision, [Matrix((), 0, 1.0, 1.0)], 1)
            return (Portion(next(iter(whole)), 1.0, 1.0),)
        own = own_precisions(precision, *_matrices(names, precision, shape, params))
    except RunsError as error:
        raise PlanError(f"'{precision}': {error}") from error
    kept, active = (sum(each[i] for each in own.values()) for i in (0, 1))
    return tuple(Portion(p, each[1] / active, each[0] / kept) for p, each in own.items())


def ends_of(precision: Precision) -> tuple[Precision, ...]:
    """The precisions of head and embedding where these are set apart, without names."""
    own = [Matrix((name,), 0, 1.0, 1.0) for name in ENDS]
    named = {scope.split(".")[1] for scope in (*precision.train, *precision.serve) if "." in scope}
    return tuple(
        next(iter(own_precisions(_without_names(precision), [each], 1)))
        for each in own
        if each.names[0] in named
    )


def _without_names(precision: Precision) -> Precision:
    """A precision with no names but those of head and embedding."""
    stages = (
        {s: f for s, f in stage.items() if not set(s.split(".")[1:]) & set(names_in(precision))}
        for stage in (precision.train, precision.serve)
    )
    return Precision(*stages)


def _matrices(
    names: Sequence[str],
    precision: Precision,
    shape: Decoder | Mixture | None,
    params: float | None,
) -> tuple[list[Matrix], int]:
    """The matrices that the names are of, and the number of blocks."""
    if shape is None:
        if params is None and any(name.startswith(("first", "last")) for name in names):
            raise PlanError(
                f"'{precision}' sets blocks apart, whose share depends on how many there are; give "
                "a shape (--like, --decoder) or hold params"
            )
        layers = 1 if params is None else decoder_of(params).layers
        # Of the count 12 layers width^2 four are attention's and eight the feed-forward layer's.
        shape = Decoder(layers, 768, 6, 1, ffn=2048)
    return list(shape.matrices), shape.layers


def rate_of_model(
    machine: Hardware,
    precision: Precision,
    shape: Decoder | Mixture | None = None,
    params: float | None = None,
) -> Rate:
    """The training rate of a precision whose matrices may differ: time adds up by share.

    Parameters
    ----------
    machine
        A device or cost model.
    precision, shape, params
        As for `portions_of`.

    Raises
    ------
    PlanError
        As for `portions_of` and `rate_of`.
    """
    portions = portions_of(precision, shape, params)
    if str(precision.trained) in machine.measured:
        return rate_of(machine, precision)
    if len(portions) == 1:
        return rate_of(machine, portions[0].precision)
    rates = [rate_of(machine, each.precision) for each in portions]
    shares = [each.active for each in portions]
    cost = float(np.dot(shares, [r.cost for r in rates]))
    how = _shares_in_words(portions, rates)
    if machine.is_abstract:
        return replace(rates[0], cost=cost, how=how)
    whole = rates[0] if len({r.how for r in rates}) == 1 else _mixed(machine, rates, shares)
    seen = {f: r for each in rates for f, r in zip(each.emulated, each.runs_in, strict=True)}
    return replace(whole, cost=cost, how=how, emulated=tuple(seen), runs_in=tuple(seen.values()))


def _shares_in_words(portions: Sequence[Portion], rates: Sequence[Rate]) -> str:
    """Where a rate is from, and which shares of the FLOPs run in other precisions."""
    first = max(range(len(rates)), key=lambda k: portions[k].active)
    others = [p for k, p in enumerate(portions) if k != first]
    told = ", ".join(f"{100 * p.active:.3g}% of the FLOPs as '{p.precision}'" for p in others)
    return f"{rates[first].how}; {told}"


def _mixed(machine: Hardware, rates: Sequence[Rate], shares: Sequence[float]) -> Rate:
    """The rate of a step of which shares run at several rates."""
    gains = [r.speed_up or Range.point(1.0, r.basis) for r in rates]
    low, middle, high = (
        1.0 / float(np.dot(shares, [1.0 / getattr(g, end) for g in gains]))
        for end in ("low", "middle", "high")
    )
    first = min(gains, key=lambda g: (g.is_point, LEAST_SURE.index(g.basis)))
    gain = replace(first, low=low, middle=middle, high=high)
    flops = 1.0 / float(np.dot(shares, [1.0 / r.flops for r in rates]))
    whole = machine.level.along(gain)
    ends = (flops, flops)
    if not all(r.is_point for r in rates):
        ends = (whole.low * flops / whole.middle, whole.high * flops / whole.middle)
    basis = min((r.basis for r in rates), key=LEAST_SURE.index)
    return replace(rates[0], flops=flops, interval=ends, speed_up=gain, basis=basis)


def drawn_costs_of_models(
    machine: Hardware,
    precisions: Sequence[Precision],
    draws: RateDraws,
    shape: Decoder | Mixture | None = None,
    params: float | None = None,
) -> tuple[Array, Array]:
    """As `drawn_costs`, of precisions whose matrices may differ."""
    parts = [portions_of(p, shape, params) for p in precisions]
    flat = [each.precision for portions in parts for each in portions]
    costs, base = drawn_costs(machine, flat, draws)
    columns, at = [], 0
    for k, portions in enumerate(parts):
        own = costs[:, at : at + len(portions)] @ np.array([each.active for each in portions])
        if str(precisions[k].trained) in machine.measured:
            own = drawn_costs(machine, [precisions[k]], draws)[0][:, 0]
        columns.append(own)
        at += len(portions)
    return np.stack(columns, axis=1), base


def weight_bits(
    precision: Precision, shape: Decoder | Mixture | None = None, params: float | None = None
) -> float:
    """Bits an element of the blocks' weights as served, averaged over all params."""
    portions = portions_of(precision, shape, params)
    return sum(each.kept * bits_of(each.precision.format("w", "serve")) for each in portions)
