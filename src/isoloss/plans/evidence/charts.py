"""What a picture of a plan shows, as numbers: they are saved with it, so that it is drawn without its laws."""

from __future__ import annotations

from dataclasses import dataclass

from isoloss.laws import Array, Box


@dataclass(frozen=True)
class Surface:
    """Expected loss over params (n,) and tokens (m,) in one precision: ``loss`` of shape (n, m), NaN where undefined.

    ``limits`` (factors, k) are the most tokens that a budget of ``factors`` times the one asked for leaves at
    ``limit_params`` (k,); ``most_params`` what memory and speed allow. ``cloud_params``, ``cloud_tokens``: the plan of each of some
    refits.
    """

    precision: str
    params: Array
    tokens: Array
    loss: Array
    factors: tuple[float, ...]
    limit_params: Array
    limits: Array
    most_params: float
    cloud_params: Array
    cloud_tokens: Array


@dataclass(frozen=True)
class Curve:
    """The best that one precision reaches as the budget grows: arrays of shape (costs,), NaN where nothing fits.

    ``low`` and ``high`` are the ends of the interval of loss.
    """

    precision: str
    params: Array
    tokens: Array
    loss: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Frontier:
    """The least expected loss at each cost, by precision; ``cost`` (costs,) in ``unit``, ``asked`` that of the plan."""

    unit: str
    cost: Array
    asked: float
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Served:
    """The expected loss of one precision against tokens (n,); beyond ``critical`` tokens more of them hurt."""

    precision: str
    loss: Array
    critical: float


@dataclass(frozen=True)
class Serving:
    """What rounding after training costs at one size: loss against tokens (n,), and ``before``, without rounding."""

    params: float
    tokens: Array
    before: tuple[Served, ...]
    after: tuple[Served, ...]


@dataclass(frozen=True)
class Charts:
    """Everything that figures of a plan show. ``regions``: where the runs of its laws lie; ``runs_*``: fitted runs.

    ``frontier`` is None where nothing is spent, ``serving`` where no precision is rounded after training.
    """

    surface: Surface
    frontier: Frontier | None
    serving: Serving | None
    regions: tuple[Box, ...]
    runs_params: Array
    runs_tokens: Array
