"""Efficiencies at several floors E: an efficiency has no meaning without its base."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from isoloss.fits.solve import Coordinates, Optimum, optimise
from isoloss.laws import DomainError, as_inputs

#: Floors at which efficiencies are printed, in nats.
FLOORS = (0.0, 1.0, 1.5)


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


def efficiencies(optimum: Optimum, starts: int = 2) -> Efficiencies | None:
    """Efficiencies at several floors, at median params and tokens; None for a law without any."""
    law = optimum.problem.coordinates.law
    names = [
        k.name
        for k in law.free
        if "[" in k.name
        and k.name.partition("[")[0] not in ("A", "B", "E", "alpha", "beta", "kappa")
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
    for floor in FLOORS:
        held = replace(scaled, coordinates=Coordinates(law.fix(E=floor)))
        again = optimise(held, optimum.absent, starts, 0, held.coordinates.theta(near))
        reached.append(again.certificate.objective)
        fitted = again.law
        for name in names:
            values[name].append(float(fitted.values[name]))
            gaps[name].append(_gap(again, name, n, d))
    rows = {k: tuple(v) for k, v in values.items()}
    return Efficiencies(n, d, FLOORS, tuple(reached), rows, {k: tuple(v) for k, v in gaps.items()})


def _gap(optimum: Optimum, name: str, params: float, tokens: float) -> float:
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
        return float((optimum.law.loss(x) - optimum.law.loss(x.at_reference()))[0])
    except DomainError:
        return float("nan")
