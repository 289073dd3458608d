"""A plan as a value: the choices, best first, what each law alone would do, and its warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from isoloss.files import UNSAVED, fields_of, percent, save, was
from isoloss.fits import (
    NOT_HELD,
    POINT_LAW,
    UNKNOWN,
    ResultWarning,
    Section,
    interval_in_words,
    loss_in_words,
    text,
)
from isoloss.plans.doubt import FAR, absent, place
from isoloss.plans.evidence import (
    BreakEven,
    Charts,
    Choice,
    LawPlan,
    Question,
    Regret,
    beside_section,
    break_even_section,
    break_evens_of,
    charts_of,
    costs_section,
    over_budget,
    regrets_of,
    throughput_of,
    unranked,
)
from isoloss.plans.problems import PlanError
from isoloss.runs import compact


@dataclass(frozen=True)
class Plan:
    """The choices that a budget allows, least expected loss first. Prints itself.

    Attributes
    ----------
    choices
        One for each precision that can be planned, least expected loss first.
    by_law
        What each law alone would do.
    budget, hardware
        In words.
    level
        Coverage of the intervals, 0.9 = 90%.
    withheld
        Why there is no single recommendation (it would lie outside the runs); None where there is.
    dropped
        Candidates that were left out, by spelling, each with the reason.
    warnings
        Typed warnings.
    question
        What it was made from; None for a plan that was read from a file.
    metric
        What the losses are: "nats" per token, "excess_risk", or "unknown" in a file of isoloss 0.1.
    drawn, judged, priced
        The charts, regrets and break-evens that were read from a file.
    currency, devices
        Of the budget; None where it says none.
    apart
        Why there is no one size: laws of weight lie tenfold apart in params, which `extrapolate`
        does not override; None where they do not.
    repetition
        How often tokens repeat in the first choice, in words; None without unique tokens.
    training_memory
        What training the first choice keeps on each device, in words; None where nothing limits it.
    published
        What published runs near the first choice took, in words.
    power
        The most that a device draws, W; NaN where no source says.
    best : Choice or None
        The recommendation.
    charts : Charts
        The numbers behind its figures.
    regrets : tuple of Regret
        What simpler choices would cost.
    break_evens : tuple of BreakEven
        From which speed-up of its steps on each precision pays against bf16.
    """

    choices: tuple[Choice, ...]
    by_law: tuple[LawPlan, ...]
    budget: str
    hardware: str
    level: float
    withheld: str | None
    dropped: Mapping[str, str]
    warnings: tuple[ResultWarning, ...] = field(metadata=was("cautions"))
    question: Question | None = field(default=None, repr=False, metadata=UNSAVED)
    drawn: Charts | None = field(default=None, repr=False)
    judged: tuple[Regret, ...] | None = field(default=None, repr=False)
    metric: str = "unknown"
    currency: str | None = None
    devices: int | None = None
    apart: str | None = None
    repetition: str | None = None
    training_memory: str | None = None
    published: tuple[str, ...] = ()
    power: float = float("nan")
    priced: tuple[BreakEven, ...] | None = field(default=None, repr=False)

    @property
    def best(self) -> Choice | None:
        """The recommendation; None where it is withheld, and where laws lie tenfold apart."""
        return None if self.withheld or self.apart else self.choices[0]

    @cached_property
    def charts(self) -> Charts:
        """The numbers behind its figures, computed once.

        Raises
        ------
        PlanError
            Neither its laws nor its charts are there.
        """
        if self.drawn is not None:
            return self.drawn
        if self.question is None:
            raise PlanError(
                "this plan has lost the laws it was made from, so it cannot be drawn; plan again"
            )
        return charts_of(self.question, self.choices, self.level)

    @cached_property
    def regrets(self) -> tuple[Regret, ...]:
        """What simpler choices would cost, computed once; empty where the laws are lost."""
        if self.judged is not None:
            return self.judged
        return (
            () if self.question is None else regrets_of(self.question, self.choices[0], self.level)
        )

    @cached_property
    def break_evens(self) -> tuple[BreakEven, ...]:
        """From which speed-up on each precision that is not trained in bf16 pays, computed once;
        empty on a cost model, where no limit pays for tokens, and where the laws are lost.
        """
        if self.priced is not None:
            return self.priced
        if self.question is None:
            return ()
        return break_evens_of(self.question, self.choices, self.level)

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the plan as a JSON file, which `load` reads.

        Parameters
        ----------
        path
            Where the file stands afterwards.
        force
            Replace a file that exists.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        FilesError
            The file exists and `force` is not given, or it cannot be written.
        """
        return save(self, path, force)

    def __eq__(self, other: object) -> bool:
        """Whether two plans say the same; NaN equals NaN, as it does in a file."""
        if not isinstance(other, Plan):
            return NotImplemented
        one, two = (
            fields_of(replace(each, drawn=None, judged=None, priced=None)) for each in (self, other)
        )
        return bool(one == two)

    def sections(self) -> list[Section]:
        """The report as titled sections, for whoever prints it."""
        return [
            Section("Plan", tuple(self.headline)),
            Section(
                "Choices, least expected loss first",
                (
                    f"intervals of {percent(self.level)} over {self._over()} and bootstrap "
                    "replicates, each planned again",
                    "loss: by the laws that see the precision; over the first: by those that see "
                    "both",
                ),
                self._columns(),
                tuple(self._row(c) for c in self.choices),
            ),
            *([costs] if (costs := self._costs()) else []),
            *self._speeds(),
            Section(
                "What each law alone would do",
                (
                    "with the constants of its best fit; the loss of a choice above is averaged "
                    "over laws and bootstrap replicates",
                ),
                ("law", "weight", "precision", "params", "tokens", "loss", "outside its runs"),
                tuple(_of_law(each) for each in self.by_law),
            ),
            *([self._simpler()] if self.regrets else []),
            *([Section("Left out", tuple(self.dropped.values()))] if self.dropped else []),
            Section("Warnings", tuple(map(str, self.warnings)) or ("none",)),
            *self._beside(),
        ]

    def _columns(self) -> tuple[str, ...]:
        epochs = ("epochs",) if self._has_epochs else ()
        counts = ("precision", "params", "interval", "tokens", "interval", *epochs)
        return (*counts, "loss", "interval", "over the first", "best in", "binds")

    @property
    def headline(self) -> list[str]:
        """What the report opens with: what was asked, on what it rests, and the recommendation."""
        lines = [f"budget: {self.budget}", f"hardware: {self.hardware}"]
        first = self.choices[0]
        if said := throughput_of(first):
            lines.append(said)
        if first.counted > 1.05:
            lines.append(
                f"exact training FLOPs of a typical decoder of this size are {first.counted:.2f}x "
                "the 6 N D used here"
            )
        if self.repetition:
            lines.append(f"repetition: {self.repetition}")
        lines += over_budget(first)
        if self.apart:
            lines.append(f"no one size: {self.apart}")
        if self.training_memory:
            lines.append(f"training memory: {self.training_memory}")
        if self.withheld:
            why = f"recommendation withheld: {self.withheld}"
            over = "" if self.apart else "; extrapolate=True (--extrapolate) overrides"
            lines.append(why + over)
        if self.best is None:
            return lines
        sure = _sure(first, len(self.choices) == 1)
        size = f"{compact(first.params)} params on {compact(first.tokens)} tokens"
        if first.all_params > first.params:
            size = f"{compact(first.params)} active params of {compact(first.all_params)} on "
            size += f"{compact(first.tokens)} tokens"
        if not first.is_point and first.params_interval[0] != first.params_interval[0]:
            size += f" (size {first.absent})"
        said = f"{size} in '{first.precision}', loss {_loss(first)}, {sure}"
        return [*lines, said, *unranked(self.choices)]

    def _simpler(self) -> Section:
        note = (
            "wasted: share of what is spent that the cheapest plan of the same loss does not need"
        )
        priced = any(r.money == r.money for r in self.regrets)
        head = ("choice", "precision", "params", "tokens", "loss", "more", "interval", "wasted")
        rows = tuple(_simple(r, priced) for r in self.regrets)
        return Section(
            "What simpler choices would cost",
            (note,),
            (*head, *([f"wasted{self._unit()}", f"of a bill{self._unit()}"] if priced else [])),
            rows,
        )

    @property
    def _has_epochs(self) -> bool:
        return any(c.epochs == c.epochs for c in self.choices)

    def _beside(self) -> list[Section]:
        """The published models near the first choice; none of what is no language model."""
        first = self.choices[0]
        return (
            [beside_section(first.params, first.tokens, first.all_params)]
            if self.metric == "nats"
            else []
        )

    def _unit(self) -> str:
        """The currency for the head of a column."""
        return f" ({self.currency})" if self.currency else " (money)"

    def _over(self) -> str:
        """What intervals are over, besides replicates."""
        return "rates, laws" if any(c.in_doubt for c in self.choices) else "laws"

    def _costs(self) -> Section | None:
        """Device hours, time and money of every choice; None on a cost model."""
        unit = f" ({self.currency})" if self.currency else ""
        return costs_section(
            self.choices, self.level, self.devices, unit, self.published, self.power
        )

    def _speeds(self) -> list[Section]:
        """From which speed-up on each precision pays, where any is a question."""
        found = self.break_evens
        return [break_even_section(found, self.choices)] if found else []

    def _row(self, c: Choice) -> tuple[str, ...]:
        return (
            c.precision,
            compact(c.params),
            interval_in_words(c.params_interval, compact, c.absent),
            compact(c.tokens),
            interval_in_words(c.tokens_interval, compact, c.absent),
            *([f"{c.epochs:.3g}"] if self._has_epochs else []),
            _loss(c),
            interval_in_words(c.loss_interval, loss_in_words, c.absent),
            _more(c),
            _share(c) if len(self.choices) > 1 else "only one",
            ", ".join(c.binding) or "nothing",
        )

    def __str__(self) -> str:
        return text(self.sections())


