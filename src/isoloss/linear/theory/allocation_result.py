"""What an allocation returns: the choices, best first, and the closed form beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from isoloss.linear.risk import Inputs
from isoloss.linear.theory.allocation_budget import Allowance


@dataclass(frozen=True)
class Choice:
    """The best model of one precision: `size` coordinates, `samples` samples in `steps` steps of `step_size`.

    risk = approximation + floor + trained. `share` is the step size over the stability limit. `closed` is the
    closed form of the size, min{const C^(1/(a+1)), c eps^(-1/a)}, and `closed_risk` the exact risk there, at the best
    of the same steps. `edge`: the size is the largest that the
    allowance or the problem holds, so the optimum may lie beyond.
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

    def with_closed(self, closed: float, risk: float) -> Choice:
        """The choice with a closed form of its size."""
        return replace(self, closed=closed, closed_risk=risk)


@dataclass(frozen=True)
class Allocation:
    """The best choice of every precision, best first.

    `constant` is const in M = const C^(1/(a+1)), fitted to the best sizes of full precision at C / 16, C / 4 and C;
    `exponent` is the one seen there, `theory` 1/(a+1). nan without compute or without a power law.
    """

    choices: tuple[Choice, ...]
    allowance: Allowance
    model: str
    inputs: Inputs
    constant: float
    exponent: float
    theory: float

    @property
    def best(self) -> Choice:
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
        first = f"allocation under {self.allowance}; exact risk on {self.inputs} inputs of {seen}"
        tail = [] if math.isnan(self.constant) else [self._fit()]
        marks = ["* the largest size there is"] if any(each.edge for each in self.choices) else []
        return "\n".join([first, *lines, *tail, *marks])

    def _row(self, at: Choice) -> tuple[str, ...]:
        return (
            at.precision,
            f"{at.bits:.4g}",
            f"{at.size}{'*' if at.edge else ''}",
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
            f"full precision: M = {self.constant:.3g} C^{self.theory:.3g} fitted at C / 16, C / 4 and C; "
            f"the exponent seen is {self.exponent:.3g}"
        )
