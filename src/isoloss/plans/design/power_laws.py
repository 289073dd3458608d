"""Published laws read in one form over a region of runs: where a design without a fit starts from.

The form is log L of E + A (N/N0)^-alpha + B (D/D0)^-beta, and in a precision that rounds also + k
(N/N0)^-n (D/D0)^d, with N0 and D0 in the middle of the region, so that amplitudes and exponents
hardly depend on each other. A law is read by least squares of its own log losses over the region,
its gap by a straight line in logarithms; laws that do not see the precision have no gap to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from isoloss.formats import Precision
from isoloss.laws import Array, Box, DomainError, Mask, as_inputs
from isoloss.plans.design.candidates import Candidates, Region
from isoloss.plans.problems import PlanError
from isoloss.plans.search import Member, reweighted, views_of

#: The constants of the base and of the gap, in order.
BASE, GAP = ("a", "alpha", "b", "beta", "E"), ("c", "n", "d")
#: Standard deviation that bounds alone leave each: uniform over some decades, exponents over 2, E
#: over 3.5 nats.
ALONE = np.array([3.0, 0.58, 3.0, 0.58, 1.0, 3.0, 0.58, 0.58])
#: Points a side at which laws are read, and where the search for their constants starts.
SIDE, START = 6, np.array([-0.7, 0.35, -0.7, 0.35, 1.7])
#: A law whose log losses this form misses by more (root mean square) is not read.
MISS = 0.02


@dataclass(frozen=True)
class Readings:
    """Laws in the form of a design.

    Attributes
    ----------
    names, weights
        Of the laws; weights add up to one.
    theta
        Their constants, (K, p): p is 5, or 8 with a gap.
    centre
        log N0 and log D0.
    boxes
        The region of each law's own runs, None where it is unknown.
    left_out
        Why other laws are not read, by name.
    share
        Share of the weight of all laws asked that these have.
    """

    names: tuple[str, ...]
    weights: Array
    theta: Array
    centre: tuple[float, float]
    boxes: tuple[Box | None, ...]
    left_out: dict[str, str]
    share: float

    def only(self, law: int) -> Readings:
        """One of the laws, as if it alone were right."""
        return replace(
            self,
            names=(self.names[law],),
            weights=np.ones(1),
            theta=self.theta[law : law + 1],
            boxes=(self.boxes[law],),
        )

    def outside(self, runs: Candidates) -> Array:
        """How far each run lies outside each law's own runs, as a factor, (K, m); NaN: unknown."""
        x = as_inputs(runs.params, runs.tokens)
        unknown = np.full(len(runs), np.nan)
        return np.array([unknown if b is None else b.outside(x) for b in self.boxes])

    def slopes(self, runs: Candidates) -> Array:
        """Slopes of the log loss of runs by the constants, (K, m, p)."""
        u, v = np.log(runs.params) - self.centre[0], np.log(runs.tokens) - self.centre[1]
        return np.array([slopes_of(theta, u, v, runs.which > 0) for theta in self.theta])

    def log_loss(self, theta: Array, runs: Candidates) -> Array:
        """The log loss of runs under some constants, (m,)."""
        u, v = np.log(runs.params) - self.centre[0], np.log(runs.tokens) - self.centre[1]
        return np.asarray(np.log(np.sum(_terms(theta, u, v, runs.which > 0), axis=0)))

    def best_log_params(self, theta: Array, flop: float) -> float:
        """Log of the compute-optimal params in full precision, 6 N D = flop."""
        a, alpha, b, beta = theta[:4]
        log_a, log_b = a + alpha * self.centre[0], b + beta * self.centre[1]
        split = np.log(alpha) + log_a - np.log(beta) - log_b + beta * np.log(flop / 6.0)
        return float(split / (alpha + beta))

    def log_gap(self, theta: Array, params: float, tokens: float) -> float:
        """Log of the gap at one size and length."""
        c, n, d = theta[5:]
        return float(
            c - n * (np.log(params) - self.centre[0]) + d * (np.log(tokens) - self.centre[1])
        )