def _loss(c: Choice) -> str:
    """The loss of a choice, as far as any law sees it."""
    if c.standing == "unknown":
        return UNKNOWN
    return f"{'at least ' if c.standing == 'at least' else ''}{loss_in_words(c.loss)}"


def _more(c: Choice) -> str:
    """The loss over the first choice, as far as a law sees both."""
    if c.standing == "seen" and c.more != c.more:
        return "no common law"
    return loss_in_words(c.more)


def _share(c: Choice) -> str:
    """How often a choice is the best: of replicates, or of laws where none has any."""
    if c.probability != c.probability or c.standing != "seen":
        return POINT_LAW if c.standing == "seen" and c.is_point else UNKNOWN
    if c.outside > FAR:
        return POINT_LAW if c.is_point else NOT_HELD
    return f"{100 * c.probability:.0f}%" + _over(c)


def _over(c: Choice) -> str:
    """What a share is of, where it is not of replicates."""
    if not c.is_point:
        return ""
    if not c.in_doubt:
        return " of laws"
    return " of rates" if len(c.laws) == 1 else " of laws and rates"


def _sure(first: Choice, is_alone: bool) -> str:
    """How sure the first choice is, in words."""
    if first.standing != "seen":
        return "which no law sees whole"
    if first.probability != first.probability and first.is_point:
        law = "a law" if len(first.laws) == 1 else "laws"
        return f"by {law} without replicates, so without an interval"
    if first.probability != first.probability:
        return "which no law compares with another candidate"
    if first.outside > FAR:
        return f"{first.outside:.3g} times beyond the runs, where nothing holds its error"
    if is_alone:
        return "the only candidate"
    share = f"{100 * first.probability:.0f}%"
    if first.is_point and first.in_doubt:
        return f"best in {share} of the draws of rates, by laws without replicates"
    if first.is_point:
        return f"best to {share} of the laws by weight, which have no replicates"
    return f"best in {share} of the replicates"


def _simple(r: Regret, priced: bool) -> tuple[str, ...]:
    return (
        r.choice,
        r.precision,
        compact(r.params),
        compact(r.tokens),
        loss_in_words(r.loss),
        loss_in_words(r.excess),
        interval_in_words(r.excess_interval, loss_in_words, absent("seen", r.is_point)),
        f"{100 * r.wasted:.3g}%",
        *([compact(r.money), compact(r.bill)] if priced else []),
    )


def _of_law(each: LawPlan) -> tuple[str, ...]:
    return (
        each.law,
        f"{each.weight:.2f}",
        each.precision,
        compact(each.params),
        compact(each.tokens),
        loss_in_words(each.loss),
        place(each.outside),
    )
