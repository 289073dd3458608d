"""The first runs as a value: what to train, what it answers, rivals of the same cost, or STOP."""

from __future__ import annotations

from dataclasses import dataclass

from isoloss.files import percent
from isoloss.fits import ResultWarning, Section, text
from isoloss.plans.design.to_train import NextRun, ToTrain
from isoloss.plans.doubt import FAR, place
from isoloss.runs import compact


@dataclass(frozen=True)
class LawAnswer:
    """What one published law expects of a design.

    Attributes
    ----------
    law, weight
        Its name and its share.
    answer
        What it answers, in words.
    half
        Half the interval that a fit to the runs is expected to have, if the law is right: of log
        params, of the exponent, of the log gap.
    need
        The half that resolves the question.
    beyond
        How many times beyond the largest and the longest run the answer lies, 1 inside.
    """

    law: str
    weight: float
    answer: str
    half: float
    need: float
    beyond: float

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
    half, width
        Half the expected interval, geometric mean over laws, and the interval in words.
    spread
        V_K of the ratios of the runs.
    shape
        "searched", or the name of the rival that is taken as it is expected to teach more.
    stop
        Why these runs do not answer the question, and what would; None where they do.
    noise
        Standard deviation of log loss that was taken.
    level
        Coverage of the interval, 0.9 = 90%.
    warnings
        Typed warnings.
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
    spread: float
    shape: str
    stop: str | None
    noise: float
    level: float
    warnings: tuple[ResultWarning, ...]

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
        what = "What to train" if self.stop is None else "The best that this budget buys"
        note = () if self.stop is None else ("these runs do not answer the question",)
        runs = tuple(
            (
                compact(r.params), compact(r.tokens), r.precision, str(r.seeds), f"{r.flop:.3g}",
                f"{100 * r.seeds * r.flop / self.flop:.1f}%",
            )
            for r in self.runs
        )  # fmt: skip
        laws = tuple(
            (
                r.law, f"{r.weight:.2f}", r.answer, place(r.beyond), f"{r.half:.3g}",
                f"{r.need:.3g}", "yes" if r.resolves else "no",
            )
            for r in self.laws
        )  # fmt: skip
        head = ("params", "tokens", "precision", "seeds", "FLOPs each", "share of the cost")
        return [
            Section("First runs", tuple(self._headline())),
            Section(what, note, head, runs),
            Section(
                "If a published law is right",
                ("half the expected interval, and the half that answers the question",),
                ("law", "weight", "its answer", "beyond the runs", "half", "needed", "answered"),
                laws,
            ),
            self._rivals_section(),
            Section("Warnings", tuple(map(str, self.warnings)) or ("none",)),
        ]

    def _rivals_section(self) -> Section:
        own = (
            f"these runs ({self.shape})",
            str(len(self)),
            _span(*self.ratio),
            f"{self.half:.3g}",
            percent(self.resolved),
        )
        rivals = tuple(
            (r.name, str(r.runs), _span(*r.ratio), f"{r.half:.3g}", percent(r.resolved),
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
            f"noise: {self.noise:g} of the loss from run to run, taken as given",
        ]
        if self.stop is not None:
            return [*lines, f"STOP: {self.stop}"]
        return [
            *lines,
            f"expected after these {len(self)} runs ({percent(self.level)}): {self.width}; "
            f"the question is answered under {sum(each.resolves for each in self.laws)} of the "
            f"{len(self.laws)} laws that say something of it, {percent(self.resolved)} of their "
            "weight",
        ]

    def __str__(self) -> str:
        return text(self.sections())


def _span(low: float, high: float) -> str:
    """The least and the most of something, for a table."""
    return f"{low:.3g} to {high:.3g}"
