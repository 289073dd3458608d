"""One setting twice: trained as networks, and computed exactly in the linear laboratory.

Both take the same share of their own stability limit, that of full precision at the smallest batch,
and keep this step for every precision and batch. The linear problem has the inputs, noise, steps
and batch of the network, and a target of normal coordinates of variance 1, as the teacher's neurons
have. A setting is a point of a study: its risks are kept, those of networks by replicate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoloss.files import shown_value
from isoloss.linear.checks import finite, whole
from isoloss.linear.descent import SGD
from isoloss.linear.regression import Regression
from isoloss.linear.risk_of import excess_risks, stability_limit
from isoloss.linear.studies.parameters import AtLeast
from isoloss.linear.studies.work import Work

if TYPE_CHECKING:
    from isoloss.linear.networks import Network, Trained

Array = NDArray[np.float64]
#: Replicates of an interval, at the least.
FEWEST = 10
Replicates = Annotated[int, AtLeast(FEWEST)]


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
        if not 0 < finite("share", self.share) < 1:
            raise ValueError(
                f"share is {shown_value(self.share)}; accepted is a number above 0 and below 1, "
                "the step size in units of the largest stable one, such as 0.1"
            )

    def train(
        self, network: Network, sgd: SGD, precisions: Sequence[str], step_size: float | str,
        **more: Any,
    ) -> Trained:  # fmt: skip
        """Networks of each precision, at one step size."""
        from isoloss.linear.networks import train_networks

        sgd = replace(sgd, step_size=step_size, schedule=self.schedule)
        return train_networks(
            network, sgd, precisions, replicates=self.replicates, seed=self.seed,
            dtype=self.dtype, device=self.device, **more,
        )  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """What is trained and computed: problem, descent, precisions, step sizes of both, what the
    risks are read on, and linear problems to average over in place of that like the network, each
    with the share of its own limit.
    """

    network: Network
    sgd: SGD
    precisions: tuple[str, ...]
    step_sizes: tuple[float, float]
    readings: tuple[str, ...] = ("clean",)
    problems: tuple[Regression, ...] = ()


@dataclass(frozen=True)
class Beside:
    """Risks of one setting by reading: of networks (S, R), of the linear problem (S,), and the
    least risk in use that each can have, 0 but for normal noise added to the data.
    """

    setting: Setting
    networks: dict[str, Array]
    linear: dict[str, Array]
    floors: Array
    linear_floors: Array

    def increments(self, reading: str, k: int) -> Array:
        """What precision k adds to the risk of precision 0 in each replicate, (R,)."""
        return np.asarray(self.networks[reading][k] - self.networks[reading][0])

    def linear_increment(self, reading: str, k: int) -> float:
        """What precision k adds to the risk of precision 0 in the linear problem."""
        return float(self.linear[reading][k] - self.linear[reading][0])


def spread(name: str, values: Sequence[float]) -> None:
    """Raise ValueError unless there are two numbers above 0 or more, which a slope needs."""
    if len(set(values)) < 2 or min(values) <= 0:
        raise ValueError(
            f"{name} is {shown_value(list(values))}; accepted are two different numbers above 0, "
            "or more, for the study measures how the risk changes with it"
        )


def sizes(network: Network, batch: int, way: Way) -> tuple[float, float]:
    """Step sizes of networks and of the linear problem like them."""
    from isoloss.linear.networks import network_limit

    linear = stability_limit(like(network), SGD(1, batch))
    return way.share * network_limit(network, batch, way.seed), way.share * linear


def like(network: Network) -> Regression:
    """The linear problem beside a network."""
    return Regression(network.dim, network.decay, network.noise_var, "isotropic")


def measured(work: Work | None, settings: Sequence[Setting], way: Way) -> list[Beside]:
    """The risks of every setting, each a point of the work."""
    points = [partial(_rows, each, way) for each in settings]
    found = (work or Work()).frames(points)
    return [_read(setting, rows) for setting, rows in zip(settings, found, strict=True)]


def _rows(setting: Setting, way: Way) -> pl.DataFrame:
    """Train and compute: a row for each reading, precision and replicate, in this order."""
    from isoloss.linear.networks import network_risks

    trained = way.train(
        setting.network, setting.sgd, setting.precisions, setting.step_sizes[0], both_signs=True
    )
    floors = _floors(trained)
    tables = []
    for reading in setting.readings:
        values = network_risks(trained, reading).values[-1]
        linear, linear_floors = _linear(setting, way, reading)
        columns = {
            "value": values,
            "linear": np.broadcast_to(linear[:, None], values.shape),
            "floor": floors,
            "linear_floor": np.broadcast_to(linear_floors[:, None], values.shape),
        }
        flat = {name: each.ravel().tolist() for name, each in columns.items()}
        tables.append(pl.DataFrame({"reading": [reading] * values.size, **flat}))
    return pl.concat(tables)


def _read(setting: Setting, rows: pl.DataFrame) -> Beside:
    """The risks from the rows of a setting."""

    def column(reading: str, name: str) -> Array:
        values = rows.filter(reading=reading)[name].to_numpy()
        return np.asarray(values.reshape(len(setting.precisions), -1))

    last = setting.readings[-1]
    return Beside(
        setting,
        {each: column(each, "value") for each in setting.readings},
        {each: column(each, "linear")[:, 0] for each in setting.readings},
        column(last, "floor"),
        column(last, "linear_floor")[:, 0],
    )


def _floors(trained: Trained) -> Array:
    """Risks in use of the best functions of the rounded data, (S, R)."""
    from isoloss.linear.networks import input_floors
    from isoloss.linear.networks.risks import added_variance

    known = [each.train.get("d") for each in trained.precisions]
    return np.stack([input_floors(trained, added_variance(each) or 0.0) for each in known])


def _linear(setting: Setting, way: Way, reading: str) -> tuple[Array, Array]:
    """Mean risks and floors of the linear problems, (S,)."""
    posed = [(each, way.share * stability_limit(each, SGD(1, setting.sgd.batch)))
             for each in setting.problems]  # fmt: skip
    posed = posed or [(like(setting.network), setting.step_sizes[1])]
    points = [
        (problem, replace(setting.sgd, step_size=size, schedule=way.schedule), each)
        for problem, size in posed
        for each in setting.precisions
    ]
    found = excess_risks(points, "last", reading)  # type: ignore[arg-type]
    risks = np.reshape([(risk.value, risk.parts.floor) for risk in found], (len(posed), -1, 2))
    return risks[..., 0].mean(axis=0), risks[..., 1].mean(axis=0)
