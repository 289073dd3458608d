"""What a fit minimises: how residuals are measured, and how heavily large ones count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

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
        Where "huber" turns from square to linear; the scale of "student". None: 1e-3, or for a kind
        with a scale of its own, as "student", the most likely one at the residuals of each fit.
    log
        Residuals of log loss, which are relative; otherwise in the unit of the loss.
    nu
        Degrees of freedom of "student".
    found
        Whether delta is a scale that a fit found from its residuals.

    Raises
    ------
    FitError
        The kind is unknown, or delta or nu is no number above zero.

    Notes
    -----
    Reference: Hoffmann et al. 2022, section 3.3 (Huber 1e-3 on log loss); Lange, Little and Taylor
    1989, JASA 84 (regression with Student's t and its scale by maximum likelihood).
    """

    kind: str = "huber"
    delta: float | None = None
    log: bool = True
    nu: float = 4.0
    found: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str):
            raise FitError(f"kind of objective is {shown(self.kind)}; it is one of {_names()}")
        loss = RESIDUAL_LOSSES[self.kind]  # an unknown one is refused here, before any work
        if self.delta is None and loss.likeliest is None:
            object.__setattr__(self, "delta", 1e-3)
        for name, value in (("delta", self.delta), ("nu", self.nu)):
            if value is not None and not 0 < value < np.inf:
                raise FitError(f"{name} of an objective is {shown(value)}; it is above 0")

    @property
    def scale(self) -> float:
        """Delta as a number; FitError where no fit has found it yet."""
        if self.delta is None:
            raise FitError(f"the scale of {self} is found by a fit; give delta to have it before")
        return self.delta

    def at(self, r: Array, weights: Array | None = None, floor: float = 0.0) -> Objective:
        """The same objective with the most likely scale at residuals (n,), and no less than floor.

        An objective whose scale is given stays as it is.
        """
        likeliest = self.residual_loss.likeliest
        if likeliest is None or not (self.found or self.delta is None):
            return self
        rows = np.ones_like(r) if weights is None else weights
        return replace(self, delta=max(likeliest(self, r, rows), floor), found=True)

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

    def said(self, what: str = "loss") -> str:
        """In words, of residuals of a "loss" or a "gap"."""
        return self.residual_loss.title(self, f"log {what}" if self.log else what)

    def __str__(self) -> str:
        return self.said()


Part = Callable[[Objective, Array], Array]
Scale = Callable[[Objective, Array, Array], float]
#: Relative loss below which a residual is rounding: the least scale that is found.
ROUNDING = 1e-9
#: Least relative loss that a table tells from none, as it writes some five digits.
DIGITS = 1e-5


def _normal_deviance(o: Objective, r: Array) -> float:
    """Of a normal law of the most likely variance."""
    return float(len(r) * (np.log(2 * np.pi * max(float(np.mean(r * r)), ROUNDING**2)) + 1))


def _laplace_deviance(o: Objective, r: Array) -> float:
    """Of a Laplace law of the most likely scale, which stands for Huber of a small delta."""
    return float(2 * len(r) * (np.log(2 * max(float(np.mean(np.abs(r))), ROUNDING)) + 1))


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
        wider deltas, and its curvature is a density of residuals.
    deviance
        Minus twice the log likelihood of residuals at the most likely scale; a normal law's if not
        given.
    likeliest
        The most likely scale from the objective, residuals and weights of rows, where the value is
        minus a log density in residuals over delta; None where delta is a choice.
    """

    value: Part
    slope: Part
    curvature: Part
    weight: Part
    title: Callable[[Objective, str], str]
    kinked: bool = False
    deviance: Callable[[Objective, Array], float] = _normal_deviance
    likeliest: Scale | None = None


def _huber(o: Objective, r: Array) -> Array:
    """r^2/2 up to delta, delta (|r| - delta/2) beyond."""
    size = np.abs(r)
    inner = np.minimum(size, o.scale)
    return inner * (size - 0.5 * inner)


def _student(o: Objective, r: Array) -> Array:
    """Negative log-likelihood of a Student-t of nu degrees of freedom, less its constant."""
    return np.asarray(0.5 * (o.nu + 1) * np.log1p(np.square(r / o.scale) / o.nu))


def _student_curvature(o: Objective, r: Array) -> Array:
    wide = o.nu * o.scale**2
    return np.asarray((o.nu + 1) * (wide - r * r) / np.square(wide + r * r))


def _student_scale(o: Objective, r: Array, weights: Array) -> float:
    """Root of sum w ((nu + 1) r^2 / (nu s^2 + r^2) - 1) in s; 0 where too few residuals differ."""
    squares = r * r
    low, high = 0.0, float(np.abs(r).max(initial=0.0)) * np.sqrt((o.nu + 1) / o.nu)
    # The left side falls with s, so halving the interval finds the only root.
    for _ in range(60):
        middle = 0.5 * (low + high)
        pull = (o.nu + 1) * squares / np.maximum(o.nu * middle**2 + squares, 1e-300) - 1.0
        low, high = (middle, high) if float(weights @ pull) > 0 else (low, middle)
    return float(high)


def _student_deviance(o: Objective, r: Array) -> float:
    scaled = replace(o, delta=max(_student_scale(o, r, np.ones_like(r)), ROUNDING))
    density = stats.t.logpdf(r / scaled.scale, o.nu) - np.log(scaled.scale)
    return -2.0 * float(density.sum())


def _scale_in_words(o: Objective) -> str:
    if o.delta is None:
        return "scale found from the residuals"
    return f"scale {o.delta:.3g}" + (" found from the residuals" if o.found else "")


#: Residual losses by name; one more is ``RESIDUAL_LOSSES.register("cauchy", ResidualLoss(...))``.
RESIDUAL_LOSSES: Registry[ResidualLoss] = Registry("kind of objective", FitError, of=ResidualLoss)
RESIDUAL_LOSSES.register(
    "huber",
    ResidualLoss(
        value=_huber,
        slope=lambda o, r: np.clip(r, -o.scale, o.scale),
        curvature=lambda o, r: (np.abs(r) < o.scale).astype(float),
        weight=lambda o, r: o.scale / np.maximum(np.abs(r), o.scale),
        title=lambda o, on: f"Huber({o.scale:g}) on {on}, summed",
        kinked=True,
        deviance=_laplace_deviance,
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
        slope=lambda o, r: (o.nu + 1) * r / (o.nu * o.scale**2 + r * r),
        curvature=_student_curvature,
        weight=lambda o, r: (o.nu + 1) / (o.nu * o.scale**2 + r * r),
        title=lambda o, on: f"Student-t({o.nu:g}), {_scale_in_words(o)}, on {on}",
        deviance=_student_deviance,
        likeliest=_student_scale,
    ),
)

HUBER = Objective()
SQUARES = Objective("squares")
#: The default of every verb: its scale is that of the residuals, whatever the metric of the losses.
STUDENT = Objective("student")
#: Objectives by name, as ``fit(objective=...)`` takes them.
OBJECTIVES: Registry[Objective] = Registry("objective", FitError, of=Objective)
OBJECTIVES.register("huber", HUBER)
OBJECTIVES.register("squares", SQUARES)
OBJECTIVES.register("student", STUDENT)
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
