"""Dimension scaling: whether what rounding data costs grows with the dimension at fixed samples."""

from __future__ import annotations

from collections.abc import Sequence

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
from isoloss.linear.studies.on_networks.lines import Rows, data_noises, in_study, slope_line
from isoloss.linear.studies.question import Study
from isoloss.linear.studies.tables import reading_name
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
    replicates: Replicates = 48,
    seed: int = 0,
    dtype: str = "float32",
    device: str = "cpu",
    work: Work | None = None,
) -> Study:
    """Dimension scaling of rounded data in a network, clean and in use, beside the linear one."""
    spread("dim", dim)
    way = Way(replicates, seed, dtype, device, share)
    noises = data_noises(eps_add, eps_mul)
    starts = {"start 1": 1.0, f"start {small:g}": small}
    from isoloss.linear.networks import Network

    networks = [
        Network(each, width, decay, teacher_width, init=init)
        for init in starts.values()
        for each in dim
    ]
    precisions, sgd = ("fp", *noises.values()), SGD(steps, batch)
    settings = [
        Setting(each, sgd, precisions, sizes(each, batch, way), READINGS) for each in networks
    ]
    found = measured(work, settings, way)
    rows: Rows = []
    for at, start in enumerate(starts):
        rows += _lines(found[at * len(dim) : (at + 1) * len(dim)], list(noises), start, dim)
    return in_study(
        "network-dimension",
        "At fixed samples, does the cost of rounded data grow with the dimension in a ReLU "
        f"network? Additive noise {eps_add:g}, factors {eps_mul:g}; {width} neurons whose first "
        f"weights have deviation 1 or {small:g}, {steps} steps of {share:g} of the limit, batch "
        f"{batch}, last iterate, {replicates} replicates with both signs of noise; the risk less "
        "that of full precision.",
        rows,
        "dimension",
    )


def _lines(found: list[Beside], noises: list[str], start: str, dim: Sequence[int]) -> Rows:
    """The rows of all noises and readings from one start."""
    rows: Rows = []
    for k, name in enumerate(noises, start=1):
        for reading in READINGS:
            panel = f"{reading_name(reading)}, {start}"
            rows += slope_line(
                found, reading, k, dim, "slope against dimension", name, panel, "dim"
            )
    return rows
