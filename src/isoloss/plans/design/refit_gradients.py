"""Gradients of bootstrap replicates: log loss and a plan's log params by the constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.fits import Fit, log_slopes
from isoloss.formats import Precision
from isoloss.laws import Array, Grouped, Inputs, Level, Value, as_inputs
from isoloss.plans.budget import Budget
from isoloss.plans.costs import Hardware
from isoloss.plans.design.candidates import Candidates
from isoloss.plans.design.exchange import DesignProblem
from isoloss.plans.problems import PlanError
from isoloss.plans.search import levels_of, loss_of, members_of, repeating, search, space_of

#: Step of the central differences, relative to constants of one and more.
STEP = 1e-4
#: Slopes of log params below this are none: something else than the law sets the params.
NONE = 1e-9
#: Information beside that of the runs, relative to it, so that no matrix is singular to rounding.
ROUNDING = 1e-10


@dataclass(frozen=True)
class Target:
    """The plan whose params are to be learned, in the best of some precisions."""

    fit: Fit
    budget: Budget
    machine: Hardware
    precisions: tuple[Precision, ...]
    group: str | None

    def log_params(self, theta: Array) -> tuple[Array, NDArray[np.intp]]:
        """Log of the best params (S, n) for S vectors of constants, and the best precision (S,).

        NaN where no plan is defined.
        """
        member = repeating(members_of(self.fit, self.group), self.budget.unique_tokens).members[0]
        c: Mapping[str, Value] = {**member.values, **self.fit.coordinates.constants(theta)}
        space = space_of(self.budget, self.machine, self.precisions)
        levels = levels_of(self.precisions)
        # Raises where the law itself has no best size. Where only some replicates have none, theirs
        # stands at the edge: to learn it is what the runs are asked for.
        search(loss_of(member, member.values, levels, self.budget), space)
        of_law = loss_of(member, c, levels, self.budget)
        best = search(of_law, space, len(theta), endless=True)
        params = np.where(np.isfinite(best.loss), np.log(best.params), np.nan)
        return params, np.asarray(np.argmin(best.loss, axis=1))

    def is_held(self, level: float) -> bool:
        """Whether the runs of the fit tell the best params: no ridge moves them to a bound."""
        known = self.fit.identified
        if not known.followed:
            return True
        planned, best = self.log_params(known.theta)
        own = planned[np.arange(len(planned)), best]
        return not known.of_counts(own[:, None], level).moved[0]


@dataclass(frozen=True)
class Replicates:
    """Some bootstrap replicates of a fit, and what each says of runs.

    Attributes
    ----------
    fit, group
        Of the law.
    noise
        Standard deviation of log loss.
    theta
        The constants of K replicates, (K, p).
    information
        Of the runs they were fitted to, (K, p, p).
    aims
        Slopes of the plan's log params by the constants, (K, p).
    log_params
        Of the plan of every replicate, (S,).
    """

    fit: Fit
    group: str | None
    noise: float
    theta: Array
    information: Array
    aims: Array
    log_params: Array

    def of(self, candidates: Candidates) -> tuple[Candidates, DesignProblem]:
        """The candidates at which all of these replicates are defined, and their design problem.

        Every constant is in units of what the runs and a candidate say of it, so that inverses are
        well conditioned; beside them stands what rounding needs. Raises PlanError where no
        candidate is left.
        """
        slopes = log_slopes(self.fit.law, self.theta, candidates.inputs(self.group)) / self.noise
        defined = np.flatnonzero(np.isfinite(slopes).all(axis=(0, 2)))
        if not len(defined):
            raise PlanError(
                f"{self.fit.law.name} is not defined for any of the runs; "
                "give other params, tokens or precision"
            )
        slopes = slopes[:, defined, :]
        typical = np.square(slopes).mean(axis=1) + np.diagonal(self.information, axis1=1, axis2=2)
        unit = 1.0 / np.sqrt(typical)
        known = self.information * unit[:, :, None] * unit[:, None, :] + ROUNDING * np.eye(
            unit.shape[1]
        )
        return candidates.take(defined), DesignProblem(
            known, slopes * unit[:, None, :], self.aims * unit
        )


def replicates_of(target: Target, noise: float, count: int) -> Replicates:
    """As many replicates as asked, spread evenly over the log params that replicates plan.

    Raises PlanError where no replicate can be planned, and where the law does not set the params.
    """
    fit = target.fit
    planned, best = target.log_params(fit.draws)
    params = planned[np.arange(len(planned)), best]
    known = np.flatnonzero(np.isfinite(params))
    if not len(known):
        raise PlanError(
            f"none of the {len(fit.draws)} bootstrap replicates of {fit.law.name} "
            f"can be planned at {target.budget}"
        )
    order = known[np.argsort(params[known])]
    rows = order[np.unique(((np.arange(count) + 0.5) / count * len(order)).astype(int))]
    theta, which = fit.draws[rows], best[rows]
    slopes = log_slopes(fit.law, theta, inputs_of(fit)) / noise
    information = slopes.transpose(0, 2, 1) @ slopes + np.diag(_bounded(fit))
    aims = gradients(target, theta, which) if theta.size else theta
    good = np.isfinite(information).all(axis=(1, 2)) & np.isfinite(aims).all(axis=1)
    good &= np.abs(aims).max(axis=1, initial=0.0) > NONE
    if not good.any():
        raise PlanError(
            f"the params of the plan at {target.budget} do not depend on what was fitted: "
            "something else sets them; leave params, tokens, memory and speed of the target free"
        )
    return Replicates(
        fit, target.group, noise, theta[good], information[good], aims[good], params[known]
    )


def gradients(target: Target, theta: Array, which: NDArray[np.intp]) -> Array:
    """Slopes of a plan's log params by the constants, by central differences, (K, p)."""
    count, p = theta.shape
    step = STEP * np.maximum(np.abs(theta), 1.0) * np.eye(p)[:, None, :]
    moved = np.concatenate([theta + step, theta - step]).reshape(-1, p)
    found = target.log_params(moved)[0].reshape(2, p, count, -1)[:, :, np.arange(count), which]
    width = 2.0 * STEP * np.maximum(np.abs(theta), 1.0)
    return np.asarray((found[0] - found[1]).T / width)


