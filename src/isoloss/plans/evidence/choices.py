"""The parts of a plan: a choice, the plan of one law alone, and the regret of a simpler choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isoloss.files import equal_by_fields
from isoloss.fits import Absent, Standing
from isoloss.plans.doubt import NO_INTERVAL, absent


@equal_by_fields
@dataclass(frozen=True)
class Choice:
    """One precision with its best params and tokens, and intervals over laws and replicates.

    Every replicate of every law is planned again in this precision; the intervals are weighted
    quantiles of what these plans give, at the level of the plan.

    Attributes
    ----------
    precision
        Its spelling.
    params, tokens
        The best counts in this precision, for the loss averaged over laws and replicates.
    loss
        Expected loss, in the metric of the plan.
    params_interval, tokens_interval, loss_interval
        (low, high); NaN where no law sees the precision, where none has replicates, far beyond the
        runs, and where the runs do not tell it (a ridge of the fit moves it).
    probability
        Weight of the replicates in which this precision is the best of all, 0 to 1; of laws where
        none has replicates; NaN for one law without.
    binding
        The limits that are used up, as ("train", "memory"); unknown, and empty, where `standing` is
        "unknown".
    spent
        Share of each limit that is used at the middle of the rates: 0 to 1, more where held params
        and tokens keep within it at faster rates of the range only.
    flop
        Training FLOPs, counted as those of bf16 (6 N D times the cost of the precision).
    device_hours
        Of training; NaN on an abstract machine.
    serving_bytes
        Weights as served with their scales, and keys and values of the budget's sequences.
    rate
        Where the training rate is from: "measured", or the peaks.
    emulated
        Operand formats that the machine has no products in.
    counted
        Exact training FLOPs of a decoder of this size over the 6 N D that costs are made of.
    laws
        The laws that see this precision, whose average the loss is.
    standing
        "seen"; "at least" where no law sees all that the precision rounds, so that the loss is a
        bound; "unknown" (loss NaN) where none bounds it. Neither is ever best.
    more
        Loss over that of the first choice, by the laws that see both; NaN where none does.
    more_at_least
        The least that `more` can be where `standing` is "at least", by the laws whose loss bounds
        that of the precision and that see the first choice; NaN elsewhere.
    outside
        How far the choice lies outside the runs of a law, as a factor, the largest known.
    is_point
        Whether no law behind it has replicates.
    paid_hours, paid_hours_interval
        Device hours of training and of the budget's tokens served, which are what is paid for, at
        the middle of the rates; their interval over laws, replicates and rates, which plans made at
        the middle rates may cost; NaN on a cost model.
    wall_hours
        Those hours on the budget's devices; NaN where it does not say how many.
    money, money_interval
        What they cost at the budget's price, in its currency; NaN where it has none.
    training_bytes
        What training keeps on each device by the budget's rule; NaN where devices are not known.
    epochs
        How often the unique tokens of the budget are read; NaN where it does not say how many.
    all_params
        Of a mixture of experts, whose active ones `params` are; those of a dense model.
    rate_interval
        Ends of 90% of the FLOP/s that a device reaches in training; NaN on a cost model.
    speed_up, speed_up_interval
        Step over step in bf16, and ends of 90%; NaN on a cost model.
    basis
        What these rest on: "measured", "given", "published" figures, or "assumed" for want of them;
        empty on a cost model.
    runs_in
        For each of `emulated` the classes that its products run in.
    in_doubt
        Whether rates were drawn, so that `probability` is over these as well.
    """

    precision: str
    params: float
    tokens: float
    loss: float
    params_interval: tuple[float, float]
    tokens_interval: tuple[float, float]
    loss_interval: tuple[float, float]
    probability: float
    binding: tuple[str, ...]
    spent: Mapping[str, float]
    flop: float
    device_hours: float
    serving_bytes: float
    rate: str
    emulated: tuple[str, ...] = ()
    counted: float = 1.0
    laws: tuple[str, ...] = ()
    standing: Standing = "seen"
    more: float = float("nan")
    outside: float = 1.0
    is_point: bool = False
    paid_hours: float = float("nan")
    paid_hours_interval: tuple[float, float] = NO_INTERVAL
    wall_hours: float = float("nan")
    money: float = float("nan")
    money_interval: tuple[float, float] = NO_INTERVAL
    training_bytes: float = float("nan")
    epochs: float = float("nan")
    all_params: float = float("nan")
    rate_interval: tuple[float, float] = NO_INTERVAL
    speed_up: float = float("nan")
    speed_up_interval: tuple[float, float] = NO_INTERVAL
    basis: str = ""
    runs_in: tuple[tuple[str, ...], ...] = ()
    in_doubt: bool = False
    more_at_least: float = float("nan")

    @property
    def wall_hours_interval(self) -> tuple[float, float]:
        """The interval of the hours on the budget's devices."""
        share = self.wall_hours / self.paid_hours
        return self.paid_hours_interval[0] * share, self.paid_hours_interval[1] * share

    @property
    def absent(self) -> Absent:
        """What stands in place of an interval that it has not: "unknown" where no law sees the
        precision, "point law" where none has replicates, else "not held"."""
        return absent(self.standing, self.is_point)

    @property
    def has_interval(self) -> bool:
        """Whether its loss has an interval."""
        return self.loss_interval[0] == self.loss_interval[0]


