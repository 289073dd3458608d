"""The search: params and tokens of least loss within a budget, for all precisions and replicates.

**One dimension is enough.** At one precision loss falls with params, so the best plan spends the
budget: it lies where N (each D + once) = budget, or at the most params that memory and speed allow.
Along the first, tokens follow from params, D(N) = (budget / N - once) / each, and the loss is a
function of u = log N alone. For every law of the algebra without an outer exponent it is a sum of
exponentials of u, hence convex; an outer exponent keeps the base convex in its logarithm. A grid
over u finds the valley, and safeguarded Newton steps on the exact derivative (jets pass through the
formula with u as the variable) its bottom. Whatever the kinks of maps and caps, a step that leaves
the bracket is replaced by bisection, so the end is a point where the derivative changes sign, or an
end of the range.

**More tokens can hurt.** A penalty that grows with tokens (rounding after training, Sun's law)
makes the loss turn up beyond a critical number of tokens. Where params are held or capped and the
derivative by log D is positive at the budget, the best plan leaves money unspent: the same search
then runs over log D.

**The theorem.** If cost is c N D g(P) and loss depends on (N f(P), D) alone and falls with both,
then with N_eff = N f the budget reads N_eff D = budget f / (c g): precision enters through f/g
alone, and the best P is the argmax of f/g at any budget, for any base. With a factor on tokens it
is the argmax of f_N f_D / g. A penalty that is added breaks it. The search knows nothing of this;
tests hold it to it. Reference: Kumar et al. 2024 (2411.04330), section 4.3 and appendix F,
corrected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isoloss.laws import Array, Jet, Value, plain
from isoloss.plans.problems import PlanError
from isoloss.plans.search.space import LEAST_PARAMS, LEAST_TOKENS, MOST_PARAMS, MOST_TOKENS, Space

#: (log params, log tokens) -> loss; arrays or jets of shape (S or 1, n), inf or NaN outside the
#: law's domain.
Loss = Callable[[Value, Value], Value]
#: Points of the grid that finds the valley, Newton steps at most, and where they stop (in log
#: params).
GRID, STEPS, TOLERANCE = 28, 60, 1e-11


@dataclass(frozen=True)
class Best:
    """The best params and tokens of S replicates at n precisions, and their loss.

    All of shape (S, n); the loss is infinite where no plan is defined.
    """

    params: Array
    tokens: Array
    loss: Array


def search(loss: Loss, space: Space, rows: int = 1, endless: bool = False) -> Best:
    """The least loss that the space allows, at each precision; arrays of shape (rows, n).

    Raises PlanError where no limit holds params or tokens and the loss falls for ever, unless the
    edge of the search may stand for it (``endless``).
    """
    shape = (rows, len(space))
    if space.tokens is not None:
        fixed = np.full(shape, space.tokens)
        most = np.broadcast_to(np.minimum(space.most_params(), space.cap), shape)
        params = np.array(most) if space.params is None else np.full(shape, space.params)
        return _finished(loss, space, params, fixed, endless)
    if space.params is not None:
        params = np.full(shape, space.params)
    else:
        high = np.broadcast_to(np.minimum(space.most_params(), space.cap), shape)
        params = minimise(lambda u: loss(u, space.frontier(u)), np.full(shape, LEAST_PARAMS), high)
    tokens = space.frontier(params)
    return _finished(loss, space, params, _fewer_tokens(loss, params, tokens), endless)


def minimise(f: Callable[[Value], Value], low: Array, high: Array) -> Array:
    """The arguments of least f between low and high, many at once; shape as low."""
    first, last = _bracket(f, low, np.maximum(low, high))
    # Where f rises from the lower end, or still falls at the upper one, that end is the answer.
    left = _slope(f, first)[0] >= 0
    right = ~left & (_slope(f, last)[0] <= 0)
    low, high, at = first, last, 0.5 * (first + last)
    step, done = last - first, left | right
    for _ in range(STEPS):
        slope, bend = _slope(f, at)
        low, high = np.where(slope < 0, at, low), np.where(slope < 0, high, at)
        with np.errstate(all="ignore"):
            newton = at - slope / bend
        safe = (
            (newton >= low)
            & (newton <= high)
            & (bend > 0)
            & (np.abs(newton - at) < 0.5 * np.abs(step))
        )
        new = np.where(safe, newton, 0.5 * (low + high))
        # One that has arrived stays: a step of its rounding errors alone would send it away again.
        step, at = np.where(done, step, new - at), np.where(done, at, new)
        done |= np.abs(step) < TOLERANCE
        if done.all():
            break
    return np.where(left, first, np.where(right, last, at))


def _bracket(f: Callable[[Value], Value], low: Array, high: Array) -> tuple[Array, Array]:
    """The neighbours of the best point of a grid between low and high."""
    best, at = np.full(low.shape, np.inf), np.zeros(low.shape, dtype=int)
    for k in range(GRID + 1):
        value = plain(f(low + (high - low) * (k / GRID)))
        better = value < best
        best, at = np.where(better, value, best), np.where(better, k, at)
    width = (high - low) / GRID
    return low + width * np.maximum(at - 1, 0), low + width * np.minimum(at + 1, GRID)


def _slope(f: Callable[[Value], Value], at: Array) -> tuple[Array, Array]:
    """The first and second derivative of f."""
    found = f(Jet(at, {0: np.ones(at.shape)}))
    first, second = found.grad.get(0, 0.0), found.hess.get((0, 0), 0.0)
    return np.broadcast_to(first, at.shape), np.broadcast_to(second, at.shape)


def _fewer_tokens(loss: Loss, params: Array, tokens: Array) -> Array:
    """The tokens of least loss up to those given: all unless the loss rises with the last."""
    rises = np.any(_slope(lambda y: loss(params, y), tokens)[0] > 0, axis=0)
    if not rises.any():
        return tokens
    best = minimise(lambda y: loss(params, y), np.full(tokens.shape, LEAST_TOKENS), tokens)
    return np.where(rises, best, tokens)


def _finished(loss: Loss, space: Space, params: Array, tokens: Array, endless: bool) -> Best:
    """The plan at params and tokens; infinite loss where it is not allowed or not defined."""
    value = plain(loss(params, tokens)) + np.zeros(params.shape)
    allowed = params <= np.minimum(space.most_params(), space.cap) + 1e-9
    good = np.isfinite(value) & allowed & (tokens >= LEAST_TOKENS - 1e-9)
    free = (
        ("params", space.params is None, np.exp(params), MOST_PARAMS - 1e-6),
        ("tokens", space.tokens is None, np.exp(tokens), MOST_TOKENS - 1e-6),
    )
    for name, is_free, counts, most in free:
        if is_free and not endless and (good & (np.log(counts) >= most)).any():
            raise PlanError(
                f"no {name} are best within the budget: the law's loss still falls at the most "
                "that are searched; its runs may not tell params from tokens (see the warnings of "
                f"the fit): fit more runs, or hold {name}"
                if space.limits_training
                else f"nothing limits {name}: the loss falls with them for ever; {NEEDED[name]}"
            )
    return Best(np.exp(params), np.exp(tokens), np.where(good, value, np.inf))


NEEDED = {
    "params": "give a budget that they cost (train, hours, money), memory or speed, or hold params",
    "tokens": "give a budget that they cost (train, hours or money) or hold tokens",
}
