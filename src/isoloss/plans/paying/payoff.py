"""Whether a recipe pays, as a value: beside the reference at an equal currency, and what all
recipes of a table share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from isoloss.files import equal_by_content
from isoloss.laws import Array
from isoloss.plans.paying.speeds import Currency

Verdict = Literal["pays", "does not pay", "undecided"]
#: Where a gap at the target comes from.
Known = Literal["measured", "between cells", "extrapolated"]
#: What the doubt of a margin is made of.
Doubt = Literal["gap", "reference", "law", "speed"]
Ends = tuple[float, float]


@dataclass(frozen=True)
class LawMargin:
    """The margin by one base law.

    Attributes
    ----------
    law
        Its name.
    margin, interval
        Nats.
    verdict
        By this law alone.
    """

    law: str
    margin: float
    interval: Ends
    verdict: Verdict


@equal_by_content
@dataclass(frozen=True)
class Payoff:
    """One recipe beside the reference at an equal currency.

    Attributes
    ----------
    recipe, precision
        Its name and spelling.
    currency
        What is equal: "hours", "money" or "energy".
    ratio
        Tokens for one unit of it over those of the reference.
    tokens
        Tokens of the recipe; the reference has that many over `ratio`.
    gap, gap_interval, known
        Its gap there in nats, and where that comes from.
    break_even_gap, break_even_gap_interval
        The gap at which it would neither gain nor lose.
    margin, margin_interval
        The loss of the reference less that of the recipe at an equal currency: what it gains.
    probability
        Share of the draws in which it gains.
    break_even, break_even_interval
        The ratio at which it would neither gain nor lose; NaN where the reference does not have
        the loss of the recipe as far as its curve goes, infinite where it has it before that.
    saved, saved_interval
        Share of the currency that it saves on the way to its loss, beside a reference of the same
        loss; minus infinite where the reference has that loss before the curve begins, NaN where
        it does not have it. Ends of intervals are infinite to a side that is open.
    spent, spent_by_reference
        Device hours, money or joules of the recipe and of a reference of the same loss; NaN where
        no absolute rate is known or the curve of the reference does not hold that loss.
    verdict
        "pays" where the whole interval of the margin is above zero and every law says so.
    by_law
        The margin by each base law.
    shares
        Share of the variance of the margin that goes with each source of doubt.
    leans_on
        The largest of them.
    decides
        The one measurement that would narrow the margin most, and whether it would decide.
    """

    recipe: str
    precision: str
    currency: Currency
    ratio: float
    tokens: float
    gap: float
    gap_interval: Ends
    known: Known
    break_even_gap: float
    break_even_gap_interval: Ends
    margin: float
    margin_interval: Ends
    probability: float
    break_even: float
    break_even_interval: Ends
    saved: float
    saved_interval: Ends
    spent: float
    spent_by_reference: float
    verdict: Verdict
    by_law: tuple[LawMargin, ...]
    shares: Mapping[Doubt, float]
    leans_on: Doubt
    decides: str


@equal_by_content
@dataclass(frozen=True)
class Indifference:
    """The gap at which a recipe neither gains nor loses, by its speed-up.

    Attributes
    ----------
    ratio, gap, low, high
        Shape (k,).
    """

    ratio: Array
    gap: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Terms:
    """What all payoffs of a table share.

    Attributes
    ----------
    reference, params
        What recipes are compared with, and the size of the models.
    tokens
        Tokens of a recipe.
    reach
        First and last cell of the reference's own curve, in tokens.
    laws
        How many times as steeply as each base law says the reference falls over its cells.
    level, of
        Coverage of intervals, and of what: the "mean" over seeds or one "run".
    noise, is_assumed
        Noise of a gap of single runs, and whether it is assumed for every recipe.
    speed_error
        Relative standard error of speed-ups that have none of their own.
    weights
        Weights of the forms in which gaps go on beyond the cells, before the cells of a recipe.
    schedule
        The learning-rate schedule of the runs.
    left_out
        Recipes without a rate.
    metric
        What the losses are.
    assumed
        Recipes whose noise is assumed.
    reference_noise
        Standard deviation of a loss of the reference by its repeats; None where it is assumed.
    remarks
        What is to be known of the rows: which were left out, which count as repeats.
    """

    reference: str
    params: float
    tokens: float
    reach: Ends
    laws: Mapping[str, float]
    level: float
    of: str
    noise: float
    is_assumed: bool
    speed_error: float
    weights: Mapping[str, float]
    schedule: str
    left_out: tuple[str, ...]
    metric: str
    assumed: tuple[str, ...] = ()
    reference_noise: float | None = None
    remarks: tuple[str, ...] = ()

    @property
    def is_beyond(self) -> bool:
        """Whether the curve of the reference ends before the target, so that laws go on."""
        return self.tokens > self.reach[1] * (1 + 1e-9)
