"""A plan as a value: the choices, best first, what each law alone would do, and what speaks against them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from isoloss.files import UNSAVED, fields_of, save
from isoloss.fits import ResultWarning, Section, text
from isoloss.plans.charts import Charts, Question
from isoloss.plans.doubt import place
from isoloss.plans.problems import PlanError
from isoloss.runs import compact


@dataclass(frozen=True)
class Choice:
    """One precision with its best params and tokens, expected loss (nats), and intervals over laws and refits.

    The intervals are of each refit planned again in this precision; ``probability`` is the weight of the refits in
    which this precision is the best of all. ``spent`` is the share of each limit that is used; ``binding`` names the
    limits that are used up; ``flop`` counts those of bf16. ``device_hours`` of training is NaN where the machine is
    abstract. ``counted`` is the exact flop of training a decoder of usual shape over the 6 N D that costs are made of.
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


@dataclass(frozen=True)
class LawPlan:
    """What one law alone would do; ``outside`` is how far that lies outside its runs, as a factor (1 inside)."""

    law: str
    weight: float
    precision: str
    params: float
    tokens: float
    loss: float
    outside: float


@dataclass(frozen=True)
class Regret:
    """A simpler choice, and what it would cost: ``excess`` loss (nats) over the plan's with its interval over refits.

    ``wasted`` is the share of the budget that the plan would not need to reach the same loss; ``money`` that share of
    what is paid, NaN where no price is given.
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


@dataclass(frozen=True)
class Plan:
    """The choices that a budget allows, least expected loss first. Prints itself.

    ``withheld`` says why there is no single recommendation; ``dropped`` why candidates were left out. ``question``
    is what it was made from; ``drawn`` and ``judged`` are the charts and regrets of a plan that was read from a file.
    """

    choices: tuple[Choice, ...]
    by_law: tuple[LawPlan, ...]
    budget: str
    hardware: str
    level: float
    withheld: str | None
    dropped: Mapping[str, str]
    cautions: tuple[ResultWarning, ...]
    question: Question | None = field(default=None, repr=False, metadata=UNSAVED)
    drawn: Charts | None = field(default=None, repr=False)
    judged: tuple[Regret, ...] | None = field(default=None, repr=False)

    @property
    def best(self) -> Choice | None:
        """The recommendation; None where it is withheld."""
        return None if self.withheld else self.choices[0]

    @cached_property
    def charts(self) -> Charts:
        """The numbers behind its figures, computed once; PlanError where neither laws nor charts are there."""
        from isoloss.plans.charting import (
            charts_of,
        )  # which plans again, so it stands above this file

        if self.drawn is not None:
            return self.drawn
        if self.question is None:
            raise PlanError(
                "this plan has lost the laws it was made from, so nothing of it can be drawn; plan again"
            )
        return charts_of(self.question, self.choices, self.level)

    @cached_property
    def regrets(self) -> tuple[Regret, ...]:
        """What simpler choices would cost, computed once; none where the laws are lost."""
        from isoloss.plans.regret import (
            regrets_of,
        )  # which plans again, so it stands above this file

        if self.judged is not None:
            return self.judged
        return (
            () if self.question is None else regrets_of(self.question, self.choices[0], self.level)
        )

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the plan as a JSON file, which `load` reads, and return its path; see `isoloss.files.save`."""
        return save(self, path, force)

    def __eq__(self, other: object) -> bool:
        """Whether two plans say the same; an unknown number equals an unknown one, as it does in a file."""
        if not isinstance(other, Plan):
            return NotImplemented
        one, two = (fields_of(replace(each, drawn=None, judged=None)) for each in (self, other))
        return bool(one == two)

    def sections(self) -> list[Section]:
        """The report as titled sections, for whoever prints it."""
        return [
            Section("Plan", tuple(self._headline())),
            Section(
                "Choices, least expected loss first",
                (f"intervals of {100 * self.level:g}% over laws and refits, each planned again",),
                (
                    "precision",
                    "params",
                    "interval",
                    "tokens",
                    "interval",
                    "loss",
                    "interval",
                    "best in",
                    "binds",
                ),
                tuple(self._row(c) for c in self.choices),
            ),
            Section(
                "What each law alone would do",
                (),
                ("law", "weight", "precision", "params", "tokens", "loss", "outside its runs"),
                tuple(_of_law(each) for each in self.by_law),
            ),
            *([self._simpler()] if self.regrets else []),
            *([Section("Left out", tuple(self.dropped.values()))] if self.dropped else []),
            Section("Warnings", tuple(map(str, self.cautions)) or ("none",)),
        ]

    def _headline(self) -> list[str]:
        lines = [f"budget: {self.budget}", f"hardware: {self.hardware}"]
        first = self.choices[0]
        if first.device_hours == first.device_hours and first.rate != "measured":
            lines.append(f"rates: {first.rate} times mfu, an upper bound, kernels unknown")
        if first.counted > 1.05:
            lines.append(
                f"a usual decoder of this size takes {first.counted:.2f} x the 6 N D that are counted here"
            )
        if self.withheld:
            return [
                *lines,
                f"no single recommendation: {self.withheld}; ask for it with extrapolate (--extrapolate)",
            ]
        sure = f"best in {100 * first.probability:.0f}% of the refits"
        place = f"{compact(first.params)} params on {compact(first.tokens)} tokens in '{first.precision}'"
        return [*lines, f"{place}, loss {first.loss:.4f}, {sure}"]

    def _simpler(self) -> Section:
        note = "wasted: the share of the budget that the first choice above would not need for the same loss"
        priced = any(r.money == r.money for r in self.regrets)
        head = ("choice", "precision", "params", "tokens", "loss", "more", "interval", "wasted")
        rows = tuple((*_simple(r), *([compact(r.money)] if priced else [])) for r in self.regrets)
        return Section(
            "What simpler choices would cost",
            (note,),
            (*head, *(["money"] if priced else [])),
            rows,
        )

    def _row(self, c: Choice) -> tuple[str, ...]:
        return (
            c.precision, compact(c.params), _between(c.params_interval), compact(c.tokens),
            _between(c.tokens_interval), f"{c.loss:.4f}", f"{c.loss_interval[0]:.4f} to {c.loss_interval[1]:.4f}",
            f"{100 * c.probability:.0f}%", ", ".join(c.binding) or "nothing",
        )  # fmt: skip

    def __str__(self) -> str:
        return text(self.sections())


def _between(ends: tuple[float, float]) -> str:
    return " to ".join(map(compact, ends))


def _simple(r: Regret) -> tuple[str, ...]:
    return (
        r.choice, r.precision, compact(r.params), compact(r.tokens), f"{r.loss:.4f}", f"{r.excess:.4f}",
        f"{r.excess_interval[0]:.4f} to {r.excess_interval[1]:.4f}", f"{100 * r.wasted:.3g}%",
    )  # fmt: skip


def _of_law(each: LawPlan) -> tuple[str, ...]:
    return (
        each.law, f"{each.weight:.2f}", each.precision, compact(each.params), compact(each.tokens),
        f"{each.loss:.4f}", place(each.outside),
    )  # fmt: skip
