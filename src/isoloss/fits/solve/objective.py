"""What a fit minimises: how residuals are measured, and how heavily large ones count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isoloss.files import Registry
from isoloss.fits.arguments import FitError, shown
from isoloss.laws import Array


@dataclass(frozen=True)
class Objective:
    """Summed loss of residuals r, predicted less observed.

    Attributes
    ----------
    kind
        The loss of a residual, a name in `RESIDUAL_LOSSES`: "huber", "squares" or "student".
    delta
        Where "huber" turns from square to linear; the scale of "student".
    log
        Residuals of log loss, which are relative; otherwise in the unit of the loss.
    nu
        Degrees of freedom of "student".

    Raises
    ------
    FitError
        The kind is unknown, or delta or nu is no number above zero.

    Notes
    -----
    Reference: Hoffmann et al. 2022, section 3.3 (Huber 1e-3 on log loss).
    """

    kind: str = "huber"
    delta: float = 1e-3
    log: bool = True
    nu: float = 4.0

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str):
            raise FitError(f"kind of objective is {shown(self.kind)}; it is one of {_names()}")
        RESIDUAL_LOSSES[self.kind]  # an unknown one is refused here, before any work
        for name, value in (("delta", self.delta), ("nu", self.nu)):
            if not 0 < value < np.inf:
                raise FitError(f"{name} of an objective is {shown(value)}; it is above 0")

    @property
    def residual_loss(self) -> ResidualLoss:
        """The residual loss of this kind."""
        return RESIDUAL_LOSSES[self.kind]

    def value(self, r: Array) -> Array:
        """The loss of each residual."""
        return self.residual_loss.value(self, r)

    def slope(self, r: Array) -> Array:
        """Its first derivative by the residual."""
        return self.residual_loss.slope(self, r)

    def curvature(self, r: Array) -> Array:
        """Its second derivative by the residual."""
        return self.residual_loss.curvature(self, r)

    def weight(self, r: Array) -> Array:
        """Slope over residual: the weight of a least-squares step that stands for it."""
        return self.residual_loss.weight(self, r)

    def __str__(self) -> str:
        return self.residual_loss.title(self, "log loss" if self.log else "loss")


Part = Callable[[Objective, Array], Array]


@dataclass(frozen=True)
class ResidualLoss:
    """How one residual counts: functions of an objective (for its delta and nu) and residuals.

    Attributes
    ----------
    value, slope, curvature, weight
        The loss, its derivatives, and slope over residual; arrays as the residuals.
    title
        The objective in words, from it and what residuals are of.
    kinked
        Whether it is an absolute value but for a narrow middle: its optimum is reached through
        wider deltas, its curvature is a density of residuals, and its likelihood is Laplace's.
    """

    value: Part
    slope: Part
    curvature: Part
    weight: Part
    title: Callable[[Objective, str], str]
    kinked: bool = False


def _huber(o: Objective, r: Array) -> Array:
    """r^2/2 up to delta, delta (|r| - delta/2) beyond."""
    size = np.abs(r)
    inner = np.minimum(size, o.delta)
    return inner * (size - 0.5 * inner)


def _student(o: Objective, r: Array) -> Array:
    """Negative log-likelihood of a Student-t of nu degrees of freedom, less its constant."""
    return np.asarray(0.5 * (o.nu + 1) * np.log1p(np.square(r / o.delta) / o.nu))


def _student_curvature(o: Objective, r: Array) -> Array:
    wide = o.nu * o.delta**2
    return np.asarray((o.nu + 1) * (wide - r * r) / np.square(wide + r * r))


#: Residual losses by name; one more is ``RESIDUAL_LOSSES.register("cauchy", ResidualLoss(...))``.
RESIDUAL_LOSSES: Registry[ResidualLoss] = Registry("kind of objective", FitError, of=ResidualLoss)
RESIDUAL_LOSSES.register(
    "huber",
    ResidualLoss(
        value=_huber,
        slope=lambda o, r: np.clip(r, -o.delta, o.delta),
        curvature=lambda o, r: (np.abs(r) < o.delta).astype(float),
        weight=lambda o, r: o.delta / np.maximum(np.abs(r), o.delta),
        title=lambda o, on: f"Huber({o.delta:g}) on {on}, summed",
        kinked=True,
    ),
)
RESIDUAL_LOSSES.register(
    "squares",
    ResidualLoss(
        value=lambda o, r: 0.5 * r * r,
        slope=lambda o, r: r,
        curvature=lambda o, r: np.ones_like(r),
        weight=lambda o, r: np.ones_like(r),
        title=lambda o, on: f"least squares on {on}",
    ),
)
RESIDUAL_LOSSES.register(
    "student",
    ResidualLoss(
        value=_student,
        slope=lambda o, r: (o.nu + 1) * r / (o.nu * o.delta**2 + r * r),
        curvature=_student_curvature,
        weight=lambda o, r: (o.nu + 1) / (o.nu * o.delta**2 + r * r),
        title=lambda o, on: f"Student-t({o.nu:g}), scale {o.delta:g}, on {on}",
    ),
)

HUBER = Objective()
SQUARES = Objective("squares")
#: Objectives by name, as ``fit(objective=...)`` takes them.
OBJECTIVES: Registry[Objective] = Registry("objective", FitError, of=Objective)
OBJECTIVES.register("huber", HUBER)
OBJECTIVES.register("squares", SQUARES)
OBJECTIVES.register("student", Objective("student", delta=5e-3))
OBJECTIVES.register("plain", Objective("squares", log=False))


def as_objective(objective: str | Objective) -> Objective:
    """The objective of a name, or itself; FitError for anything else."""
    if isinstance(objective, Objective):
        return objective
    if not isinstance(objective, str):
        names = ", ".join(OBJECTIVES)
        raise FitError(f"objective is {shown(objective)}; it is an Objective or one of {names}")
    return OBJECTIVES[objective]


def _names() -> str:
    return ", ".join(RESIDUAL_LOSSES)
