"""The floor: what the risk in use comes down to as samples grow, with noise on the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from isoloss.linear.descent import SGD
from isoloss.linear.studies.on_networks.beside import Beside, Way, beside, like, row, sizes, spread
from isoloss.linear.studies.on_networks.verdict import Verdict, judged, log_slope
from isoloss.linear.studies.question import Study
from isoloss.linear.studies.work import Work

IN_USE = "in use"


def network_floor(
    *,
    dim: int = 32,
    width: int = 16,
    teacher_width: int = 4,
    decay: float = 2.0,
    eps: Sequence[float] = (0.001, 0.01, 0.1),
    batch: int = 16,
    steps: Sequence[int] = (250, 1000, 4000, 8000),
    share: float = 0.3,
    replicates: int = 16,
    seed: int = 0,
    dtype: str = "float32",
    device: str = "cpu",
    work: Work | None = None,
) -> Study:
    """The floor of the risk in use under additive noise and a factor, beside the linear floor."""
    from isoloss.linear.networks import Network

    spread("eps", eps)
    way = Way(replicates, seed, dtype, device, share, "geometric")
    network = Network(dim, width, decay, teacher_width)
    size = sizes(network, batch, way)
    noises = {"additive": "add", "shared factor": "vec"}
    spelled = ["fp", *(f"d:{noise}({each})" for noise in noises.values() for each in eps)]
    found = (work or Work()).results(
        [partial(beside, network, SGD(each, batch), spelled, size, way, [IN_USE]) for each in steps]
    )
    rows: list[dict[str, Any]] = []
    for at, name in enumerate(noises):
        members = range(1 + at * len(eps), 1 + (at + 1) * len(eps))
        verdict = _against_eps(found[-1], members, name, eps)
        for k, level in zip(members, eps, strict=True):
            # A row has one verdict: rows of networks the share of the floor, the others the slope.
            own = _share_of_floor(found[-1], k, name, level) if name == "additive" else verdict
            for count, cell in zip(steps, found, strict=True):
                pair = row(cell, IN_USE, k, float(count * batch), f"eps {level:g}", name, eps=level)
                for each, judgement in zip(pair, (own, verdict), strict=True):
                    rows.append(each | judgement.columns | {"said": str(judgement)})
    study = Study(
        "network-floor",
        "What does the risk in use come down to when data are rounded? A ReLU network, "
        f"d = {dim}, {width} neurons, batch {batch}, step {share:g} of the limit halved at equal "
        f"distances, last iterate, {replicates} replicates with both signs of noise; the risk in "
        "use less that of full precision.",
        pl.DataFrame(rows, infer_schema_length=None),
        "x", "gap", "series", "panel", ("samples", "risk in use less that of full precision"), (),
    )  # fmt: skip
    return replace(study, answer=tuple(dict.fromkeys(each["said"] for each in rows)))


def _against_eps(found: Beside, members: range, name: str, levels: Sequence[float]) -> Verdict:
    """How the increment at the most samples grows with the level."""
    slope = log_slope(levels)
    linear = found.linear[IN_USE]
    values = found.networks[IN_USE].increments()[-1][list(members)]
    predicted = slope(linear[list(members)] - linear[0])
    return judged(f"floor, {name}", "slope against eps", slope, values, predicted)


def _share_of_floor(found: Beside, k: int, name: str, eps: float) -> Verdict:
    """The increment at the most samples over what no function of the rounded inputs can learn."""
    from isoloss.linear.networks import input_floors

    risks = found.networks[IN_USE]
    own = input_floors(risks.trained, eps)
    problem = like(risks.trained.network)
    lam = problem.lam
    floor = 0.5 * float(np.sum(problem.target_squares * lam * eps / (lam + eps)))
    linear = float(found.linear[IN_USE][k] - found.linear[IN_USE][0]) / floor
    values = np.stack([risks.increments()[-1, k], own])
    return judged(
        f"floor, {name}, eps {eps:g}",
        "share of the floor",
        lambda means: float(means[0] / means[1]),
        values,
        linear,
    )
