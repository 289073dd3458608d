"""Where walks begin: shapes drawn from their ranges, amplitudes solved from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.optimize import nnls

from isoloss.fits.solve.objective import ROUNDING
from isoloss.fits.solve.problem import Problem
from isoloss.fits.solve.solver import Solution, solve
from isoloss.laws import Array, Constant, plain

#: Huber deltas, as multiples of the last one, through which a walk is led from least squares to the
#: robust optimum.
LEAD = (30.0, 5.0)
#: Outer exponents at which walks start, beside those drawn from their range.
KAPPAS = (0.15, 0.3, 0.5, 0.7, 1.0)
#: Steps of walks that only lead to the walks that count.
ROUGH = 60
#: How much more than the least objective a walk has, relatively, that may still become the best.
NEAR = 0.01
#: Turns between the constants and the scale of the residuals at most; two or three are usual.
TURNS = 10


def draw(problem: Problem, count: int, rng: np.random.Generator) -> Array:
    """Starts (count, p): a Latin hypercube over shape constants, amplitudes solved from each."""
    free = problem.coordinates.free
    grid = (
        np.argsort(rng.random((len(free), count)), axis=1) + rng.random((len(free), count))
    ) / count
    columns = {k.name: _between(k, grid[i]) for i, k in enumerate(free)}
    outer = [k for k in free if k.name.partition("[")[0] == "kappa"]
    # The valleys of different outer exponents are narrow, so half of the walks start in each.
    for k in outer:
        inside = [v for v in KAPPAS if k.lower <= v <= k.upper]
        if inside:
            columns[k.name][::2] = np.resize(inside, -(-count // 2))
    return with_amplitudes(problem, columns, grid, count)


def with_amplitudes(
    problem: Problem,
    shapes: Mapping[str, Array],
    share: Array | None = None,
    count: int | None = None,
) -> Array:
    """Starts (S, p) from shape constants, each of shape (S,); amplitudes follow from losses."""
    coordinates = problem.coordinates
    count = len(next(iter(shapes.values()))) if count is None else count
    begin = [
        {
            k.name: float(shapes[k.name][s]) if k.name in shapes else k.start[0]
            for k in coordinates.free
        }
        for s in range(count)
    ]
    shares = np.full(count, 0.5) if share is None or not len(share) else share[0]
    found = _amplitudes(problem, np.array([coordinates.theta(v) for v in begin]), shares)
    theta = [coordinates.theta(v | own) for v, own in zip(begin, found, strict=True)]
    return np.clip(np.array(theta), coordinates.lower, coordinates.upper)


def descend(problem: Problem, theta: Array, tolerance: float = 1e-9) -> tuple[Problem, Solution]:
    """Ends of walks from theta, by least squares first, and the problem that they solve.

    A scale that is not given is found in turns with the constants, the most likely one at the
    residuals of the best walk: each turn raises the likelihood of both. With fewer than two rows a
    constant that likelihood has no bound (a law through most rows), so the scale stays that of
    least squares.
    """
    objective = problem.objective
    squares = replace(objective, kind="squares", delta=None, found=False)
    rough = solve(replace(problem, objective=squares), theta, tolerance=1e-6, max_steps=ROUGH)
    problem, ends = scaled(problem, _best(rough)), rough.theta
    if objective.residual_loss.kinked:
        for factor in LEAD:
            wide = replace(objective, delta=objective.scale * factor)
            ends = solve(replace(problem, objective=wide), ends, tolerance=1e-6).theta
    if len(problem.x) < 2 * theta.shape[1]:
        return problem, _walked(problem, ends, tolerance)
    first = int(np.argmin(rough.value))
    # The best walk alone finds the scale; all go on from there, and another best one starts anew.
    for _ in range(TURNS):
        problem, best = _settled(problem, ends[first], tolerance)
        ends = np.where(np.arange(len(ends))[:, None] == first, best, ends)
        found = _walked(problem, ends, tolerance)
        ends, first = found.theta, int(np.argmin(found.value))
        if found.value[first] > (1 - 1e-3) * problem.value(best[None, :])[0]:
            break
    return problem, found


def _walked(problem: Problem, theta: Array, tolerance: float) -> Solution:
    """Ends of walks from theta; after some steps only those near the best one go on."""
    found = solve(problem, theta, tolerance=tolerance, max_steps=ROUGH)
    close = found.value <= float(found.value.min()) * (1 + NEAR) + 1e-300
    left = np.flatnonzero(close & ~found.converged & np.isfinite(found.value))
    if not len(left):
        return found
    on = solve(problem.part(left), found.theta[left], tolerance=tolerance)
    columns = ("theta", "value", "gradient", "converged", "steps")
    ended = {name: getattr(found, name).copy() for name in columns}
    for name in columns:
        ended[name][left] = getattr(on, name)
    ended["steps"][left] += found.steps[left]
    return Solution(**ended)


def _settled(problem: Problem, theta: Array, tolerance: float) -> tuple[Problem, Array]:
    """One walk from theta (p,) and its most likely scale, in turns."""
    for _ in range(TURNS):
        theta = solve(problem, theta[None, :], tolerance=tolerance, max_steps=ROUGH).theta[0]
        turned = scaled(problem, theta)
        if abs(np.log(turned.objective.scale / problem.objective.scale)) < 1e-3:
            break
        problem = turned
    return problem, theta


def scaled(problem: Problem, theta: Array) -> Problem:
    """The problem with the most likely scale at theta (p,), where none is given."""
    r = problem.residuals(theta[None, :])[0]
    unit = 1.0 if problem.objective.log else float(np.median(np.abs(problem.observed)))
    known = np.where(np.isfinite(r), r, 0.0)
    return replace(problem, objective=problem.objective.at(known, problem.weights, ROUNDING * unit))


def _best(walks: Solution) -> Array:
    return np.asarray(walks.theta[int(np.argmin(walks.value))])


def _between(k: Constant, share: Array) -> Array:
    low, high = k.start
    return (
        np.exp(np.log(low) + share * np.log(high / low))
        if k.scale == "log"
        else low + share * (high - low)
    )


def _amplitudes(problem: Problem, theta: Array, shares: Array) -> list[dict[str, float]]:
    """Amplitudes for the shapes of each of many vectors (S, p) by non-negative least squares.

    Residuals are relative. With an outer exponent the loss is not linear in A and B but
    (L - E)^(1/kappa) is, so the floor E is then taken as a share (S,) of the least loss and
    penalties are left out.
    """
    coordinates = problem.coordinates
    names = [k.name for k in coordinates.free if k.amplitude]
    if not names:
        return [{} for _ in theta]
    observed = problem.observed if problem.observed.ndim == 1 else problem.observed[0]
    unit = coordinates.constants(theta)
    kappa = np.broadcast_to(unit.get("kappa", 1.0), (len(theta), 1))[:, 0]
    rest = _column(problem, unit, names, "", len(theta))
    columns = {name: _column(problem, unit, names, name, len(theta)) - rest for name in names}
    least = {k.name: k.lower for k in coordinates.free}
    out = []
    for s, outer in enumerate(kappa):
        lowest = 0.95 * float(shares[s]) * float(observed.min())
        floors = {k: lowest for k in names if outer != 1.0 and k.partition("[")[0] == "E"}
        solved = [k for k in names if k not in floors]
        target = observed - rest[s] - (lowest if floors else 0.0)
        own = np.array([columns[name][s] for name in solved]).T
        found = _non_negative(own, target, float(outer))
        out.append(
            floors
            | {
                name: max(float(v), least[name], 1e-9 * (name[0] != "E"))
                for name, v in zip(solved, found, strict=False)
            }
        )
    return out


def _non_negative(columns: Array, target: Array, kappa: float) -> Array:
    """Non-negative factors of columns (n, m) that make up targets (n,); none where there are no
    such."""
    if kappa != 1.0:
        with np.errstate(invalid="ignore"):  # a base above the loss leaves nothing to solve for
            target, columns = target ** (1 / kappa), columns ** (1 / kappa)
    if not np.isfinite(columns).all() or not (target > 0).all():
        return np.zeros(0)
    return np.asarray(nnls(columns / target[:, None], np.ones(len(target)))[0])


def _column(
    problem: Problem, unit: Mapping[str, Array | float], names: list[str], name: str, count: int
) -> Array:
    """The loss when one amplitude (or none) is one and all others are zero, shape (count, n)."""
    ties = problem.coordinates.law.ties
    c = {
        k: (1.0 if ties.get(k, k) == name else 0.0) if ties.get(k, k) in names else v
        for k, v in unit.items()
    }
    with np.errstate(all="ignore"):
        loss = problem.coordinates.law.formula.loss(c, problem.x)
    return np.array(np.broadcast_to(plain(loss), (count, len(problem.x))))
