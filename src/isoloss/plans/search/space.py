"""Limits of a budget on params and tokens, in the terms of each precision on a machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoloss.formats import Precision
from isoloss.laws import Array, Jet, Value, plain, select
from isoloss.plans.budget import Budget
from isoloss.plans.costs import (
    Hardware,
    Rate,
    RateDraws,
    bits_of,
    drawn_costs_of_models,
    kv_elements,
    weight_bits,
)
from isoloss.plans.problems import PlanError
from isoloss.plans.serving_rate import needed
from isoloss.runs import Mixture

#: Params and tokens outside these are no model: log of counts.
LEAST_PARAMS, MOST_PARAMS = np.log(1e3), np.log(1e17)
LEAST_TOKENS, MOST_TOKENS = np.log(1e3), np.log(1e20)

#: Costs of the precisions, (S, n), and FLOP/s of bf16, (S, 1), at draws of the rates.
Drawn = tuple[Array, Array] | None
#: Bytes of a model by params, precision and use.
Counted = Callable[[Value, Precision, Budget], Value]
#: What the limit on params by the memory of training is called.
TRAINING = "training memory"


@dataclass(frozen=True)
class Spending:
    """One limit of the form N (each D + once) <= most.

    Attributes
    ----------
    name
        The word of the budget: "train", "hours", "money".
    each, once
        Cost a param of one token and of serving, (n,) by precision, or (S, n) where rates are
        drawn.
    most
        What may be spent, in the unit of the limit.
    times
        How many times that held params and tokens may spend at the middle rates, (n,) or 1: more
        than once where some rate of their range keeps them within the limit (`feasible`).
    """

    name: str
    each: Array
    once: Array
    most: float
    times: float | Array = 1.0

    def spent(self, params: Value, tokens: Value) -> Array:
        """What params and tokens cost in the unit of the limit."""
        return np.asarray(params * (self.each * tokens + self.once))

    @property
    def allowed(self) -> float | Array:
        """What may be spent at the middle rates, by precision."""
        return self.most * self.times

    def pick(self, which: Sequence[int]) -> Spending:
        """The limit in the terms of some of the precisions, in the order given."""
        ks = list(which)
        times = self.times[ks] if isinstance(self.times, np.ndarray) else self.times
        return replace(self, each=self.each[..., ks], once=self.once[..., ks], times=times)


@dataclass(frozen=True)
class Space:
    """The params and tokens that are allowed, for n precisions at once.

    Attributes
    ----------
    precisions, rates
        The candidates and their training rates.
    spendings
        The limits on cost.
    cap, capped_by
        Log of the most params by memory, speed and the memory of training, (n,), and the name of
        the one that binds.
    params, tokens
        Held, as logs, or None.
    hours
        The device hours of training and of the tokens served, limited or not; None on a cost model.
    """

    precisions: tuple[Precision, ...]
    rates: tuple[Rate, ...]
    spendings: tuple[Spending, ...]
    cap: Array
    capped_by: tuple[str, ...]
    params: float | None
    tokens: float | None
    hours: Spending | None = None

    def __len__(self) -> int:
        return len(self.precisions)

    @property
    def limits_training(self) -> bool:
        """Whether some limit pays for params and for tokens."""
        return any(bool((s.each > 0).any()) for s in self.spendings)

    def take(self, k: int) -> Space:
        """The space of one of the precisions."""
        return self.pick([k])

    def pick(self, which: Sequence[int]) -> Space:
        """The space of some of the precisions, in the order given."""
        ks = list(which)
        spendings = tuple(s.pick(ks) for s in self.spendings)
        return Space(
            tuple(self.precisions[k] for k in ks), tuple(self.rates[k] for k in ks), spendings,
            self.cap[ks], tuple(self.capped_by[k] for k in ks), self.params, self.tokens,
            None if self.hours is None else self.hours.pick(ks),
        )  # fmt: skip

    def frontier(self, log_params: Value) -> Value:
        """Log of the most tokens that the budget leaves at log params, an array or jet (S, n)."""
        most: Value = np.full(np.shape(plain(log_params)), MOST_TOKENS)
        with np.errstate(all="ignore"):
            for s in self.spendings:
                each = np.where(s.each > 0, s.each, 1.0)
                left = np.log(s.allowed * np.exp(-1.0 * log_params) - s.once) - np.log(each)
                # A limit that tokens do not touch is one on params alone, which the search holds
                # already.
                most = np.minimum(most, select(s.each > 0, _bounded(left), float(MOST_TOKENS)))
        return most

    def most_params(self) -> Array:
        """Log of the most params that leave the held tokens, or a thousand of them, (n,)."""
        tokens = np.exp(LEAST_TOKENS if self.tokens is None else self.tokens)
        most = np.array(self.cap)
        for s in self.spendings:
            most = np.minimum(most, np.log(s.allowed) - np.log(s.each * tokens + s.once))
        return most


def drawn_space(space: Space, budget: Budget, machine: Hardware, draws: RateDraws) -> Space:
    """A space with costs at S draws of the rates of its machine in place of the middle ones."""
    model = budget.decoder, budget.params
    costs, base = drawn_costs_of_models(machine, space.precisions, draws, *model)
    spendings = spendings_of(budget, machine, space.precisions, space.rates, (costs, base))
    hours = device_hours(budget, machine, space.precisions, space.rates, (costs, base))
    return replace(space, spendings=tuple(spendings), hours=hours)


def spendings_of(
    budget: Budget,
    machine: Hardware,
    precisions: Sequence[Precision],
    rates: Sequence[Rate],
    drawn: Drawn = None,
) -> list[Spending]:
    """The limits of a budget on compute, hours and money, in the terms of each precision, at the
    middle rates or at `drawn` ones.

    Raises PlanError for hours, money and a price on a machine that is no device.
    """
    timed = [name for name in ("hours", "money", "price") if getattr(budget, name) is not None]
    if timed and machine.is_abstract:
        raise PlanError(
            f"hours and money need a device with rates, and {machine.name} is a cost model, so "
            f"{timed[0]} would count for nothing; name one, as h100"
        )
    if machine.is_free_to_train:
        if budget.train is None:
            return []
        bits = np.array([weight_bits(p, budget.decoder, budget.params) for p in precisions])
        return [Spending("train", np.zeros(len(bits)), bits, budget.train)]
    each, once = _bf16_flops(budget, machine, precisions, rates, drawn)
    out = [] if budget.train is None else [Spending("train", each, once, budget.train)]
    if not timed:
        return out
    hours = device_hours(budget, machine, precisions, rates, drawn)
    if budget.hours is not None and budget.devices is not None:
        out.append(replace(hours, name="hours", most=budget.hours * budget.devices))
    if budget.money is not None and budget.price is not None:
        out.append(replace(hours, name="money", most=budget.money / budget.price))
    return out


def device_hours(
    budget: Budget,
    machine: Hardware,
    precisions: Sequence[Precision],
    rates: Sequence[Rate],
    drawn: Drawn = None,
) -> Spending:
    """The device hours of training and of the tokens served, without a limit, on a device."""
    each, once = _bf16_flops(budget, machine, precisions, rates, drawn)
    hours = 1.0 / (3600.0 * (machine.level.middle if drawn is None else drawn[1]))
    return Spending("device hours", each * hours, once * hours, float("inf"))


def _bf16_flops(
    budget: Budget,
    machine: Hardware,
    precisions: Sequence[Precision],
    rates: Sequence[Rate],
    drawn: Drawn,
) -> tuple[Array, Array]:
    """FLOPs of bf16 a param, of one token of training and of all that are served, by precision.

    On a device tokens served take time at the budget's rate of serving, the same in every precision
    and whatever training reaches; on a cost model 2 N FLOPs a token at the cost of the precision.

    Raises PlanError where tokens are served on a device and nothing says how fast.
    """
    costs = np.array([r.cost for r in rates]) if drawn is None else drawn[0]
    if budget.served is None:
        return 6.0 * costs, np.zeros(len(precisions))
    if machine.is_abstract:
        if budget.serve_rate is not None:
            raise PlanError(
                f"serve_rate needs a device with rates, and {machine.name} is a cost model, so it "
                "would count for nothing; name one, as h100"
            )
        return 6.0 * costs, 2.0 * budget.served * np.array([r.cost for r in rates])
    if budget.serve_rate is None:
        raise PlanError(needed(budget.served, machine.name))
    base = machine.level.middle if drawn is None else drawn[1]
    seconds = budget.served / budget.serve_rate
    return 6.0 * costs, np.asarray(seconds * base * np.ones(len(precisions)))


def caps_of(
    budget: Budget, machine: Hardware, precisions: Sequence[Precision]
) -> tuple[Array, tuple[str, ...]]:
    """Log of the most params that memory, speed and the memory of training allow, and which
    binds.
    """
    cap = np.full(len(precisions), MOST_PARAMS)
    by = ["params"] * len(precisions)
    limits: dict[str, tuple[float | None, Counted]] = {"memory": (budget.memory, serving_bytes)}
    if budget.speed is not None:
        if machine.is_abstract and machine.bandwidth == float("inf"):
            raise PlanError(
                f"speed needs a device with bandwidth, and {machine.name} is a cost model; "
                "name one, as h100"
            )
        most_read = machine.bandwidth * budget.serving_devices / budget.speed
        limits["speed"] = (most_read, decoding_bytes)
    if training_bytes(1e9, budget, machine) >= 0:
        limits[TRAINING] = machine.memory, lambda n, _, use: training_bytes(float(n), use, machine)
    for name, (most, counted) in limits.items():
        if most is not None:
            for k, precision in enumerate(precisions):
                found = _most_params(most, budget, precision, counted)
                if found < cap[k]:
                    cap[k], by[k] = found, name
    return cap, tuple(by)


def serving_bytes(params: Value, precision: Precision, budget: Budget) -> Value:
    """Bytes of weights as served, scales counted, and of keys and values of the sequences."""
    weight = weight_bits(precision, budget.decoder, budget.params)
    kept = bits_of(precision.format("kv", "serve"))
    if budget.decoder is not None:
        return budget.decoder.weight_bytes(precision) + budget.decoder.kv_bytes(
            budget.context, budget.batch, precision
        )
    whole = params if budget.all_params is None else budget.all_params
    return (whole * weight + kv_elements(params) * budget.context * budget.batch * kept) / 8.0


def decoding_bytes(params: Value, precision: Precision, budget: Budget) -> Value:
    """Bytes that one step of decoding reads: as `serving_bytes`, without the table of embeddings of
    a known shape (the assumed one counts no embeddings).
    """
    shape, whole = budget.decoder, budget.all_params
    if shape is None and whole is None:
        return serving_bytes(params, precision, budget)
    if shape is None:
        # Experts of unknown size: each sequence reads its own, until all are read.
        idle = max(0.0, float(whole or 0.0) - float(plain(params)) * budget.batch)
        return (
            serving_bytes(params, precision, budget)
            - idle * weight_bits(precision, None, budget.params) / 8.0
        )
    kept = shape.kv_bytes(budget.context, budget.batch, precision)
    if isinstance(shape, Mixture):
        return shape.read_bytes(precision, budget.batch) + kept
    return shape.read_bytes(precision) + kept


def training_bytes(params: float, budget: Budget, machine: Hardware) -> float:
    """Bytes that training keeps on each device, by the budget's rule; NaN where devices are not
    known or nothing limits them. The precision of products is none of it: weights, gradients and
    Adam's state are kept in the formats of the rule.
    """
    rule = budget.training_memory
    if budget.devices is None or rule is None or machine.is_abstract:
        return float("nan")
    return rule.bytes_each(params, budget.devices, budget.decoder, budget.all_params)


def _most_params(most: float, budget: Budget, precision: Precision, counted: Counted) -> float:
    """Log of the params of which `counted` gives just `most` bytes, by bisection."""
    low, high = LEAST_PARAMS - 20.0, MOST_PARAMS
    if counted(np.exp(high), precision, budget) <= most:
        return float(high)
    for _ in range(80):
        middle = 0.5 * (low + high)
        fits = counted(np.exp(middle), precision, budget) <= most
        low, high = (middle, high) if fits else (low, middle)
    return float(low)


def _bounded(value: Value) -> Value:
    """NaN (no tokens are left) as the least number of tokens, beyond what searches reach."""
    if isinstance(value, Jet):
        bad = ~np.isfinite(value.value)
        return Jet(
            np.where(bad & ~(value.value > 0), LEAST_TOKENS - 30.0, value.value),
            {i: np.where(bad, 0.0, g) for i, g in value.grad.items()},
            {i: np.where(bad, 0.0, h) for i, h in value.hess.items()},
        )
    return np.where(np.isnan(value) | (value < LEAST_TOKENS - 30.0), LEAST_TOKENS - 30.0, value)