def inputs_of(fit: Fit) -> Inputs:
    """The inputs of the fitted runs, also of a fit that was read from a file.

    Raises PlanError where the file does not hold the group of every run and the law needs it.
    """
    if fit.sample is not None:
        return fit.sample.x
    if isinstance(fit.law.formula, Grouped):
        raise PlanError(
            "a saved fit with constants per group does not say of which group its runs are; "
            "fit again"
        )
    rows = ~fit.points.held_out
    levels = [_level(p) for p, kept in zip(fit.points.precision, rows, strict=True) if kept]
    return as_inputs(
        fit.points.params[rows],
        fit.points.tokens[rows],
        [each.precision for each in levels],
        sparsity=[each.sparsity for each in levels],
    )


def _level(spelled: str) -> Level:
    """The level of a fitted run as printed: its precision and, where pruned, then the pattern."""
    try:
        return Level(Precision.parse(spelled))
    except ValueError:
        precision, _, sparsity = spelled.rpartition(" ")
        return Level(Precision.parse(precision), sparsity)


def noise_of(fit: Fit) -> float:
    """The standard deviation of log loss that the fit leaves, for the constants spent.

    Raises PlanError where as many constants as runs leave nothing to measure it by.
    """
    residual = fit.points.residual[~fit.points.held_out]
    free = len(residual) - fit.draws.shape[1]
    if free < 1:
        raise PlanError(
            f"{len(residual)} runs for {fit.draws.shape[1]} constants leave no noise to measure; "
            "give noise, as 0.01"
        )
    return float(np.sqrt(np.sum(residual**2) / free))


def _bounded(fit: Fit) -> Array:
    """What bounds alone say of every constant: the information of a uniform value between them."""
    width = fit.coordinates.upper - fit.coordinates.lower
    return np.asarray(12.0 / np.square(width))
