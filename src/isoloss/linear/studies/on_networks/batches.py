"""Batch scaling: whether what rounding costs falls with the batch, part by part and noise by
noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from isoloss.linear.descent import SGD
from isoloss.linear.studies.on_networks.beside import Beside, Way, beside, row, sizes, spread
from isoloss.linear.studies.on_networks.verdict import judged, log_slope
from isoloss.linear.studies.question import Study
from isoloss.linear.studies.work import Work

NOISES = {"add": "additive", "vec": "shared factor", "coord": "factor by element"}
PARTS = {
    "d": "data",
    "l": "labels",
    "w": "weights",
    "a": "activations",
    "g": "output gradients",
}
#: Activations again, in networks that leave out what may be between them and the linear case: the
#: rounding between the layers, or the training of the layer whose data these activations are.
APART: dict[str, dict[str, Any]] = {
    "activations, output alone": {"between": False},
    "activations, second layer fixed": {"second_layer": False},
}


def network_batch(
    *,
    dim: int = 32,
    width: int = 16,
    teacher_width: int = 4,
    decay: float = 2.0,
    eps: float = 0.05,
    batch: Sequence[int] = (4, 16, 64, 128),
    steps: int = 400,
    share: float = 0.1,
    replicates: int = 64,
    seed: int = 0,
    dtype: str = "float32",
    device: str = "cpu",
    work: Work | None = None,
) -> Study:
    """Batch scaling of rounding in a network, each part, beside the linear prediction."""
    from isoloss.linear.networks import Network

    spread("batch", batch)
    way = Way(replicates, seed, dtype, device, share)
    network = Network(dim, width, decay, teacher_width)
    size = sizes(network, min(batch), way)
    spelled = ["fp", *(f"{part}:{noise}({eps})" for part in PARTS for noise in NOISES)]
    alone = ["fp", *(f"a:{noise}({eps})" for noise in NOISES)]
    posed = [(network, spelled), *((replace(network, **each), alone) for each in APART.values())]
    done = (work or Work()).results(
        [
            partial(beside, asked, SGD(steps, each), precisions, size, way)
            for asked, precisions in posed
            for each in batch
        ]
    )
    rows: list[dict[str, Any]] = []
    for k, text in enumerate(spelled[1:], start=1):
        rows += _line(done[: len(batch)], k, PARTS[text[0]], batch)
    for at, panel in enumerate(APART, start=1):
        for k in range(1, len(alone)):
            rows += _line(done[at * len(batch) : (at + 1) * len(batch)], k, panel, batch)
    study = Study(
        "network-batch",
        f"Does a larger batch average rounding away in a ReLU network too? eps {eps:g} on one "
        f"part, d = {dim}, {width} neurons, {steps} steps of {share:g} of the limit at batch "
        f"{min(batch)}, last iterate, {replicates} replicates with both signs of noise; the "
        "risk less that of full precision.",
        pl.DataFrame(rows, infer_schema_length=None),
        "x", "gap", "series", "panel", ("batch", "risk less that of full precision"), (),
    )  # fmt: skip
    return replace(study, answer=tuple(dict.fromkeys(each["said"] for each in rows)))


def _line(
    found: list[Beside], k: int, panel: str, batch_sizes: Sequence[int]
) -> list[dict[str, Any]]:
    first = found[0].networks["clean"].trained.precisions[k]
    name = NOISES[str(first).partition(":")[2].partition("(")[0]]
    values = np.stack([each.networks["clean"].increments()[-1, k] for each in found])
    slope = log_slope(batch_sizes)
    linear = slope(np.array([each.linear["clean"][k] - each.linear["clean"][0] for each in found]))
    verdict = judged(f"{panel}, {name}", "slope against batch", slope, values, linear)
    more = {**verdict.columns, "said": str(verdict)}
    return [
        each
        for batch, cell in zip(batch_sizes, found, strict=True)
        for each in row(cell, "clean", k, float(batch), name, panel, batch_tokens=batch, **more)
    ]
