"""What an allocation returns: the choices, best first, and the closed form beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from isoloss.files import displayed, equal_by_fields
from isoloss.linear.risk import INPUT_WORDS, Inputs
from isoloss.linear.theory.allocation_budget import Allowance

#: Why a size is the largest, by the mark behind it.
MARKS = {
    "*": "all coordinates of the problem: in a larger problem a larger model might do better",
    "+": "the largest model that the allowance affords",
}


@equal_by_fields
@dataclass(frozen=True)
class AllocationChoice:
    """The best model of one precision; risk = approximation + floor + trained.

    Attributes
    ----------
    precision : str
        Its spelling.
    bits : float
        P as the allowance counts it; nan where it is unknown and does not count.
    size : int
        M, coordinates of the model.
    samples, steps : int
        N and the steps that see them.
    step_size : float
        gamma.
    share : float
        The step size over the stability limit.
    risk : float
        The whole excess risk.
    approximation : float
        What a model of this size cannot learn.
    floor : float
        What rounding the data leaves however many samples there are: the asymptotic bias on clean
        inputs, the floor of features rounded in use.
    trained : float
        What more samples remove: bias and variance.
    edge : bool
        Whether the size is the largest that the allowance affords or the problem has, so that a
        larger one might do better.
    closed : float
        Closed form of the size, min{const C^(1/(a+1)), c eps^(-1/a)}; nan where there is none.
    closed_risk : float
        Exact risk there, at the best of the same steps.
    """

    precision: str
    bits: float
    size: int
    samples: int
    steps: int
    step_size: float
    share: float
    risk: float
    approximation: float
    floor: float
    trained: float
    edge: bool = False
    closed: float = math.nan
    closed_risk: float = math.nan

    @property
    def closed_regret(self) -> float:
        """What the closed form of the size costs, as a share of the risk."""
        return self.closed_risk / self.risk - 1

    def with_closed(self, closed: float, risk: float) -> AllocationChoice:
        """The choice with a closed form of its size."""
        return replace(self, closed=closed, closed_risk=risk)

    def __str__(self) -> str:
        return (
            f"'{self.precision}': M {self.size}, N {self.samples}, step size {self.step_size:.3g} "
            f"({self.share:.2f} of the limit), risk {self.risk:.4g} = approximation "
            f"{self.approximation:.4g} + floor {self.floor:.4g} + trained {self.trained:.4g}"
        )


@displayed
@dataclass(frozen=True)
class Allocation:
    """The best choice of every precision, best first.

    Attributes
    ----------
    choices : tuple of AllocationChoice
        By risk, ascending.
    allowance : Allowance
        What a training may cost.
    model : str
        'first' or 'sketch'.
    inputs : str
        'clean' or 'in use'.
    constant : float
        const of M = const C^(1/(a+1)), fitted to the best sizes of full precision at C / 16, C / 4
        and C; nan without compute or without a power law.
    exponent : float
        The exponent that is seen there.
    theory : float
        1/(a+1).
    dim : int
        Coordinates of the problem, the largest model there is.
    dropped : mapping of str to str
        The precisions that could not be costed, each with the reason.
    """

    choices: tuple[AllocationChoice, ...]
    allowance: Allowance
    model: str
    inputs: Inputs
    constant: float
    exponent: float
    theory: float
    dim: int
    dropped: Mapping[str, str] = field(default_factory=dict)

    @property
    def best(self) -> AllocationChoice:
        """The choice of least risk."""
        return self.choices[0]

    def __str__(self) -> str:
        seen = "the first M coordinates" if self.model == "first" else "a random sketch of M rows"
        head = (
            "precision",
            "bits",
            "M",
            "closed form",
            "its regret",
            "N",
            "step size",
            "of limit",
            "risk",
            "over the best",
        )
        rows = [head, *(self._row(each) for each in self.choices)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in rows
        ]
        first = (
            f"allocation under {self.allowance}; exact risk, {INPUT_WORDS[self.inputs]}, of {seen}"
        )
        tail = [] if math.isnan(self.constant) else [self._fit()]
        seen_marks = {self._mark(each) for each in self.choices}
        marks = [f"{mark} {what}" for mark, what in MARKS.items() if mark in seen_marks]
        left = [f"dropped {name}: {why}" for name, why in self.dropped.items()]
        return "\n".join([first, *lines, *tail, *marks, *left])

    def _mark(self, at: AllocationChoice) -> str:
        """What keeps a choice from being larger, if anything does."""
        if not at.edge:
            return ""
        return "*" if at.size == self.dim else "+"

    def _row(self, at: AllocationChoice) -> tuple[str, ...]:
        return (
            at.precision,
            f"{at.bits:.4g}",
            f"{at.size}{self._mark(at)}",
            "" if math.isnan(at.closed) else f"{at.closed:.4g}",
            "" if math.isnan(at.closed) else f"{at.closed_regret:.1%}",
            f"{at.samples}",
            f"{at.step_size:.3g}",
            f"{at.share:.2f}",
            f"{at.risk:.4g}",
            f"{at.risk / self.best.risk - 1:+.1%}",
        )

    def _fit(self) -> str:
        return (
            f"full precision: M = {self.constant:.3g} C^{self.theory:.3g} fitted at C / 16, C / "
            "4 and C; "
            f"the exponent seen is {self.exponent:.3g}"
        )