def _terms(theta: Array, u: Array, v: Array, rounded: Mask) -> list[Array]:
    """The terms of the loss: of params, of tokens, the floor, the gap."""
    a, alpha, b, beta, floor = theta[:5]
    found = [np.exp(a - alpha * u), np.exp(b - beta * v), np.full(len(u), floor)]
    if len(theta) > len(BASE):
        c, n, d = theta[5:]
        found.append(np.where(rounded, np.exp(c - n * u + d * v), 0.0))
    return found


def slopes_of(theta: Array, u: Array, v: Array, rounded: Mask) -> Array:
    """Slopes of the log loss by the constants, (m, p)."""
    terms = _terms(theta, u, v, rounded)
    size, data = terms[:2]
    found = [size, -u * size, data, -v * data, np.ones(len(u))]
    if len(terms) > 3:
        gap = terms[3]
        found += [gap, -u * gap, v * gap]
    return np.asarray(np.array(found).T / np.sum(terms, axis=0)[:, None])


def readings_of(members: Sequence[Member], region: Region, rounded: Precision | None) -> Readings:
    """Laws read over a region, with the gap of a precision where one is given.

    Raises PlanError where none can be read.
    """
    n, d = _grid(region)
    centre = float(np.log(n).mean()), float(np.log(d).mean())
    kept, thetas, left_out = [], [], {}
    for m in members:
        try:
            thetas.append(_reading(m, n, d, centre, rounded))
            kept.append(m)
        except PlanError as error:
            left_out[m.law.name] = str(error)
    if not kept:
        name, why = next(iter(left_out.items()))
        raise PlanError(f"none of {len(members)} laws can be read for this question; {name}: {why}")
    weighed = reweighted(kept)
    return Readings(
        names=tuple(m.law.name for m in weighed),
        weights=np.array([m.weight for m in weighed]),
        theta=np.array(thetas),
        centre=centre,
        boxes=tuple(m.law.box for m in weighed),
        left_out=left_out,
        share=sum(m.weight for m in kept) / sum(m.weight for m in members),
    )


def _grid(region: Region) -> tuple[Array, Array]:
    """A regular grid of the region's params and tokens, within its ratio."""
    sides = (np.geomspace(*ends, SIDE) for ends in (region.params, region.tokens))
    n, d = (v.ravel() for v in np.meshgrid(*sides, indexing="ij"))
    inside = (d / n >= region.ratio[0]) & (d / n <= region.ratio[1])
    return n[inside], d[inside]


def _reading(
    member: Member, n: Array, d: Array, centre: tuple[float, float], rounded: Precision | None
) -> Array:
    """The constants of one law; PlanError where it cannot be read."""
    u, v = np.log(n) - centre[0], np.log(d) - centre[1]
    full = _losses(member, Precision("fp"), n, d)
    none = np.zeros(len(u), dtype=bool)

    def miss(theta: Array) -> Array:
        return np.asarray(np.log(np.sum(_terms(theta, u, v, none), axis=0)) - np.log(full))

    low, high = np.array([-20.0, 0.01, -20.0, 0.01, 0.0]), np.array([20.0, 3.0, 20.0, 3.0, 20.0])
    found = least_squares(miss, START, bounds=(low, high), x_scale=np.array([1, 0.1, 1, 0.1, 1]))
    if (rms := float(np.sqrt(np.mean(found.fun**2)))) > MISS:
        raise PlanError(f"a sum of two powers misses its losses by {100 * rms:.2g}%")
    theta = np.asarray(found.x)
    if rounded is None:
        return theta
    view = views_of(member, [rounded])[0]
    if not view.sees:
        raise PlanError(view.why(member.law.name, rounded))
    gap = _losses(member, rounded, n, d) - full
    if not (gap > 0).all():
        raise PlanError(f"its gap of '{rounded}' is not above zero at all of these runs")
    design = np.stack([np.ones(len(u)), -u, v], axis=1)
    return np.concatenate([theta, np.linalg.lstsq(design, np.log(gap), rcond=None)[0]])


def _losses(member: Member, precision: Precision, n: Array, d: Array) -> Array:
    """The losses of a law in one precision; PlanError where it is undefined."""
    groups = None if member.group is None else [member.group] * len(n)
    try:
        loss = member.law(n, d, precision, group=groups) if groups else member.law(n, d, precision)
    except DomainError as error:
        raise PlanError(str(error)) from error
    return np.asarray(loss, dtype=float)
