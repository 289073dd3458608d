"""What a fit minimises: how residuals are measured, and how heavily large ones count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from isoloss.laws import Array

Kind = Literal["huber", "squares", "student"]


@dataclass(frozen=True)
class Objective:
    """Summed loss of residuals r, observed against predicted.

    ``huber``: r^2/2 up to delta, delta (|r| - delta/2) beyond; ``squares``: r^2/2; ``student``: the negative
    log-likelihood of a Student-t of ``nu`` degrees of freedom and scale delta, less its constant. With ``log``
    residuals are log predicted - log observed loss, otherwise they are in nats.
    Reference: Hoffmann et al. 2022, section 3.3 (Huber 1e-3 on log loss).
    """

    kind: Kind = "huber"
    delta: float = 1e-3
    log: bool = True
    nu: float = 4.0

    def value(self, r: Array) -> Array:
        """The loss of each residual."""
        if self.kind == "squares":
            return 0.5 * r * r
        if self.kind == "student":
            return 0.5 * (self.nu + 1) * np.log1p(np.square(r / self.delta) / self.nu)
        size = np.abs(r)
        inner = np.minimum(size, self.delta)
        return inner * (size - 0.5 * inner)

    def slope(self, r: Array) -> Array:
        """Its first derivative by the residual."""
        if self.kind == "squares":
            return r
        if self.kind == "student":
            return (self.nu + 1) * r / (self.nu * self.delta**2 + r * r)
        return np.clip(r, -self.delta, self.delta)

    def curvature(self, r: Array) -> Array:
        """Its second derivative by the residual."""
        if self.kind == "squares":
            return np.ones_like(r)
        if self.kind == "student":
            wide = self.nu * self.delta**2
            return (self.nu + 1) * (wide - r * r) / np.square(wide + r * r)
        return (np.abs(r) < self.delta).astype(float)

    def weight(self, r: Array) -> Array:
        """Slope over residual: the weight of a least-squares step that stands for it."""
        if self.kind == "squares":
            return np.ones_like(r)
        if self.kind == "student":
            return (self.nu + 1) / (self.nu * self.delta**2 + r * r)
        return self.delta / np.maximum(np.abs(r), self.delta)

    def __str__(self) -> str:
        on = "log loss" if self.log else "loss"
        if self.kind == "squares":
            return f"least squares on {on}"
        if self.kind == "student":
            return f"Student-t({self.nu:g}), scale {self.delta:g}, on {on}"
        return f"Huber({self.delta:g}) on {on}, summed"


HUBER = Objective()
SQUARES = Objective("squares")
NAMED = {
    "huber": HUBER,
    "squares": SQUARES,
    "student": Objective("student", delta=5e-3),
    "plain": Objective("squares", log=False),
}


def as_objective(objective: str | Objective) -> Objective:
    """The objective of a name, or itself."""
    if isinstance(objective, Objective):
        return objective
    if objective not in NAMED:
        raise ValueError(f"unknown objective {objective!r}; there are {', '.join(NAMED)}")
    return NAMED[objective]
