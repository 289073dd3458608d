"""A plan as a value: the choices, best first, what each law alone would do, and its warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from isoloss.files import UNSAVED, displayed, fields_of, save, was
from isoloss.fits import (
    ResultWarning,
    Section,
    loss_in_words,
    text,
)
from isoloss.formats import Precision
from isoloss.laws import LENDER
from isoloss.plans.doubt import place
from isoloss.plans.evidence import (
    BreakEven,
    Charts,
    Choice,
    Frontier,
    LawPlan,
    Question,
    Regret,
    Spelling,
    Surface,
    beside_section,
    break_even_section,
    break_evens_of,
    by_fewer,
    charts_of,
    choices_section,
    costs_section,
    frontier_of,
    loss_of_choice,
    over_budget,
    regrets_of,
    simpler_section,
    spellings_of,
    spellings_section,
    sure_of,
    surface_of,
    throughput_of,
    unranked,
)
from isoloss.plans.problems import OVERRIDE, PlanError
from isoloss.runs import compact


@displayed
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
    drawn, judged, priced, spelled
        The charts, regrets, break-evens and spellings that were read from a file.
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
    shape
        The shape that was given, in words; None where a typical decoder is assumed.
    best : Choice or None
        The recommendation.
    charts : Charts
        The numbers behind its figures.
    regrets : tuple of Regret
        What simpler choices would cost.
    break_evens : tuple of BreakEven
        From which speed-up of its steps on each precision pays against bf16.
    spellings : tuple of Spelling
        What each spelling computes in which format, and what each law judges of it.
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
    spelled: tuple[Spelling, ...] | None = field(default=None, repr=False)
    shape: str | None = None

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
        return charts_of(self.question, self.choices, self.surface, self.frontier)

    @cached_property
    def surface(self) -> Surface:
        """The part of its charts that is loss over params and tokens, computed once."""
        if self.drawn is not None or self.question is None:
            return self.charts.surface
        return surface_of(self.question, self.choices)

    @cached_property
    def frontier(self) -> Frontier | None:
        """The part of its charts that is loss against cost, computed once."""
        if self.drawn is not None or self.question is None:
            return self.charts.frontier
        return frontier_of(self.question, self.choices, self.level)

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

    @cached_property
    def spellings(self) -> tuple[Spelling, ...]:
        """What each spelling that is not trained in bf16 computes in which format, and what each
        law judges of it, computed once; empty where the laws are lost.
        """
        if self.spelled is not None:
            return self.spelled
        if self.question is None or self.question.panel is None:
            return ()
        asked = [Precision(c.precision) for c in self.choices]
        return spellings_of(self.question.panel, self.question.device, asked)

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
            fields_of(replace(each, drawn=None, judged=None, priced=None, spelled=None))
            for each in (self, other)
        )
        return bool(one == two)

    def sections(self) -> list[Section]:
        """The report as titled sections, for whoever prints it."""
        return [
            Section("Plan", tuple(self.headline)),
            choices_section(self.choices, self.level),
            *self._spellings(),
            *([costs] if (costs := self._costs()) else []),
            *self._speeds(),
            Section(
                "What each law alone would do",
                (
                    "with the constants of its best fit; the loss of a choice above is averaged "
                    "over laws and bootstrap replicates; losses by two laws are not comparable",
                ),
                ("law", "weight", "precision", "params", "tokens", "loss", "outside its runs"),
                tuple(_of_law(each) for each in self.by_law),
            ),
            *self._simpler(),
            *([Section("Left out", tuple(self.dropped.values()))] if self.dropped else []),
            Section("Warnings", tuple(map(str, self.warnings)) or ("none",)),
            *self._beside(),
        ]

    @property
    def headline(self) -> list[str]:
        """What the report opens with: what was asked, on what it rests, and the recommendation."""
        lines = [f"budget: {self.budget}", f"hardware: {self.hardware}"]
        first = self.choices[0]
        if said := throughput_of(self.choices):
            lines.append(said)
        if first.counted > 1.05:
            whose = "a typical decoder of this size"
            whose = whose if self.shape is None else f"the shape given ({self.shape})"
            lines.append(
                f"exact training FLOPs of {whose} are {first.counted:.2f}x the 6 N D used here"
            )
        if self.repetition:
            lines.append(f"repetition: {self.repetition}")
        lines += over_budget(first)
        if self.training_memory:
            lines.append(f"training memory: {self.training_memory}")
        return [*lines, *self.recommendation]

    @property
    def recommendation(self) -> tuple[str, ...]:
        """The recommendation and what is not ranked beside it, or why there is none."""
        first, best = self.choices[0], self.best
        if best is None:
            apart = (f"no one size: {self.apart}",) if self.apart else ()
            over = "" if self.apart else f"; {OVERRIDE}"
            withheld = (f"recommendation withheld: {self.withheld}{over}",) if self.withheld else ()
            return (*apart, *withheld)
        sure = sure_of(first, len(self.choices) == 1)
        size = f"{compact(first.params)} params on {compact(first.tokens)} tokens"
        if first.all_params > first.params:
            size = f"{compact(first.params)} active params of {compact(first.all_params)} on "
            size += f"{compact(first.tokens)} tokens"
        if not first.is_point and first.params_interval[0] != first.params_interval[0]:
            size += f" (size {first.absent})"
        by = by_fewer(self.choices)
        said = f"{size} in '{first.precision}', loss {loss_of_choice(first)}{by}, {sure}"
        return (said, *unranked(self.choices))

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

    def _costs(self) -> Section | None:
        """Device hours, time and money of every choice; None on a cost model."""
        unit = f" ({self.currency})" if self.currency else ""
        return costs_section(
            self.choices, self.level, self.devices, unit, self.published, self.power
        )

    def _simpler(self) -> list[Section]:
        """What simpler choices would cost, where there are any."""
        found = self.regrets
        return [simpler_section(found, self.choices, self._unit())] if found else []

    def _spellings(self) -> list[Section]:
        """What each spelling below 16 bits computes, and which law judges what of it."""
        return [spellings_section(self.spellings)] if self.spellings else []

    def _speeds(self) -> list[Section]:
        """From which speed-up on each precision pays, where any is a question."""
        found = self.break_evens
        return [break_even_section(found, self.choices)] if found else []

    def __str__(self) -> str:
        return text(self.sections())


def _of_law(each: LawPlan) -> tuple[str, ...]:
    return (
        each.law,
        f"{each.weight:.2f}",
        each.precision,
        compact(each.params),
        compact(each.tokens),
        loss_in_words(each.loss),
        place(each.outside) + _epochs(each),
    )


def _epochs(each: LawPlan) -> str:
    """How often a plan reads its tokens, and whose evidence tells of that."""
    if not each.epochs > 1:
        return ""
    whose = f" by the lent map of {LENDER}" if each.borrows else ""
    return f", {each.epochs:.3g} epochs{whose}"
