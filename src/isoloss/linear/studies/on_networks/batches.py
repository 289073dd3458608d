"""Batch scaling: whether what rounding costs falls with the batch, part by part and noise by
noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING, Any

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
from isoloss.linear.studies.on_networks.lines import Rows, in_study, slope_line
from isoloss.linear.studies.question import Study
from isoloss.linear.studies.tables import NOISES
from isoloss.linear.studies.work import Work

if TYPE_CHECKING:
    from isoloss.linear.networks import Network

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
    replicates: Replicates = 64,
    seed: int = 0,
    dtype: str = "float32",
    device: str = "cpu",
    work: Work | None = None,
) -> Study:
    """Batch scaling of rounding in a network, each part, beside the linear prediction."""
    spread("batch", batch)
    way = Way(replicates, seed, dtype, device, share)
    from isoloss.linear.networks import Network

    network = Network(dim, width, decay, teacher_width)
    posed = _posed(network, eps)
    size = sizes(network, min(batch), way)
    found = measured(
        work,
        [
            Setting(asked, SGD(steps, each), ("fp", *spelled), size)
            for _, asked, spelled in posed
            for each in batch
        ],
        way,
    )
    rows: Rows = []
    for at, (names, _, _) in enumerate(posed):
        rows += _lines(found[at * len(batch) : (at + 1) * len(batch)], names, batch)
    return in_study(
        "network-batch",
        f"Does a larger batch average rounding away in a ReLU network too? eps {eps:g} on one "
        f"part, d = {dim}, {width} neurons, {steps} steps of {share:g} of the limit at batch "
        f"{min(batch)}, last iterate, {replicates} replicates with both signs of noise; the "
        "risk less that of full precision.",
        rows,
        "batch",
    )


def _posed(network: Network, eps: float) -> list[tuple[list[str], Network, list[str]]]:
    """What is trained: the part or kind of network of each precision, the network, precisions."""

    def spelled(parts: Sequence[str]) -> list[str]:
        return [f"{part}:{noise}({eps})" for part in parts for noise in NOISES]

    return [
        ([name for name in PARTS.values() for _ in NOISES], network, spelled([*PARTS])),
        *(
            ([name] * len(NOISES), replace(network, **fields), spelled("a"))
            for name, fields in APART.items()
        ),
    ]


def _lines(found: list[Beside], names: list[str], batch: Sequence[int]) -> Rows:
    """The rows of all precisions but the first, full precision."""
    rows: Rows = []
    for k, (panel, noise) in enumerate(zip(names, cycle(NOISES.values()), strict=False), start=1):
        rows += slope_line(
            found, "clean", k, batch, "slope against batch", noise, panel, "batch_tokens"
        )
    return rows
