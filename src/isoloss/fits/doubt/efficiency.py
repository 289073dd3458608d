"""Efficiencies at several floors E: an efficiency has no meaning without its base."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from isoloss.fits.solve import Coordinates, Optimum, feasible_starts, solve
from isoloss.formats import Precision
from isoloss.laws import DomainError, Law, as_inputs

#: Floors at which efficiencies are printed, in nats.
FLOORS = (0.0, 1.0, 1.5)
#: Random starts at each floor, beside one from the floor before.
STARTS = 3


@dataclass(frozen=True)
class Efficiencies:
    """Efficiencies with E held at several floors, and the loss gap of each at a reference size.

    Attributes
    ----------
    params, tokens
        The reference size: medians over the runs.
    floors
        Values of E, nats per token.
    objective
        The least objective at each floor.
    values, gaps
        The efficiency and its loss gap in nats by constant, one number a floor.
    """

    params: float
    tokens: float
    floors: tuple[float, ...]
    objective: tuple[float, ...]
    values: Mapping[str, tuple[float, ...]]
    gaps: Mapping[str, tuple[float, ...]]


def efficiencies(optimum: Optimum) -> Efficiencies | None:
    """Efficiencies at several floors, at median params and tokens; None for a law without any.

    Each floor is walked to from the next higher one, the highest from the optimum.
    """
    law = optimum.problem.coordinates.law
    names = [
        k.name
        for k in law.free
        if "[" in k.name
        and k.name.partition("[")[0] not in ("A", "B", "E", "alpha", "beta", "kappa")
        and _is_level(k.name)
    ]
    x = optimum.problem.x
    if not names or x.groups or "E" not in {k.name for k in law.constants}:
        return None
    n, d = float(np.median(x.params)), float(np.median(x.tokens))
    values: dict[str, list[float]] = {name: [] for name in names}
    gaps: dict[str, list[float]] = {name: [] for name in names}
    reached = []
    # One scale at every floor, or their objectives could not be compared.
    scaled = replace(optimum.problem, objective=replace(optimum.problem.objective, found=False))
    near = optimum.problem.coordinates.values(optimum.theta)
    for floor in FLOORS[::-1]:
        held = replace(scaled, coordinates=Coordinates(law.fix(E=floor)))
        begin = np.vstack([held.coordinates.theta(near), feasible_starts(held, STARTS, 0)])
        found = solve(held, begin, tolerance=1e-6, max_steps=100)
        best = int(np.argmin(found.value))
        near = held.coordinates.values(found.theta[best])
        reached.append(float(found.value[best]))
        fitted = held.coordinates.law.with_values(
            {k: v for k, v in near.items() if k not in law.ties}
        )
        for name in values:
            values[name].append(float(fitted.values[name]))
            gaps[name].append(_gap(fitted, name, n, d))
    rows, costs = ({k: tuple(v[::-1]) for k, v in each.items()} for each in (values, gaps))
    return Efficiencies(n, d, FLOORS, tuple(reached[::-1]), rows, costs)


def _is_level(name: str) -> bool:
    """Whether the label of an entry is a precision, and not a method or another word."""
    label = re.sub(r" \d+:\d+$", "", name[name.index("[") + 1 : -1])
    try:
        Precision.parse(label)
    except ValueError:
        return bool(re.fullmatch(r"\d+:\d+", label))
    return True


def _gap(law: Law, name: str, params: float, tokens: float) -> float:
    """The loss that the level of an entry costs, in nats; its label may end with a sparsity.

    NaN where the law needs more than a label says, as the group size that Chen's labels leave out.
    """
    label = name[name.index("[") + 1 : -1]
    spelling, _, last = label.rpartition(" ")
    sparse = bool(re.fullmatch(r"\d+:\d+", last))
    x = as_inputs(
        params, tokens, (spelling or "fp") if sparse else label, sparsity=[last if sparse else None]
    )
    try:
        return float((law.loss(x) - law.loss(x.at_reference()))[0])
    except DomainError:
        return float("nan")
