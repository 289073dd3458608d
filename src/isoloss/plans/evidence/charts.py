"""The numbers behind the figures of a plan: saved with it, so that it is drawn without its laws."""

from __future__ import annotations

from dataclasses import dataclass

from isoloss.files import displayed
from isoloss.laws import Array, Box


@displayed
@dataclass(frozen=True)
class Surface:
    """Expected loss over params and tokens in one precision.

    Attributes
    ----------
    precision
        Its spelling.
    params, tokens
        The grid, shapes (n,) and (m,).
    loss
        Nats per token, shape (n, m); NaN where a law is undefined.
    factors
        Multiples of the budget whose limits are drawn, f of them.
    limit_params, limits
        Params (k,), and the most tokens that each multiple of the budget leaves there, (f, k).
    most_params
        The most params that memory and speed allow.
    capped_by
        The limit behind that: "memory", "speed" or "training memory".
    cloud_params, cloud_tokens
        The plans of some bootstrap replicates.
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
    capped_by: str = "memory"


@displayed
@dataclass(frozen=True)
class Curve:
    """The best that one precision reaches as the budget grows.

    Attributes
    ----------
    precision
        Its spelling.
    params, tokens, loss
        The best plan at each cost, shape (costs,); NaN where no model fits.
    low, high
        Ends of the interval of loss, shape (costs,).
    """

    precision: str
    params: Array
    tokens: Array
    loss: Array
    low: Array
    high: Array


@displayed
@dataclass(frozen=True)
class Frontier:
    """The least expected loss at each cost, by precision.

    Attributes
    ----------
    unit
        Of the cost, in words.
    cost
        Shape (costs,).
    asked
        The cost of the plan itself.
    curves
        One for each precision.
    """

    unit: str
    cost: Array
    asked: float
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Served:
    """The expected loss of one precision against tokens.

    Attributes
    ----------
    precision
        Its spelling.
    loss
        Nats per token, shape (n,).
    critical
        The tokens beyond which more of them raise the loss; infinite where they never do.
    """

    precision: str
    loss: Array
    critical: float


@displayed
@dataclass(frozen=True)
class Serving:
    """What rounding after training costs at one size, against tokens.

    Attributes
    ----------
    params
        The size.
    tokens
        Shape (n,).
    before, after
        The precisions as trained, and as rounded for serving.
    """

    params: float
    tokens: Array
    before: tuple[Served, ...]
    after: tuple[Served, ...]


@displayed
@dataclass(frozen=True)
class Charts:
    """Everything that the figures of a plan show.

    Attributes
    ----------
    surface
        Loss over params and tokens around the plan.
    frontier
        Loss against cost; None where the budget limits no cost.
    serving
        Loss against tokens for what is rounded after training; None where no precision is.
    regions
        The regions of the runs behind the laws.
    runs_params, runs_tokens
        The fitted runs, each place once.
    """

    surface: Surface
    frontier: Frontier | None
    serving: Serving | None
    regions: tuple[Box, ...]
    runs_params: Array
    runs_tokens: Array
