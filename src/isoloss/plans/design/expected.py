"""What laws expect of a design: half the interval of an answer, and whether that answers it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isoloss.laws import Array
from isoloss.plans.design.candidates import Candidates, Region
from isoloss.plans.design.exchange import Counts, DesignProblem
from isoloss.plans.design.power_laws import ALONE, Readings
from isoloss.plans.design.questions import Asked
from isoloss.plans.doubt import FAR

#: By how much runs may leave a region or come nearer than needed and still count as on its edge.
EDGE = 1e-6


@dataclass(frozen=True)
class First:
    """A question with the laws that it is put to.

    Attributes
    ----------
    asked, readings
        The question and the laws in the form of a design.
    noise, z
        Standard deviation of log loss, and standard deviations in half an interval.
    """

    asked: Asked
    readings: Readings
    noise: float
    z: float

    def problem(self, runs: Candidates, forced: Candidates | None = None) -> DesignProblem:
        """The design problem of some candidate runs: what each law says of them.

        `forced` are runs that are trained in any case.
        """
        slopes = self.readings.slopes(runs) / self.noise
        unit = ALONE[: slopes.shape[2]]
        known = np.broadcast_to(np.eye(len(unit)), (len(slopes), len(unit), len(unit)))
        if forced is not None:
            some = self.readings.slopes(forced) / self.noise * unit
            known = known + some.transpose(0, 2, 1) @ some
        aims = np.array([self.asked.aim(self.readings, t) for t in self.readings.theta])
        return DesignProblem(known, slopes * unit, aims * unit, self.readings.weights)

    def halves(self, runs: Candidates, counts: Array | Counts) -> Array:
        """Half the expected interval of the answer by each law, (K,)."""
        problem = self.problem(runs)
        inverse = problem.inverse(counts)
        assert problem.aims is not None
        variance = np.einsum("kp,kpq,kq->k", problem.aims, inverse, problem.aims)
        return np.asarray(self.z * np.sqrt(variance))

    def mean(self, halves: Array) -> float:
        """The geometric mean over laws by weight."""
        return float(np.exp(self.readings.weights @ np.log(halves)))

    def answers(self) -> Array:
        """What each law answers, (K,)."""
        return np.array([self.asked.answer(self.readings, t) for t in self.readings.theta])

    def needs(self) -> Array:
        """Half the interval that answers the question, by each law, (K,)."""
        return np.array([self.asked.need(each) for each in self.answers()])

    def points(self) -> list[tuple[float, float] | None]:
        """The params and tokens that each law's answer is about; None where it is about none."""
        return [self.asked.point(self.readings, t) for t in self.readings.theta]

    def beyond(self, runs: Candidates) -> Array:
        """How many times beyond the largest and the longest run each law's answer lies, (K,);
        infinitely where there are no runs.
        """
        if not len(runs):
            return np.array([1.0 if p is None else np.inf for p in self.points()])
        most = runs.params.max(), runs.tokens.max()
        return np.array(
            [1.0 if p is None else max(1.0, p[0] / most[0], p[1] / most[1]) for p in self.points()]
        )

    def only(self, law: int) -> First:
        """The question put to one of the laws."""
        return replace(self, readings=self.readings.only(law))


@dataclass(frozen=True)
class Design:
    """Runs with their seeds, for a question and some laws."""

    name: str
    runs: Candidates
    counts: Array | Counts
    first: First

    @cached_property
    def halves(self) -> Array:
        """Half the expected interval of the answer by each law, (K,)."""
        return self.first.halves(self.runs, self.counts)

    @property
    def half(self) -> float:
        """Its geometric mean over laws."""
        return self.first.mean(self.halves)

    @property
    def cost(self) -> float:
        """FLOPs of bf16 of all runs."""
        return float(self.runs.cost @ self.counts)

    def is_inside(self, region: Region) -> bool:
        """Whether no run leaves the params, tokens and tokens per param of a region."""
        n, d = self.runs.params, self.runs.tokens
        counts = (n, region.params), (d, region.tokens), (d / n, region.ratio)
        return all(
            bool((each >= low * (1 - EDGE)).all() and (each <= high * (1 + EDGE)).all())
            for each, (low, high) in counts
        )

    @cached_property
    def answers(self) -> NDArray[np.bool_]:
        """Whether it answers the question if each law is right, (K,)."""
        near = self.first.beyond(self.runs) <= FAR
        return np.asarray((self.halves <= self.first.needs()) & near)

    @property
    def resolved(self) -> float:
        """Weight of the laws under which it answers the question."""
        return float(self.first.readings.weights @ self.answers)
