"""The floor: what the risk in use comes down to as samples grow, with noise on the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.linear.descent import SGD
from isoloss.linear.studies.on_networks.beside import (
    Beside,
    Replicates,
    Setting,
    Way,
    measured,
    sizes,
    spread,
)
from isoloss.linear.studies.on_networks.lines import Rows, in_study, row, said
from isoloss.linear.studies.on_networks.verdict import Verdict, judged, log_slope
from isoloss.linear.studies.question import Study
from isoloss.linear.studies.work import Work

IN_USE = "in use"
NOISY = {"additive": "add", "shared factor": "vec"}


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
    replicates: Replicates = 16,
    seed: int = 0,
    dtype: str = "float32",
    device: str = "cpu",
    work: Work | None = None,
) -> Study:
    """The floor of the risk in use under additive noise and a factor, beside the linear floor."""
    spread("eps", eps)
    way = Way(replicates, seed, dtype, device, share, "geometric")
    from isoloss.linear.networks import Network

    network = Network(dim, width, decay, teacher_width)
    size = sizes(network, batch, way)
    spelled = ("fp", *(f"d:{noise}({each})" for noise in NOISY.values() for each in eps))
    settings = [Setting(network, SGD(each, batch), spelled, size, (IN_USE,)) for each in steps]
    found = measured(work, settings, way)
    rows: Rows = []
    for at, name in enumerate(NOISY):
        rows += _lines(found, range(1 + at * len(eps), 1 + (at + 1) * len(eps)), name, eps)
    return in_study(
        "network-floor",
        "What does the risk in use come down to when data are rounded? A ReLU network, "
        f"d = {dim}, {width} neurons, batch {batch}, step {share:g} of the limit halved at equal "
        f"distances, last iterate, {replicates} replicates with both signs of noise; the risk in "
        "use less that of full precision.",
        rows,
        "samples",
        label="risk in use less that of full precision",
    )


def _lines(found: Sequence[Beside], members: range, name: str, eps: Sequence[float]) -> Rows:
    """The rows of the levels of one noise, whose precisions have the indices `members`."""
    rows: Rows = []
    verdict = _against_eps(found[-1], members, name, eps)
    for k, level in zip(members, eps, strict=True):
        # A row has one verdict: rows of networks the share of the floor, the others the slope.
        own = _share_of_floor(found[-1], k, name, level) if name == "additive" else verdict
        for cell in found:
            samples = float(cell.setting.sgd.steps * cell.setting.sgd.batch)
            pair = row(cell, IN_USE, k, samples, f"eps {level:g}", name, eps=level)
            rows += [each | said(of) for each, of in zip(pair, (own, verdict), strict=True)]
    return rows


def _against_eps(found: Beside, members: range, name: str, levels: Sequence[float]) -> Verdict:
    """How the increment at the most samples grows with the level."""
    slope = log_slope(levels)
    values = np.stack([found.increments(IN_USE, k) for k in members])
    predicted = slope(np.array([found.linear_increment(IN_USE, k) for k in members]))
    return judged(f"floor, {name}", "slope against eps", slope, values, predicted)


def _share_of_floor(found: Beside, k: int, name: str, eps: float) -> Verdict:
    """The increment at the most samples over what no function of the rounded inputs can learn."""
    return judged(
        f"floor, {name}, eps {eps:g}",
        "share of the floor",
        lambda means: float(means[0] / means[1]),
        np.stack([found.increments(IN_USE, k), found.floors[k]]),
        found.linear_increment(IN_USE, k) / float(found.linear_floors[k]),
    )
