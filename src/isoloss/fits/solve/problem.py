"""A fit as numbers: bounded constants, and the objective with exact derivatives, in batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.solve.objective import DIGITS, Objective
from isoloss.fits.solve.slots import Slots, slots_of
from isoloss.laws import Array, Constant, Inputs, Jet, Law, Value, plain


@dataclass(frozen=True)
class Coordinates:
    """The free constants of a law as a vector theta: logarithms where a constant spans decades."""

    law: Law

    @cached_property
    def free(self) -> tuple[Constant, ...]:
        """The constants behind theta, in order."""
        return self.law.free

    @cached_property
    def lower(self) -> Array:
        """Lower bounds of theta, shape (p,)."""
        return np.array([self._walk(k, k.lower) for k in self.free])

    @cached_property
    def upper(self) -> Array:
        """Upper bounds of theta, shape (p,)."""
        return np.array([self._walk(k, k.upper) for k in self.free])

    def theta(self, values: Mapping[str, float]) -> Array:
        """The vector of named constants, shape (p,)."""
        return np.array([self._walk(k, values[k.name]) for k in self.free])

    def values(self, theta: Array) -> dict[str, float]:
        """Every constant by name, fixed and tied ones included, at one vector."""
        numbers = {k: float(np.ravel(v)[0]) for k, v in self.constants(theta[None, :]).items()}
        return {k.name: numbers[k.name] for k in self.law.constants}

    def table(self, theta: Array) -> Array:
        """The free constants themselves at many vectors, shape (S, p)."""
        logs = np.array([k.scale == "log" for k in self.free])
        return np.where(logs, np.exp(np.where(logs, theta, 0.0)), theta)

    def constants(self, theta: Array) -> dict[str, Value]:
        """Every constant at many vectors (S, p): arrays of shape (S, 1), fixed ones as numbers."""
        columns = self.table(theta)
        return self._named({k.name: columns[:, i : i + 1] for i, k in enumerate(self.free)})

    def jets(self, theta: Array, slots: Slots | None = None) -> dict[str, Value]:
        """As ``constants``, each with its derivatives by theta, or by the slots of theta."""
        columns = self.table(theta)
        jets: dict[str, Value] = {}
        for at, k in enumerate(self.free):
            value = columns[:, at : at + 1]
            i = at if slots is None else int(slots.of[at])
            if k.scale == "log":
                jets[k.name] = Jet(value, {i: value}, {(i, i): value})
            else:
                jets[k.name] = Jet(value, {i: np.ones_like(value)})
        return self._named(jets)

    def _named(self, free: dict[str, Value]) -> dict[str, Value]:
        named = {k: float(v) for k, v in self.law.values.items()} | free
        return named | {name: named[to] for name, to in self.law.ties.items()}

    @staticmethod
    def _walk(k: Constant, value: float) -> float:
        return float(np.log(max(value, k.lower))) if k.scale == "log" else float(value)


@dataclass(frozen=True)
class Problem:
    """A law on runs, for many vectors of constants at once.

    Attributes
    ----------
    coordinates
        The law and its free constants.
    x
        The n runs.
    observed
        Their losses, shape (n,), or (S, n) with one row a vector.
    objective
        What is minimised.
    weights
        Weights of rows, shape (n,) or (S, n); None for equal ones.
    """

    coordinates: Coordinates
    x: Inputs
    observed: Array
    objective: Objective
    weights: Array | None = None

    def part(self, rows: slice | NDArray[np.intp]) -> Problem:
        """The problem of some of the S vectors, where losses or weights differ between them."""
        observed = self.observed[rows] if self.observed.ndim == 2 else self.observed
        weights = (
            self.weights[rows]
            if self.weights is not None and self.weights.ndim == 2
            else self.weights
        )
        return replace(self, observed=observed, weights=weights)

    def residuals(self, theta: Array) -> Array:
        """Predicted less observed, (log) loss, shape (S, n); NaN outside the law's domain."""
        c = self.coordinates.constants(theta)
        return self._residual(np.broadcast_to(plain(self._loss(c)), (len(theta), len(self.x))))

    @property
    def digits(self) -> float:
        """The residual that a table does not tell from none."""
        unit = 1.0 if self.objective.log else float(np.median(np.abs(self.observed)))
        return DIGITS * unit

    def value(self, theta: Array) -> Array:
        """The objective at many vectors, shape (S,), infinite outside the law's domain."""
        rows = self.objective.value(self.residuals(theta))
        with np.errstate(invalid="ignore"):  # outside the domain, where a row weighs nothing
            total = rows.sum(-1) if self.weights is None else (rows * self.weights).sum(-1)
        return np.where(np.isfinite(total), total, np.inf)

    @property
    def slots(self) -> Slots:
        """Constants that share a derivative, as no run has two of them."""
        return slots_of(self.coordinates.law, self.x)

    def derivatives(
        self, theta: Array, slots: Slots | None = None
    ) -> tuple[Array, Array, Array, Array]:
        """Objective (S,), gradient (S, p), Hessian (S, p, p), metric diag(J' W J) (S, p)."""
        slots = self.slots if slots is None else slots
        loss = self._loss(self.coordinates.jets(theta, slots))
        shape = (len(theta), len(self.x))
        p = theta.shape[1]
        value = np.broadcast_to(loss.value, shape)
        r = self._residual(value)
        weights = 1.0 if self.weights is None else self.weights
        slope, bend, irls = (
            weights * f(r)
            for f in (self.objective.slope, self.objective.curvature, self.objective.weight)
        )
        scale = 1.0 / value if self.objective.log else np.ones(shape)
        jacobian = np.zeros((shape[0], p, shape[1]))
        for i, g in loss.grad.items():
            slots.put(jacobian, i, g * scale)
        if self.objective.log:
            bend = bend - slope
        hessian = (jacobian * bend[:, None, :]) @ jacobian.transpose(0, 2, 1)
        pull = slope * scale
        for pair, h in loss.hess.items():
            slots.add(hessian, pair, pull * h)
        total = (weights * self.objective.value(r)).sum(-1)
        gradient = (jacobian @ slope[:, :, None])[:, :, 0]
        metric = (jacobian * jacobian @ irls[:, :, None])[:, :, 0]
        return total, gradient, hessian, metric

    def jacobian(self, theta: Array) -> Array:
        """Derivative of the (log) loss of every run by theta at one vector, shape (n, p)."""
        loss = self._loss(self.coordinates.jets(theta[None, :]))
        out = np.zeros((len(theta), len(self.x)))
        if not isinstance(loss, Jet):
            return out.T
        value = np.broadcast_to(loss.value, (1, len(self.x)))
        for i, g in loss.grad.items():
            out[i] = (g / value if self.objective.log else g * np.ones_like(value))[0]
        return out.T

    def _loss(self, c: Mapping[str, Value]) -> Value:
        with np.errstate(all="ignore"):
            return self.coordinates.law.formula.loss(c, self.x)

    def _residual(self, predicted: Array) -> Array:
        with np.errstate(all="ignore"):
            return (
                np.log(predicted) - np.log(self.observed)
                if self.objective.log
                else predicted - self.observed
            )
