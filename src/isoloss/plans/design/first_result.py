"""The first runs as a value: what to train, what it answers, rivals of the same cost, or STOP."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import shorten

from isoloss.files import displayed, percent
from isoloss.fits import ResultWarning, Section, text
from isoloss.plans.design.to_train import NextRun, ToTrain
from isoloss.plans.doubt import FAR, place

#: A reason in a table has so many letters at most.
WHY = 100


@dataclass(frozen=True)
class LawAnswer:
    """What one published law expects of a design.

    Attributes
    ----------
    law, weight
        Its name and its share.
    answer
        What it answers, in words.
    expected, needed
        The interval around it that a fit is expected to have, and the one that resolves the
        question, in the unit of the question: a factor of params, an exponent, nats.
    half
        Half the interval that a fit to the runs is expected to have, if the law is right: of log
        params, of the exponent, of the log gap.
    need
        The half that resolves the question.
    beyond
        How many times beyond the largest and the longest run the answer lies, 1 inside.
    inside
        How many of the runs lie inside the params, tokens and tokens per param of the runs that the
        law rests on; None where these are unknown.
    """

    law: str
    weight: float
    answer: str
    expected: str
    needed: str
    half: float
    need: float
    beyond: float
    inside: int | None

    @property
    def resolves(self) -> bool:
        """Whether the design answers the question, if this law is right; never far beyond runs."""
        return self.half <= self.need and self.beyond <= FAR


@dataclass(frozen=True)
class Rival:
    """Another design of the same cost.

    Attributes
    ----------
    name
        "regular grid", "L-shape" or "two ratios" (the largest V_K): the best of several sizes.
    runs
        How many runs it has, seeds counted.
    ratio
        Its least and most tokens per param, which may be more extreme than those of the proposal.
    half
        Half the expected interval, geometric mean over laws.
    resolved
        Weight of the laws under which it answers the question.
    spread
        V_K of its ratios.
    cost
        What the proposal's interval would cost with it by seeds, over the cost of the proposal.
    """

    name: str
    runs: int
    ratio: tuple[float, float]
    half: float
    resolved: float
    spread: float
    cost: float


@displayed
@dataclass(frozen=True)
class FirstRuns(ToTrain):
    """Runs that answer a question where there are none yet. Prints itself; iterates over runs.

    Attributes
    ----------
    runs
        The runs, each with its seeds.
    question, budget, hardware
        In words.
    flop, most_flop
        What the runs cost and what they may cost, FLOPs of bf16.
    laws
        What each published law expects.
    rivals
        Other designs of the same cost.
    half, width, wanted
        Half the expected interval, geometric mean over laws, the interval in words, and the one
        that is asked.
    spread
        V_K of the ratios of the runs.
    shape
        "searched", or the name of the rival that is taken as it is expected to teach more.
    able
        Weight of the laws under which some design of this cost answers the question: these runs, a
        rival, or the design that is best for a law alone.
    stop
        Where that is less than half: what is left open, and what would do; else None.
    short
        The same where some designs would answer under laws of half the weight and these runs
        answer under less; else None.
    left_out
        Laws that say nothing of the question, each with the reason.
    share
        Share of the weight of all laws asked that the others have.
    noise
        Standard deviation of log loss that was taken.
    level
        Coverage of the interval, 0.9 = 90%.
    warnings
        Typed warnings.
    costs
        Device hours, days and money with their ranges, in words; None on a cost model.
    """

    runs: tuple[NextRun, ...]
    question: str
    budget: str
    hardware: str
    flop: float
    most_flop: float
    laws: tuple[LawAnswer, ...]
    rivals: tuple[Rival, ...]
    half: float
    width: str
    wanted: str
    spread: float
    shape: str
    able: float
    stop: str | None
    short: str | None
    left_out: tuple[tuple[str, str], ...]
    share: float
    noise: float
    level: float
    warnings: tuple[ResultWarning, ...]
    costs: str | None = None

    @property
    def resolved(self) -> float:
        """Weight of the published laws under which the runs answer the question."""
        return sum(each.weight for each in self.laws if each.resolves)

    @property
    def ratio(self) -> tuple[float, float]:
        """The least and the most tokens per param."""
        found = [run.tokens / run.params for run in self.runs]
        return min(found), max(found)

    def sections(self) -> list[Section]:
        """The report as titled sections, for whoever prints it."""
        lacks = self.stop is not None or self.short is not None
        what = "The best that this budget buys" if lacks else "What to train"
        under = (
            f"these runs answer the question under laws of {_whole(self.resolved)} of the weight"
        )
        return [
            Section("First runs", tuple(self._headline())),
            self.table(what, *([under] if lacks else [])),
            self._laws_section(),
            *self._silent(),
            self._rivals_section(),
            Section("Warnings", tuple(map(str, self.warnings)) or ("none",)),
        ]

    def _laws_section(self) -> Section:
        laws = tuple(
            (
                r.law, f"{r.weight:.2f}", r.answer, place(r.beyond), r.expected, r.needed,
                "yes" if r.resolves else "no",
                "unknown" if r.inside is None else f"{r.inside} of {len(self)}",
            )
            for r in self.laws
        )  # fmt: skip
        return Section(
            "If a published law is right",
            (
                "the expected interval and the one that answers the question (factors: the upper "
                "end over the lower); last: how many of these runs lie inside those that the law "
                "rests on",
            ),
            (
                "law",
                "weight",
                "its answer",
                "beyond the runs",
                "interval",
                "needed",
                "answered",
                "inside its own",
            ),
            laws,
        )

    def _silent(self) -> list[Section]:
        if not self.left_out:
            return []
        rows = tuple((law, shorten(why, WHY, placeholder=" ...")) for law, why in self.left_out)
        return [Section("Laws that say nothing of it", (), ("law", "why"), rows)]

    def _rivals_section(self) -> Section:
        own = (
            f"these runs ({self.shape})",
            str(len(self)),
            _span(*self.ratio),
            f"{self.half:.3g}",
            _whole(self.resolved),
        )
        rivals = tuple(
            (r.name, str(r.runs), _span(*r.ratio), f"{r.half:.3g}", _whole(r.resolved),
             f"{r.spread:.3g}", f"{r.cost:.3g} x")
            for r in self.rivals
        )  # fmt: skip
        return Section(
            "Other designs of the same cost",
            (
                "each the best of several sizes, at any tokens per param; equal at: the cost "
                "of an equal interval by more seeds",
            ),
            ("design", "runs", "tokens/param", "half", "answered", "V_K", "equal at"),
            ((*own, f"{self.spread:.3g}", "1 x"), *rivals),
        )

    def _headline(self) -> list[str]:
        lines = [
            f"budget: {self.budget}; used: {self.flop:.3g} of {self.most_flop:.3g} FLOPs (bf16)",
            f"to learn: {self.question}",
            f"hardware: {self.hardware}",
            *([self.costs] if self.costs else []),
            f"noise: {self.noise:g} of the loss from run to run, taken as given",
        ]
        if self.stop is not None:
            return [*lines, f"STOP: {self.stop}", self._base()]
        if self.short is not None:
            return [*lines, f"not enough: {self.short}", self._base()]
        return [
            *lines,
            f"expected after these {len(self)} runs ({percent(self.level)}): {self.width} where "
            f"{self.wanted} is asked",
            self._base(),
        ]

    def _base(self) -> str:
        """Under how many laws the question is answered, and how many were asked."""
        asked = len(self.laws) + len(self.left_out)
        silent = (
            f"; the other {len(self.left_out)} of {asked} laws asked, {_whole(1 - self.share)} of "
            f"their weight, say nothing of it, so that it is answered under "
            f"{_whole(self.resolved * self.share)} of the weight of all"
            if self.left_out
            else ""
        )
        return (
            f"answered under {sum(each.resolves for each in self.laws)} of the {len(self.laws)} "
            f"laws that say something of it, {_whole(self.resolved)} of their weight{silent}"
        )

    def __str__(self) -> str:
        return text(self.sections())


def _whole(share: float) -> str:
    """A share of weight in whole percent."""
    return f"{100 * share:.0f}%"


def _span(low: float, high: float) -> str:
    """The least and the most of something, for a table."""
    return f"{low:.3g} to {high:.3g}"
