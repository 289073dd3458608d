"""Where the moments of the iterate stand at some step, and how one quantised step moves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.exact.step_operator import Operator
from isoloss.linear.update_rules import Coefficients

Array = NDArray[np.float64]


@dataclass(frozen=True)
class State:
    """Means and variances of v = w - c before step t, and those of the sum of v_s over s < t;
    arrays (P, n).

    mean, var: of v_t. total, var_total: mean and variance of the sum. cov: of the sum with v_t.
    With momentum also the mean `speed` of u_t, var_speed of u_t, cov_speed of u_t with v_t, and
    cov_total of u_t with the sum; None without.
    """

    mean: Array
    var: Array
    total: Array
    var_total: Array
    cov: Array
    speed: Array | None = None
    var_speed: Array | None = None
    cov_speed: Array | None = None
    cov_total: Array | None = None

    def rows(self, chosen: NDArray[np.intp] | slice) -> State:
        """The state of some points only."""
        return state_of([None if each is None else each[chosen] for each in self.arrays()])

    def arrays(self) -> tuple[Array | None, ...]:
        """The arrays in their order."""
        return tuple(getattr(self, name) for name in State.__dataclass_fields__)


def state_of(arrays: Sequence[Array | None]) -> State:
    """The state of arrays in their order."""
    return State(*arrays)  # type: ignore[arg-type]


def start(op: Operator, momentum: bool) -> State:
    """The state at w_0 = 0: v_0 = -c for sure, nothing summed, no speed."""
    zero = np.zeros_like(op.h)
    still = zero if momentum else None
    return State(-op.centre, zero, zero, zero, zero, still, still, still, still)


class Seen(NamedTuple):
    """How a step sees w where it is rounded to the nearest number: Q(w) - c = slope v + offset +
    noise, (P, n).
    """

    slope: Array
    offset: Array
    noise: Array


def shock(op: Operator, mean: Array, var: Array) -> Array:
    """The variance of the stochastic gradient over all that is random, its mean h m taken off; (P,
    n).
    """
    # M = E v^2 on the diagonal, (P, n).
    squares = var + mean * mean
    # The rank-one term: one number a point, which couples all coordinates.
    pull = op.rho * op.total(op.h * squares) + op.total(op.eta * mean)
    return op.d * squares - (op.h * mean) ** 2 + op.beta * mean + op.h * pull + op.k


def stepped(
    at: State,
    op: Operator,
    gamma: Array,
    rule: Coefficients,
    summing: bool,
    seen: Seen | None = None,
) -> State:
    """The state one step later; gamma and the rule (P, 1) or numbers. Source: derived."""
    # Where the parameter is rounded to nearest, the gradient is taken at Q(w) and not at w: mean
    # and variance as the step sees them differ from those that it moves.
    gh, mean, var = gamma * op.h, at.mean, at.var
    if seen is not None:
        mean, var = seen.slope * mean + seen.offset, seen.slope**2 * var + seen.noise
    # `added` is the variance of the whole stochastic gradient, its part through v included, so V+
    # is V - 2 gamma h V + added and not (1 - gamma h)^2 V + added.
    added, push = gamma**2 * shock(op, mean, var), gh * mean
    gh = gh if seen is None else gh * seen.slope
    if at.speed is None:
        mean, var = at.mean - push, at.var - 2 * gh * at.var + added
        if not summing:
            return replace(at, mean=mean, var=var)
        return State(
            mean,
            var,
            at.total + at.mean,
            at.var_total + 2 * at.cov + at.var,
            # cov+ = cov(sum + v, v+), and v+ = (1 - gamma h) v + noise that is new.
            (at.cov + at.var) - gh * (at.cov + at.var),
        )
    return _ruled(at, rule, gh, push, added, summing)


def _ruled(
    at: State, rule: Coefficients, gh: Array, push: Array, added: Array, summing: bool
) -> State:
    """One step of a rule with a state u of its own; `push` is the mean of the gradient, `added` its
    whole variance.
    """
    speed, var_speed, cov_speed, cov_total = (
        _there(each) for each in (at.speed, at.var_speed, at.cov_speed, at.cov_total)
    )
    # u+ = b u - g and v+ = v + c u+ - d g; second moments of (v, u) and of both with the sum.
    b, c, d = rule
    speed = b * speed - push
    after = b * b * var_speed - 2 * b * gh * cov_speed + added
    # cov(v, u+) before the new noise, which is independent of v.
    drift = b * cov_speed - gh * at.var
    joined = at.cov + at.var
    cov_total = b * (cov_total + cov_speed) - gh * joined
    mean, var = at.mean + c * speed, at.var + 2 * c * drift + c * c * after
    both, cov = drift + c * after, joined + c * cov_total
    if not rule.heavy:
        # cov(u+, g), cov(v, g) = gamma h V, and var g = added.
        pulled = b * gh * cov_speed - added
        mean, var = (
            mean - d * push,
            var - 2 * d * gh * at.var - 2 * c * d * pulled + d * d * added,
        )
        both, cov = both - d * pulled, cov - d * gh * joined
    if not summing:
        return replace(at, mean=mean, var=var, speed=speed, var_speed=after, cov_speed=both)
    return State(
        mean,
        var,
        at.total + at.mean,
        at.var_total + 2 * at.cov + at.var,
        cov,
        speed,
        after,
        both,
        cov_total,
    )


def _there(array: Array | None) -> Array:
    if array is None:
        raise AssertionError("a rule with a state of its own has a speed")
    return array
