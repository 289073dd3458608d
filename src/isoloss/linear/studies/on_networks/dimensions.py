"""Dimension scaling: whether what rounding data costs grows with the dimension at fixed samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from isoloss.linear.descent import SGD
from isoloss.linear.risk import INPUT_WORDS
from isoloss.linear.studies.on_networks.beside import Beside, Way, beside, row, sizes, spread
from isoloss.linear.studies.on_networks.verdict import judged, log_slope
from isoloss.linear.studies.question import Study
from isoloss.linear.studies.work import Work

READINGS = ("clean", "in use")


def network_dimension(
    *,
    dim: Sequence[int] = (32, 64, 128, 256),
    width: int = 16,
    teacher_width: int = 4,
    decay: float = 2.0,
    eps_add: float = 0.01,
    eps_mul: float = 0.1,
    batch: int = 4,
    steps: int = 2000,
    share: float = 0.1,
    small: float = 0.1,
    replicates: int = 48,
    seed: int = 0,
    dtype: str = "float32",
    device: str = "cpu",
    work: Work | None = None,
) -> Study:
    """Dimension scaling of rounded data in a network, clean and in use, beside the linear one."""
    from isoloss.linear.networks import Network

    spread("dim", dim)
    way = Way(replicates, seed, dtype, device, share)
    ways = {
        "additive": f"d:add({eps_add})",
        "shared factor": f"d:vec({eps_mul})",
        "factor by element": f"d:coord({eps_mul})",
    }
    starts = {"start 1": 1.0, f"start {small:g}": small}
    networks = [
        Network(each, width, decay, teacher_width, init=init)
        for init in starts.values()
        for each in dim
    ]
    done = (work or Work()).results(
        [
            partial(
                beside, each, SGD(steps, batch), ["fp", *ways.values()],
                sizes(each, batch, way), way, READINGS,
            )
            for each in networks
        ]
    )  # fmt: skip
    rows: list[dict[str, Any]] = []
    for at, start in enumerate(starts):
        found = done[at * len(dim) : (at + 1) * len(dim)]
        for k, name in enumerate(ways, start=1):
            for reading in READINGS:
                rows += _line(found, k, reading, name, f"{INPUT_WORDS[reading]}, {start}", dim)
    study = Study(
        "network-dimension",
        "At fixed samples, does the cost of rounded data grow with the dimension in a ReLU "
        f"network? Additive noise {eps_add:g}, factors {eps_mul:g}; {width} neurons whose first "
        f"weights have deviation 1 or {small:g}, {steps} steps of {share:g} of the limit, batch "
        f"{batch}, last iterate, {replicates} replicates with both signs of noise; the risk less "
        "that of full precision.",
        pl.DataFrame(rows, infer_schema_length=None),
        "x", "gap", "series", "panel", ("dimension", "risk less that of full precision"), (),
    )  # fmt: skip
    return replace(study, answer=tuple(dict.fromkeys(each["said"] for each in rows)))


def _line(
    found: list[Beside], k: int, reading: str, name: str, panel: str, dims: Sequence[int]
) -> list[dict[str, Any]]:
    values = np.stack([each.networks[reading].increments()[-1, k] for each in found])
    slope = log_slope(dims)
    linear = slope(np.array([each.linear[reading][k] - each.linear[reading][0] for each in found]))
    verdict = judged(f"{panel}, {name}", "slope against dimension", slope, values, linear)
    more = {**verdict.columns, "said": str(verdict)}
    return [
        each
        for dim, cell in zip(dims, found, strict=True)
        for each in row(cell, reading, k, float(dim), name, panel, dim=dim, **more)
    ]
