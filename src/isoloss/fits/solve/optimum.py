"""The best constants of a law for a sample, with the evidence that they are the best."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from isoloss.fits.arguments import FitError
from isoloss.fits.paired_gaps import reference_mask
from isoloss.fits.sample import Sample
from isoloss.fits.solve.objective import SQUARES, Objective
from isoloss.fits.solve.problem import Coordinates, Problem
from isoloss.fits.solve.solver import Solution, solve
from isoloss.fits.solve.starts import descend, draw, scaled
from isoloss.laws import Array, DomainError, Inputs, Law, Mask

#: Constants of the base, which every run depends on and which ``per`` gives each source of its own.
BASE = ("A", "alpha", "B", "beta", "E", "kappa")


class TooFewRuns(FitError):
    """A law has more free constants than there are runs to fit."""

    def __init__(self, law: str, constants: int, runs: int) -> None:
        self.constants = constants
        super().__init__(
            f"law {law!r} has {constants} free constants but there are {runs} usable runs; fix "
            "some constants or add runs"
        )


@dataclass(frozen=True)
class Certificate:
    """Evidence that an optimum is global, and what is flat around it.

    Attributes
    ----------
    objective
        The least objective.
    starts, agree
        Walks, and how many ended within 1e-6 of the best objective, or at the same losses as far as
        a table can tell.
    gradient
        Norm of the gradient in units of the least-squares metric, relative to the objective.
    condition
        Condition number of the scaled Hessian.
    ridge
        Change of every free constant along the flattest direction that raises the objective by
        0.1%, relative where it spans decades.
    """

    objective: float
    starts: int
    agree: int
    gradient: float
    condition: float
    ridge: dict[str, float]

    def __str__(self) -> str:
        if not self.starts:
            return f"{self.objective:.6g}; no constant is free, so nothing was searched"
        flat = ", ".join(
            f"{name} {_moved(v)}"
            for name, v in sorted(self.ridge.items(), key=lambda kv: -kv[1])[:3]
        )
        return (
            f"{self.agree or 'none'} of {self.starts} starts agree{'s' * (self.agree == 1)} on "
            f"{self.objective:.6g}; relative "
            f"gradient {self.gradient:.1e}; condition {self.condition:.1e}; along the ridge 0.1% "
            "of the "
            f"objective moves {flat or 'nothing'}"
        )


def _moved(share: float) -> str:
    """A relative change in words; beyond a hundred times its size says no more."""
    if share > 100:
        return "by more than 100 times itself"
    return f"by {100 * share:.1f}%" if share < 10 else f"by {share:.0f} times itself"


@dataclass(frozen=True)
class Optimum:
    """The best of many walks.

    Attributes
    ----------
    problem
        What was solved.
    theta
        The best constants in the solver's coordinates, shape (p,).
    certificate
        Evidence that they are the global optimum.
    absent
        Constants that no run depends on.
    ends
        Where all walks ended, shape (S, p).
    """

    problem: Problem
    theta: Array
    certificate: Certificate
    absent: tuple[str, ...]
    ends: Array = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def law(self) -> Law:
        """The law with the fitted constants; absent ones keep what value they had."""
        law = self.problem.coordinates.law
        values = self.problem.coordinates.values(self.theta)
        return law.with_values({k: v for k, v in values.items() if k not in law.ties})


def pose(law: Law, sample: Sample, objective: Objective) -> tuple[Problem, tuple[str, ...]]:
    """The problem of a law on a sample, and the constants on which no row depends.

    Those are held at the value they have, or at NaN, so that nothing that needs them can be said.
    (One that only 16-bit parts touch, where its effect is least, and that has no value stands in
    the middle of its range.)

    Raises FitError where a term of the law cannot take a base for every group, and for too few
    runs.
    """
    law = law.bind(sample.x.levels)
    problem = Problem(Coordinates(law), sample.x, sample.loss, objective, sample.weights)
    if sample.x.groups:
        _check_grouped(law, sample.x)
    there = touched(law, sample.x, reference_mask(sample.x))
    absent = tuple(k.name for k in law.free if k.name not in there)
    if absent:
        seen = touched(law, sample.x, np.zeros(len(sample), dtype=bool))
        free = {k.name: k for k in law.free}
        held = {
            n: law.values.get(n, 0.5 * sum(free[n].start) if n in seen else np.nan) for n in absent
        }
        problem = replace(problem, coordinates=Coordinates(law.with_values(held).fix(*absent)))
    if len(problem.coordinates.free) > len(sample):
        raise TooFewRuns(law.name, len(problem.coordinates.free), len(sample))
    return problem, absent


def _check_grouped(law: Law, x: Inputs) -> None:
    try:
        law.formula.loss(Coordinates(law).constants(np.zeros((1, len(law.free)))), x)
    except (ValueError, IndexError) as error:
        raise FitError(
            f"law {law.name!r} cannot have a base for every group: one of its terms reads a "
            "constant of the base"
        ) from error


def optimise(
    problem: Problem,
    absent: tuple[str, ...],
    starts: int,
    seed: int,
    near: Array | None = None,
    tolerance: float = 1e-9,
) -> Optimum:
    """The best of many walks, each from its own start, and one from constants (p,) known nearby."""
    if not problem.coordinates.free:
        problem = scaled(problem, np.zeros(0))
        value = float(problem.value(np.zeros((1, 0)))[0])
        return Optimum(problem, np.zeros(0), Certificate(value, 0, 0, 0.0, 1.0, {}), absent)
    begin = feasible_starts(problem, starts, seed)
    begin = begin if near is None else np.vstack([near, begin])
    problem, walks = descend(problem, begin, tolerance)
    best = int(np.argmin(walks.value))
    # Two factors below zero make a positive product, so a walk can end where the law has no loss.
    while np.isfinite(walks.value[best]) and not _is_defined(problem, walks.theta[best]):
        walks = replace(
            walks, value=np.where(np.arange(len(walks.value)) == best, np.inf, walks.value)
        )
        best = int(np.argmin(walks.value))
    if not np.isfinite(walks.value[best]):
        raise FitError(
            f"law {problem.coordinates.law.name!r} is undefined on these runs at every start; "
            "check its precision terms"
        )
    return Optimum(problem, walks.theta[best], certify(problem, walks), absent, walks.theta)


def improved(optimum: Optimum, theta: Array) -> Optimum:
    """The optimum downhill from a better point (p,): no walk from a random start had found it."""
    walks = solve(optimum.problem, theta[None, :])
    found = certify(optimum.problem, walks)
    alone = replace(found, starts=optimum.certificate.starts, agree=0)
    return replace(optimum, theta=walks.theta[0], certificate=alone)


def _is_defined(problem: Problem, theta: Array) -> bool:
    """Whether the law has a loss in every precision of the runs."""
    law = problem.coordinates.law
    try:
        law.formula.check({**law.values, **problem.coordinates.values(theta)}, problem.x)
    except DomainError:
        return False
    return True


def feasible_starts(problem: Problem, count: int, seed: int, rounds: int = 40) -> Array:
    """Starts at which the law is defined on every row, (count, p), fewer in a narrow domain.

    Raises FitError when none is found: some precision in the table lies outside the law's domain.
    """
    rng = np.random.default_rng(seed)
    found: list[Array] = []
    for _ in range(rounds):
        theta = draw(problem, count, rng)
        found.append(theta[np.isfinite(problem.residuals(theta)).all(axis=1)])
        if sum(map(len, found)) >= count:
            break
    starts = np.concatenate(found)[:count]
    if not len(starts):
        raise FitError(_undefined(problem, np.concatenate([*found, draw(problem, count, rng)])))
    return starts


def _undefined(problem: Problem, theta: Array) -> str:
    """Why a law has no loss on all runs at any of some constants: precisions that it has none for
    at all, or else a narrow domain.
    """
    x, law = problem.x, problem.coordinates.law
    never = ~np.isfinite(problem.residuals(theta)).any(axis=0)
    names = [str(x.levels.items[k]) for k in np.unique(x.level[never])]
    if not names:
        return (
            f"law {law.name!r} is undefined on some of these runs at each of {len(theta)} starts; "
            "leave out the lowest precisions or take a law that admits them"
        )
    shown = ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" * (len(names) > 3))
    alone = len(names) == len(x.present)
    return f"law {law.name!r} has no loss for {shown}, whatever its constants; " + (
        "take another law" if alone else "leave these runs out, or take a law that has one"
    )


def certify(problem: Problem, walks: Solution) -> Certificate:
    """The certificate of the best of many walks."""
    best = int(np.argmin(walks.value))
    value = float(walks.value[best])
    theta = walks.theta[best]
    agree = _agree(problem, walks, best)
    _, gradient, hessian, metric = (a[0] for a in problem.derivatives(theta[None, :]))
    coordinates = problem.coordinates
    inside = (theta > coordinates.lower) & (theta < coordinates.upper)
    scale = np.where(inside, 1.0 / np.sqrt(np.maximum(metric, 1e-300)), 0.0)
    kept = np.flatnonzero(inside)
    if not len(kept):
        return Certificate(value, len(walks.value), agree, 0.0, 1.0, {})
    size, axes = np.linalg.eigh((hessian * scale[:, None] * scale)[np.ix_(kept, kept)])
    flat = np.maximum(np.abs(size), 1e-300)
    step = scale[kept] * axes[:, 0] * np.sqrt(2e-3 * max(value, 1e-300) / flat[0])
    names = [coordinates.free[i] for i in kept]
    moved = {
        k.name: float(abs(s) if k.scale == "log" else abs(s / theta[i]) if theta[i] else abs(s))
        for k, s, i in zip(names, step, kept, strict=True)
    }
    norm = float(np.sqrt(np.sum((gradient * scale) ** 2) / max(2 * value, 1e-300)))
    return Certificate(value, len(walks.value), agree, norm, float(flat.max() / flat.min()), moved)


def _agree(problem: Problem, walks: Solution, best: int) -> int:
    """How many walks ended as well as the best one."""
    residual = problem.residuals(walks.theta)
    apart = np.abs(residual - residual[best]).max(axis=1)
    alike = np.isfinite(walks.value) & (apart <= problem.digits)
    return int(np.sum(alike | (walks.value <= walks.value[best] * (1 + 1e-6))))


def touched(law: Law, x: Inputs, reference: Mask, theta: Array | None = None) -> set[str]:
    """The free constants on which some run depends, at theta (S, p) or at random points.

    A part that is 16 bits wide wherever it is named says nothing about the constants of its
    rounding: for constants other than those of the base, runs at the reference do not count where
    there are others.
    """
    coordinates = Coordinates(law)
    problem = Problem(coordinates, x, np.ones(len(x)), SQUARES)
    theta = draw(problem, 32, np.random.default_rng(0)) if theta is None else theta
    with np.errstate(all="ignore"):
        loss = law.formula.loss(coordinates.jets(theta), x)
    grad = getattr(loss, "grad", {})
    counted = ~reference if not reference.all() else reference
    found = set()
    for i, k in enumerate(coordinates.free):
        if i in grad:
            slope = np.broadcast_to(grad[i], (len(theta), len(x)))
            slope = slope if is_base(k.name) else slope[:, counted]
            known = np.isfinite(slope)
            # Outside the law's domain nothing is known; a constant that is unknown everywhere is
            # taken as touched.
            if np.any(slope[known]) or not known.any():
                found.add(k.name)
    return found


def is_base(name: str) -> bool:
    """Whether a constant belongs to the base, also where there is one for every group."""
    return name.partition("[")[0] in BASE


def unheld(law: Law, absent: tuple[str, ...], x: Inputs) -> tuple[str, ...]:
    """The absent constants on which these runs depend: no fitted run tells of them."""
    if not absent:
        return ()
    open_law = law.release(*absent)
    known = {k.name: np.nan if k.value is None else k.value for k in open_law.constants}
    # Where one has no value, what its term rests on is asked at a start.
    values = {
        k.name: k.start[0] if np.isnan(known[k.name]) else known[k.name] for k in open_law.constants
    }
    theta = Coordinates(open_law).theta(values)[None, :]
    return tuple(sorted(touched(open_law, x, reference_mask(x), theta) & set(absent)))
