"""Effective size: whether wider networks still gain when data are rounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isoloss.linear.descent import SGD
from isoloss.linear.regression import Regression
from isoloss.linear.studies.on_networks.beside import (
    Array,
    Beside,
    Replicates,
    Setting,
    Way,
    measured,
    sizes,
    spread,
)
from isoloss.linear.studies.on_networks.lines import Rows, data_noises, in_study, row, said
from isoloss.linear.studies.on_networks.verdict import judged
from isoloss.linear.studies.question import Study
from isoloss.linear.studies.work import Work

IN_USE = "in use"


def network_width(
    *,
    dim: int = 64,
    width: Sequence[int] = (4, 8, 16),
    teacher_width: int = 64,
    decay: float = 2.0,
    noise_var: float = 0.05,
    eps_add: float = 0.01,
    eps_mul: float = 0.1,
    batch: int = 16,
    steps: int = 3000,
    share: float = 0.1,
    replicates: Replicates = 16,
    seed: int = 0,
    dtype: str = "float32",
    device: str = "cpu",
    work: Work | None = None,
) -> Study:
    """What the last doubling of the width gains under rounding, beside a linear sketch."""
    spread("width", width)
    way = Way(replicates, seed, dtype, device, share, "geometric")
    noises = {"full precision": "fp", **data_noises(eps_add, eps_mul)}
    from isoloss.linear.networks import Network

    settings = []
    for neurons in width:
        network = Network(dim, neurons, decay, teacher_width, noise_var)
        # The rows of a sketch stand for the neurons; its data are rounded before it.
        sketches = tuple(
            Regression(dim, decay, noise_var, "isotropic", neurons, site="before", seed=each)
            for each in range(replicates)
        )
        size, sgd = sizes(network, batch, way), SGD(steps, batch)
        settings.append(Setting(network, sgd, tuple(noises.values()), size, (IN_USE,), sketches))
    return in_study(
        "network-width",
        "Do wider networks gain as much when data are rounded? A ReLU student of a teacher of "
        f"width {teacher_width}, d = {dim}, additive noise {eps_add:g}, factors {eps_mul:g}, "
        f"{steps} steps of batch {batch}, step {share:g} of the limit halved at equal distances, "
        f"last iterate, {replicates} replicates with both signs of noise; the linear problem is a "
        "sketch of as many rows.",
        _lines(measured(work, settings, way), list(noises)),
        "neurons (or rows of a sketch)",
        "loss",
        "excess risk in use",
    )


def _lines(found: list[Beside], noises: list[str]) -> Rows:
    """The rows of every noise at every width, with the verdict on the last doubling."""
    rows: Rows = []
    for k, name in enumerate(noises):
        more = _gain(found, k, name) if k else {}
        for cell in found:
            neurons = float(cell.setting.network.width)
            rows += row(cell, IN_USE, k, neurons, name, "data rounded in use", **more)
    return rows


def _gain(found: list[Beside], k: int, name: str) -> dict[str, Any]:
    """The gain of the last doubling over that of full precision, with its verdict."""
    last, before = found[-1], found[-2]
    gains = before.networks[IN_USE] - last.networks[IN_USE]
    theirs: Array = before.linear[IN_USE] - last.linear[IN_USE]
    verdict = judged(
        f"last doubling of the width, {name}",
        "gain of the last doubling",
        lambda means: float(means[0] / means[1]),
        np.stack([gains[k], gains[0]]),
        float(theirs[k] / theirs[0]),
    )
    return said(verdict)
