"""The oracle: quantised SGD as a researcher would simulate it in plain numpy, many replicates at
once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rule = Any  # ("add", eps), ("vec", eps), ("coord", eps) or a function of values and generator


@dataclass(frozen=True)
class Simulation:
    """The problem and the descent; `sizes` are the step sizes, `parts` the rounding of d l w
    a g.
    """

    lam: Array
    target: Array
    noise_var: float
    sizes: Array
    batch: int = 1
    momentum: float = 0.0
    parts: Mapping[str, Rule] = field(default_factory=dict)
    features: str = "normal"
    sketch: Array | None = None
    before: bool = False
    carry: float = 1.0
    direct: float = 0.0


def noisy(values: Array, rule: Rule, shared: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Values with the noise of a rule; `shared` is the shape of one factor a vector."""
    if rule is None:
        return values
    if callable(rule):
        return rule(values, rng)
    kind, eps = rule
    if kind == "add":
        return values + np.sqrt(eps) * rng.standard_normal(values.shape)
    factor = rng.standard_normal(shared if kind == "vec" else values.shape)
    return values * (1 + np.sqrt(eps) * factor)


def draw(shape: tuple[int, ...], features: str, rng: np.random.Generator) -> Array:
    if features == "normal":
        return rng.standard_normal(shape)
    if features == "sign":  # kurtosis 1
        return rng.choice([-1.0, 1.0], shape)
    return rng.uniform(-np.sqrt(3), np.sqrt(3), shape)  # kurtosis 1.8


def iterates(sim: Simulation, replicates: int, seed: int, first: int | None) -> Array:
    """The result w of every replicate: the last iterate, or the average of those from `first`
    on.
    """
    last, average = both_iterates(sim, replicates, seed, first or 0)
    return last if first is None else average


def both_iterates(
    sim: Simulation, replicates: int, seed: int, first: int = 0
) -> tuple[Array, Array]:
    """The last iterate of every replicate, and the average of those from `first` on."""
    rng = np.random.default_rng(seed)
    rows = sim.sketch.shape[0] if sim.sketch is not None else len(sim.lam)
    w, u, total = (np.zeros((replicates, rows)) for _ in range(3))
    get = sim.parts.get
    for t, size in enumerate(sim.sizes):
        if t >= first:
            total += w
        x = np.sqrt(sim.lam) * draw((replicates, sim.batch, len(sim.lam)), sim.features, rng)
        y = x @ sim.target + np.sqrt(sim.noise_var) * rng.standard_normal((replicates, sim.batch))
        if sim.sketch is None or not sim.before:
            seen = x if sim.sketch is None else x @ sim.sketch.T
            seen = noisy(seen, get("d"), (replicates, sim.batch, 1), rng)
        else:
            seen = noisy(x, get("d"), (replicates, sim.batch, 1), rng) @ sim.sketch.T
        labels = noisy(y, get("l"), (replicates, 1), rng)
        used = noisy(w, get("w"), (replicates, 1), rng)
        activations = noisy(np.einsum("rbd,rd->rb", seen, used), get("a"), (replicates, 1), rng)
        error = noisy(labels - activations, get("g"), (replicates, 1), rng)
        pull = size / sim.batch * np.einsum("rbd,rb->rd", seen, error)
        u = sim.momentum * u + pull
        w = w + sim.carry * u + sim.direct * pull
    return w, total / (len(sim.sizes) - first)


def score(samples: Array, expected: float) -> float:
    """How many standard errors the mean of the samples is off."""
    return float((np.mean(samples) - expected) / (np.std(samples) / np.sqrt(len(samples))))


def on_grid(levels: Array, stochastic: bool) -> Rule:
    """Rounding to the numbers +-levels: to the nearest, or to a neighbour so that the mean is
    kept.
    """
    signed = np.concatenate([-levels[:0:-1], levels])

    def rule(values: Array, rng: np.random.Generator) -> Array:
        inside = np.clip(values, signed[0], signed[-1])
        below = np.clip(np.searchsorted(signed, inside, side="right") - 1, 0, len(signed) - 2)
        share = (inside - signed[below]) / (signed[below + 1] - signed[below])
        up = rng.random(values.shape) < share if stochastic else share > 0.5
        return np.where(up, signed[below + 1], signed[below])

    return rule
