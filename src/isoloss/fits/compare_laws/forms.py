"""Laws that are one form on some runs, though they have several names: found, fitted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.arguments import FitError
from isoloss.fits.sample import Sample
from isoloss.fits.settings import Settings
from isoloss.fits.solve import Optimum, Problem, feasible_starts, pose
from isoloss.fits.solving import Solved, with_bases
from isoloss.laws import Array, DomainError, Law

#: Vectors of constants at which two laws are asked whether they are one form.
ASKED = 6


@dataclass(frozen=True)
class Form:
    """A law as a fit of some runs sees it.

    Attributes
    ----------
    law
        The law.
    problem
        Its free constants on the runs.
    absent
        Constants that no run depends on.
    """

    law: Law
    problem: Problem
    absent: tuple[str, ...]

    @property
    def bounds(self) -> dict[str, tuple[float, float, str]]:
        """The free constants by name, with their bounds and scale."""
        return {k.name: (k.lower, k.upper, k.scale) for k in self.problem.coordinates.free}

    def order(self, other: Form) -> NDArray[np.intp]:
        """Where each free constant of this form stands in the vectors of another."""
        there = [k.name for k in other.problem.coordinates.free]
        here = (k.name for k in self.problem.coordinates.free)
        return np.array([there.index(name) for name in here], dtype=np.intp)

    def moved(self, solved: Solved, other: Form) -> Solved:
        """What was solved for another law of this form, as this law's."""
        order, there = self.order(other), solved.optimum
        problem = replace(
            self.problem, objective=there.problem.objective, weights=there.problem.weights
        )
        ridge, ends = (
            theta[:, order] if len(theta) else theta for theta in (solved.known.theta, there.ends)
        )
        return replace(
            solved,
            optimum=Optimum(problem, there.theta[order], there.certificate, self.absent, ends),
            known=replace(solved.known, theta=ridge),
            spread=replace(solved.spread, theta=solved.spread.theta[:, order]),
        )


def forms(
    laws: Sequence[Law], sample: Sample, asked: Settings
) -> tuple[list[list[Form]], dict[str, str]]:
    """Laws grouped by their form on the runs, and those that cannot be posed with the reason."""
    groups: list[tuple[Array | None, list[Form]]] = []
    refused: dict[str, str] = {}
    for law in laws:
        try:
            own = with_bases(law, sample) if asked.per is not None else law
            form = Form(law, *pose(own, sample, asked.objective))
        except (FitError, DomainError) as error:
            refused[law.name] = str(error)
            continue
        for theta, group in groups:
            if theta is not None and is_one_form(form, group[0], theta):
                group.append(form)
                break
        else:
            groups.append((_asked(form), [form]))
    return [group for _, group in groups], refused


def is_one_form(form: Form, other: Form, theta: Array) -> bool:
    """Whether two laws have the same free constants and, at vectors theta (S, p) of the other one,
    the same losses on all runs.

    Laws are smooth in their constants, so forms that differ agree at random vectors only where the
    runs cannot tell them apart at any.
    """
    if form.bounds != other.bounds:
        return False
    one = form.problem.residuals(theta[:, form.order(other)])
    two = other.problem.residuals(theta)
    return bool(np.allclose(one, two, rtol=0.0, atol=1e-9, equal_nan=True))


def _asked(form: Form) -> Array | None:
    """Vectors at which a form is compared with others; None for a law without a domain here."""
    if not form.problem.coordinates.free:
        return np.zeros((1, 0))
    try:
        return feasible_starts(form.problem, ASKED, 0)
    except FitError:
        return None
