"""The answer to how a model is served, as a value: the ways, best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isoloss.files import displayed, equal_by_fields, percent
from isoloss.fits import (
    UNKNOWN,
    Absent,
    ResultWarning,
    Section,
    interval_in_words,
    loss_in_words,
    text,
)
from isoloss.plans.doubt import FAR, absent, place
from isoloss.plans.problems import OVERRIDE
from isoloss.runs import compact, metric_of

#: Why a way has no critical tokens.
NO_BASE = "-: told by laws of gaps alone, which have no loss that more tokens lower"


@equal_by_fields
@dataclass(frozen=True)
class ServingChoice:
    """One way to serve a model.

    Attributes
    ----------
    precision
        Its spelling, with the arrow.
    gap
        Expected loss over that of the model as trained, by the laws that see it; NaN where none
        does.
    gap_interval
        (low, high) over laws and bootstrap replicates; NaN where no law has replicates, far beyond
        the runs, and where these do not tell it.
    by_law
        The gap by each law that sees it.
    bytes
        Weights with their scales, keys and values.
    fits
        Whether that fits in the memory of the serving devices.
    speed
        Tokens/s of each sequence of the batch, all serving devices together; infinite on a cost
        model.
    speed_from
        "measured" or "bandwidth".
    critical
        Tokens beyond which training longer would hurt, (least, most) over laws.
    beaten_by
        The candidates that lose less, by the laws that see both, and take no more memory.
    at_least
        A lower bound of the gap where laws see only some of what is rounded; NaN elsewhere.
    outside
        How far the model lies outside the runs of these laws, as a factor, the largest known.
    is_point
        Whether none of these laws has replicates.
    bytes_read
        What one step of decoding reads: `bytes` without the table of embeddings, and of a mixture
        of experts those experts that the sequences choose.
    gap_of_all
        Of a mixture of experts, the gap if laws take all its params for N, with the constants of
        their best fits; NaN of a dense model.
    """

    precision: str
    gap: float
    gap_interval: tuple[float, float]
    by_law: Mapping[str, float]
    bytes: float
    fits: bool
    speed: float
    speed_from: str
    critical: tuple[float, float]
    beaten_by: tuple[str, ...]
    at_least: float = float("nan")
    outside: float = 1.0
    is_point: bool = True
    bytes_read: float = float("nan")
    gap_of_all: float = float("nan")
    has_base: bool = True

    @property
    def absent(self) -> Absent:
        """What stands in place of an interval that it has not, as in `Choice.absent`."""
        return absent("seen" if self.gap == self.gap else "unknown", self.is_point)


@displayed
@dataclass(frozen=True)
class ServingPlan:
    """Ways to serve a model, best first; those that no law sees stand last. Prints itself.

    Attributes
    ----------
    params, tokens
        The model.
    choices
        The candidates that meet the limits on memory and speed.
    outside
        How far the model lies outside the runs of each law, as a factor: 1 inside, NaN unknown.
    hardware
        In words.
    level
        Coverage of the intervals, 0.9 = 90%.
    withheld
        Why there is no single recommendation; None where there is. Only the laws that see the
        best candidate are asked.
    dropped
        Candidates that were left out, by spelling, each with the reason.
    warnings
        Typed warnings.
    metric
        What the losses are: "nats" per token or "excess_risk".
    shape
        What memory and speed are counted with, in words: a decoder's shape, or the assumed one.
    all_params
        Of a mixture of experts, whose active ones `params` are; None of a dense model.
    best : ServingChoice or None
        The recommendation.
    """

    params: float
    tokens: float
    choices: tuple[ServingChoice, ...]
    outside: Mapping[str, float]
    hardware: str
    level: float
    withheld: str | None
    dropped: Mapping[str, str]
    warnings: tuple[ResultWarning, ...]
    metric: str = "unknown"
    shape: str = ""
    all_params: float | None = None

    @property
    def best(self) -> ServingChoice | None:
        """The least gap of those that fit in memory; None where it is withheld or none fits."""
        fitting = [c for c in self.choices if c.fits and c.gap == c.gap]
        return None if self.withheld or not fitting else fitting[0]

    def sections(self) -> list[Section]:
        """The report as titled sections, for whoever prints it."""
        laws = tuple(self.outside)
        head = (
            "precision",
            "gap",
            "interval",
            *(["if N is all params"] if self._is_mixture else []),
            *laws,
            "memory",
            "fits",
            "tokens/s a sequence",
            "critical tokens",
            "beaten by",
        )
        notes = (
            f"gap in {metric_of(self.metric).unit} to the model as trained; "
            f"intervals of {percent(self.level)} over laws and bootstrap replicates, the gap their "
            "mean; under a law's name what its own constants say",
            "critical tokens: beyond them training longer raises the loss as served, "
            "least to most over laws",
            *([NO_BASE] if not all(c.has_base for c in self.choices) else []),
            *([f"memory and speed of {self.shape}"] if self.shape else []),
            "each candidate is judged by the laws that see it (unknown: it does not), laws of one "
            "base counting once",
        )
        far_off = tuple((law, place(self.outside[law])) for law in laws)
        return [
            Section(
                f"Serving {self._size} trained on {compact(self.tokens)} tokens",
                self._headline(),
            ),
            Section(
                "Choices, least gap first",
                notes,
                head,
                tuple(_row(c, laws, self._is_mixture) for c in self.choices),
            ),
            Section("Laws", (), ("law", "the model lies"), far_off),
            *([Section("Left out", tuple(self.dropped.values()))] if self.dropped else []),
            Section("Warnings", tuple(map(str, self.warnings)) or ("none",)),
        ]

    @property
    def _size(self) -> str:
        active = "" if self.all_params is None else f"active of {compact(self.all_params)} "
        return f"{compact(self.params)} {active}params"

    @property
    def _is_mixture(self) -> bool:
        return any(c.gap_of_all == c.gap_of_all for c in self.choices)

    def _headline(self) -> tuple[str, ...]:
        first = f"hardware: {self.hardware}"
        fitting = [c for c in self.choices if c.fits]
        if self.withheld and any(c.gap == c.gap for c in fitting):
            return (
                first,
                f"recommendation withheld: {self.withheld}; {OVERRIDE}",
            )
        if self.best is None:
            return first, (
                "no recommendation: no law sees a candidate that fits in memory"
                if fitting
                else "no candidate fits in memory"
            )
        best = self.best
        gap = metric_of(self.metric).amount(f"{best.gap:+z.4f}")
        said = f"'{best.precision}': {gap} in {best.bytes / 1e9:.4g} GB{_far(best.outside)}"
        unseen = ", ".join(f"'{c.precision}'" for c in fitting if c.gap != c.gap)
        told = f"not ranked: {unseen}: no law tells what they lose, so they may be better"
        return (first, said, *([told] if unseen else []))

    def __str__(self) -> str:
        return text(self.sections())


def _far(outside: float) -> str:
    """How far beyond the runs of a law the model lies, after a headline."""
    if not outside > 1:
        return ""
    held = ", where nothing holds the error of a gap" if outside > FAR else " of a law"
    return f", {outside:.3g} times beyond the runs{held}"


def _row(c: ServingChoice, laws: Sequence[str], is_mixture: bool) -> tuple[str, ...]:
    least, most = (_tokens(end, c.absent) if c.has_base else "-" for end in c.critical)
    return (
        c.precision,
        _gap(c),
        interval_in_words(c.gap_interval, loss_in_words, c.absent),
        *([loss_in_words(c.gap_of_all)] if is_mixture else []),
        *(loss_in_words(c.by_law[law]) if law in c.by_law else UNKNOWN for law in laws),
        f"{c.bytes / 1e9:.4g} GB",
        *_on_device(c),
        least if least == most else f"{least} to {most}",
        ", ".join(c.beaten_by),
    )


def _on_device(c: ServingChoice) -> tuple[str, str]:
    """Whether it fits, and how fast it decodes; a cost model has neither memory nor bandwidth."""
    if c.speed == float("inf"):
        return "no device", "no device"
    return "yes" if c.fits else "no", f"{c.speed:.4g}"


def _gap(c: ServingChoice) -> str:
    if c.gap == c.gap:
        return loss_in_words(c.gap)
    return f"at least {c.at_least:.4f}" if c.at_least == c.at_least else UNKNOWN


def _tokens(count: float, absent: Absent) -> str:
    if count != count:
        return absent
    return "never" if count == float("inf") else compact(count)