@equal_by_fields
@dataclass(frozen=True)
class LawPlan:
    """What one law alone would do with the budget.

    Attributes
    ----------
    law
        Its name.
    weight
        Its share in the plan; all weights add up to one.
    precision, params, tokens, loss
        Its own best plan, with the constants of its best fit, among the candidates that it sees;
        the loss is NaN where it sees none.
    outside
        How far that plan lies outside the runs behind the law, as a factor: 1 inside, NaN unknown.
        Where tokens repeat, epochs count as params and tokens do.
    epochs
        How often that plan reads the unique tokens of the budget; NaN where all are unique.
    borrows
        Whether its own runs repeat nothing that it has a term for, so that a published map is lent
        to it: inside is then inside the epochs of the runs behind that map.
    """

    law: str
    weight: float
    precision: str
    params: float
    tokens: float
    loss: float
    outside: float
    epochs: float = float("nan")
    borrows: bool = False


@equal_by_fields
@dataclass(frozen=True)
class Regret:
    """A simpler choice than the plan's, and what it would cost under the laws of the plan.

    Attributes
    ----------
    choice
        In words: "bf16, 20 tokens a param".
    precision, params, tokens
        The choice.
    loss
        Its expected loss, in the metric of the plan.
    excess, excess_interval
        Loss over that of the plan's first choice, and its interval over laws and replicates; NaN
        where no law has any, far beyond the runs, and where the runs do not tell it.
    wasted
        Share of what the choice spends that the cheapest plan of the same loss does not, 0 to 1.
    money
        That share of the bill; NaN where no price is given.
    is_point
        Whether no law that judges it has replicates.
    bill
        What the choice spends, in the currency of the budget; NaN where no price is given.
    laws
        The laws that judge it, whose average its loss is.
    wasted_by_law
        Least and most that it wastes by one of these laws alone, each with the constants of its
        best fit; NaN where one law judges it.
    """

    choice: str
    precision: str
    params: float
    tokens: float
    loss: float
    excess: float
    excess_interval: tuple[float, float]
    wasted: float
    money: float
    is_point: bool = False
    bill: float = float("nan")
    laws: tuple[str, ...] = ()
    wasted_by_law: tuple[float, float] = NO_INTERVAL


def unranked(choices: Sequence[Choice]) -> tuple[str, ...]:
    """A line that names the candidates which no law ranks beside the first, as it may be beaten."""
    rest = [f"'{c.precision}'" for c in choices[1:] if c.standing != "seen"]
    if not rest:
        return ()
    return (
        f"not ranked: {', '.join(rest)}: no law sees {'it' if len(rest) == 1 else 'them'} whole, "
        f"so '{choices[0].precision}' is the best of the others alone",
    )
