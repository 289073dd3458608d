"""One setting twice: trained as networks, and computed exactly in the linear laboratory.

Both take the same share of their own stability limit, that of full precision at the smallest batch,
and keep this step for every precision and batch. The linear problem has the inputs, noise, steps
and batch of the network, and a target of normal coordinates of variance 1, as the teacher's neurons
have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isoloss.files import shown_value
from isoloss.linear.checks import whole
from isoloss.linear.descent import SGD
from isoloss.linear.regression import Regression
from isoloss.linear.risk_of import excess_risks, stability_limit

if TYPE_CHECKING:
    from isoloss.linear.networks import Network, NetworkRisks

Array = NDArray[np.float64]
FEWEST = 10


@dataclass(frozen=True)
class Way:
    """How the networks of a study are trained: replicates, numbers, step and schedule."""

    replicates: int
    seed: int
    dtype: str
    device: str
    share: float
    schedule: str = "constant"

    def __post_init__(self) -> None:
        whole("replicates", self.replicates, FEWEST)


def spread(name: str, values: Sequence[float]) -> None:
    """Raise ValueError unless there are two numbers above 0 or more, which a slope needs."""
    if len(set(values)) < 2 or min(values) <= 0:
        raise ValueError(
            f"{name} is {shown_value(list(values))}; accepted are two different numbers above 0, "
            "or more, for the study measures how the risk changes with it"
        )


@dataclass(frozen=True)
class Beside:
    """Risks of one setting by the inputs they are read on: networks, and linear ones (S,)."""

    networks: dict[str, NetworkRisks]
    linear: dict[str, Array]


def sizes(network: Network, batch: int, way: Way) -> tuple[float, float]:
    """Step sizes of networks and of the linear problem like them."""
    from isoloss.linear.networks import network_limit

    linear = stability_limit(like(network), SGD(1, batch))
    return way.share * network_limit(network, batch, way.seed), way.share * linear


def like(network: Network) -> Regression:
    """The linear problem beside a network."""
    return Regression(network.dim, network.decay, network.noise_var, "isotropic")


def beside(
    network: Network,
    sgd: SGD,
    precisions: Sequence[str],
    steps: tuple[float, float],
    way: Way,
    inputs: Sequence[str] = ("clean",),
    problems: Sequence[Regression] = (),
) -> Beside:
    """Networks and linear problems of one setting; linear risks are the mean of `problems`, each
    with the share of its own limit, by default that of the problem like the network.
    """
    from isoloss.linear.networks import network_risks, train_networks

    trained = train_networks(
        network,
        replace(sgd, step_size=steps[0], schedule=way.schedule),
        precisions,
        replicates=way.replicates,
        both_signs=True,
        seed=way.seed,
        dtype=way.dtype,
        device=way.device,
    )
    ours = {reading: network_risks(trained, reading) for reading in inputs}
    posed = [(each, way.share * stability_limit(each, SGD(1, sgd.batch))) for each in problems]
    theirs = {}
    for reading in inputs:
        points = [
            (problem, replace(sgd, step_size=size, schedule=way.schedule), each)
            for problem, size in posed or [(like(network), steps[1])]
            for each in precisions
        ]
        found = excess_risks(points, "last", reading)  # type: ignore[arg-type]
        values = [risk.value for risk in found]
        theirs[reading] = np.reshape(values, (-1, len(precisions))).mean(axis=0)
    return Beside(ours, theirs)


def row(
    found: Beside, reading: str, k: int, x: float, series: str, panel: str, **more: Any
) -> list[dict[str, Any]]:
    """The rows of precision k less that of precision 0: of networks, and of the linear problem."""
    risks, linear = found.networks[reading], found.linear[reading]
    trained = risks.trained
    apart = risks.increments()[-1, k]
    common = {
        "precision": str(trained.precisions[k]),
        "tokens": float(trained.sgd.steps * trained.sgd.batch),
        "params": float(trained.network.params),
        "metric": "excess_risk",
        "inputs": reading,
        "x": x,
        "panel": panel,
        **more,
    }
    of_networks = {
        "loss": float(risks.mean[-1, k]),
        "loss_se": float(risks.standard_error[-1, k]),
        "gap": float(apart.mean()),
        "gap_se": float(apart.std(ddof=1) / len(apart) ** 0.5),
        "series": series,
        "how": "sampled",
    }
    of_linear = {
        "loss": float(linear[k]),
        "gap": float(linear[k] - linear[0]),
        "series": f"{series}, linear",
        "how": "exact",
        "params": float(trained.network.dim),
    }
    return [common | of_networks, common | of_linear]
