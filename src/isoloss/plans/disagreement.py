"""The disagreement view: one question to every published law, each in its own spelling of it.

Laws were measured on different methods: "4 bits" are MXFP4 blocks to one, integers a row to
another, GPTQ after training to a third. `READINGS` says how each is asked. Where laws differ
tenfold, no average helps: the table with the region of runs behind each law is the honest answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isoloss.files import displayed
from isoloss.fits import (
    UNKNOWN,
    ResultWarning,
    Section,
    View,
    WarningKind,
    loss_in_words,
    text,
)
from isoloss.formats import Precision
from isoloss.laws import is_gap_law, preset
from isoloss.plans.budget import BudgetLike, as_budget, machine_of
from isoloss.plans.checks import as_count
from isoloss.plans.costs import MACHINES, Hardware, amount
from isoloss.plans.doubt import place
from isoloss.plans.evidence import LawPlan
from isoloss.plans.planning import plan
from isoloss.plans.problems import PlanError
from isoloss.plans.search import Member, far, views_of
from isoloss.runs import compact


@dataclass(frozen=True)
class Reading:
    """How a law is asked about a number of bits.

    Attributes
    ----------
    law
        Its name.
    spelling
        A precision with {b} for the bits, or {f} for the float layout of that many bits that Sun et
        al. 2025 find best.
    method
        What "quantised" means to the law, in words.
    """

    law: str
    spelling: str
    method: str

    def precision(self, bits: int) -> Precision | None:
        """The precision at a number of bits, or None where the law is undefined."""
        if "{f}" in self.spelling and bits not in FLOATS:
            return None
        try:
            asked = Precision(self.spelling.format(b=bits, f=FLOATS.get(bits)))
        except ValueError:
            return None
        return asked if Member(preset(self.law)).knows(asked) is None else None


FLOATS = {4: "e2m1", 5: "e2m2", 6: "e2m3", 7: "e3m3", 8: "e4m3"}
#: Every law that sees precision and has its constants; laws of the error know the format, others
#: its bits. A new law adds a line.
READINGS = (
    Reading("chen2025", "w{b}/128 a{b}/128", "trained, groups of 128"),
    Reading("quartet2025", "w:mxfp{b}@quest a:mxfp{b}@quest", "trained, forward alone"),
    Reading(
        "quartet2025",
        "w:mxfp{b}@quartet a:mxfp{b}@quartet g:mxfp{b}@quartet",
        "trained, forward and backward",
    ),
    Reading("quest2025", "w{b}+had@quest a{b}+had@quest", "trained, Hadamard"),
    Reading("kumar2024", "w{b} a{b}", "trained"),
    Reading("kumar2024_printed", "w{b} a{b}", "the same, misread: without offsets"),
    Reading("sun2025", "w:{f}/32 a:{f}/32 g:{f}/32", "trained, blocks of 32"),
    Reading("sun2025", "w:{f}/128 a:{f}/128 g:{f}/128", "trained, blocks of 128"),
    Reading("kumar2024", "fp -> w{b}", "after training, GPTQ"),
    Reading("ouyang2024", "fp -> w{b}", "after training, GPTQ"),
    Reading("ouyang2024_per_bit", "fp -> w{b}", "after training, GPTQ"),
    Reading("error_trained2026", "w{b} a{b}", "trained, by the error"),
    Reading("error_trained2026", "w:{f} a:{f}", "trained, by the error of a float"),
    Reading("error2026", "fp -> w{b}", "after training, by the error"),
    Reading("error2026", "fp -> w{b}/128", "after training, groups of 128, by the error"),
    Reading("error2026", "fp -> w{b}/128@gptq", "after training, GPTQ, by the error"),
    Reading("error2026", "fp -> w:{f}/128", "after training, floats, by the error"),
)


@dataclass(frozen=True)
class Asked:
    """One reading with its answers.

    Attributes
    ----------
    reading
        The law and how it was asked.
    precision
        As it was asked.
    gaps
        Nats per token over no rounding, one for each point.
    outside
        How far each point lies outside the runs of the law, as a factor.
    """

    reading: Reading
    precision: str
    gaps: tuple[float, ...]
    outside: tuple[float, ...]


@dataclass(frozen=True)
class Optimum:
    """What one law would do with a budget on one machine, among its own formats.

    Attributes
    ----------
    hardware
        Name of the machine.
    alone
        The plan of the law.
    """

    hardware: str
    alone: LawPlan


@displayed
@dataclass(frozen=True)
class Disagreement:
    """Answers of all laws to one question. Prints itself.

    Attributes
    ----------
    question
        In words.
    points
        (params, tokens) of each point that was asked about.
    answers
        Gaps, one reading each.
    optima
        Plans, one law and machine each.
    silent
        The readings without an answer, some with the reason.
    warnings
        What laws cannot see of how they were asked; a gap that none of it tells is NaN.
    """

    question: str
    points: tuple[tuple[float, float], ...]
    answers: tuple[Asked, ...]
    optima: tuple[Optimum, ...]
    silent: tuple[str, ...]
    warnings: tuple[ResultWarning, ...] = ()

    def sections(self) -> list[Section]:
        """The table as titled sections, for whoever prints it."""
        found = []
        if self.answers:
            places = tuple(f"{compact(n)} on {compact(d)}" for n, d in self.points)
            rows = tuple(
                (*_asked(a), *map(_gap, a.gaps, a.outside), _box(a.reading.law))
                for a in self.answers
            )
            notes = (
                "gap in nats to no rounding; ( ) where the point lies outside the runs of the law",
            )
            found.append(
                Section(
                    self.question, notes, ("law", "asked as", "method", *places, "its runs"), rows
                )
            )
        if self.optima:
            columns = (
                "law",
                "hardware",
                "precision",
                "params",
                "tokens",
                "loss",
                "outside its runs",
            )
            found.append(
                Section(
                    self.question,
                    ("each law among its own formats",),
                    columns,
                    tuple(map(_row, self.optima)),
                )
            )
        if self.silent:
            found.append(Section("Without an answer", (", ".join(self.silent),)))
        if self.warnings:
            found.append(Section("Warnings", tuple(map(str, self.warnings))))
        return found

    def __str__(self) -> str:
        return text(self.sections())


def gaps_by_law(
    params: str | float | Sequence[str | float],
    tokens: str | float | Sequence[str | float],
    bits: int = 4,
) -> Disagreement:
    """The loss gap of a number of bits by every published law that sees precision.

    Parameters
    ----------
    params, tokens
        Counts, one or several; as many of each.
    bits
        Bits of weights, and of what else the law rounds with them.

    Returns
    -------
    Disagreement
        The gaps, and how far each point lies outside the runs of each law.

    Raises
    ------
    PlanError
        Counts cannot be read or differ in number, or no law is defined at the bits.
    """
    sizes, lengths = _listed(params, "params"), _listed(tokens, "tokens")
    bits = as_count("bits", bits, 0)
    if len(sizes) != len(lengths):
        raise PlanError(
            f"params has {len(sizes)} entries and tokens {len(lengths)}; give as many of each"
        )
    points = tuple(
        (amount(n, "params", "params"), amount(d, "tokens", "tokens"))
        for n, d in zip(sizes, lengths, strict=True)
    )
    known, silent = _known([bits])
    answers, views = [], []
    for reading, (asked,) in known:
        member = Member(preset(reading.law))
        views.append(views_of(member, [asked]))
        sees = views[-1][0].sees
        gaps = tuple(
            float(member.law.gap(n, d, asked)) if sees else float("nan") for n, d in points
        )
        answers.append(
            Asked(reading, str(asked), gaps, tuple(far(member, n, d) for n, d in points))
        )
    return Disagreement(
        f"What {bits} bits cost", points, tuple(answers), (), silent, _unseen(known, views)
    )


def plans_by_law(
    budget: BudgetLike,
    hardware: str | Hardware | Sequence[str | Hardware] | None = None,
    bits: int | Sequence[int] = (2, 3, 4, 5, 6, 7, 8),
) -> Disagreement:
    """What every published law that sees precision in training would do with a budget.

    Parameters
    ----------
    budget
        A Budget, a mapping of its words, or compute alone, as "1e21 flop".
    hardware
        Machines, by name or as Hardware, one or several; by default linear-bits and all devices.
    bits
        Whole numbers of bits, whose formats each law chooses from beside bf16.

    Returns
    -------
    Disagreement
        The plan of each law on each machine.

    Raises
    ------
    PlanError
        An argument is of the wrong kind, or the budget cannot be planned for any law.
    """
    budget = as_budget(budget)
    named = [budget.hardware] if budget.hardware else [m for m in MACHINES if m != "memory-bits"]
    names = named if hardware is None else hardware
    devices = [machine_of(budget, each) for each in _listed(names, "hardware")]
    known, silent = _known([as_count("bits", each, 0) for each in _listed(bits, "bits")])
    optima, problems = [], list(silent)
    for reading, precisions in known:
        if any(p.serve for p in precisions) or is_gap_law(preset(reading.law)):
            continue
        for device in devices:
            try:
                found = plan(
                    reading.law, budget, device, precision=[*precisions, "bf16"], extrapolate=True
                )
            except PlanError as error:
                problems.append(f"{reading.law} on {device.name} ({error})")
                continue
            optima.append(Optimum(device.name, found.by_law[0]))
    if not optima:
        raise PlanError(f"no law can plan {budget}: {problems[-1]}")
    return Disagreement(
        f"What to train with {budget}", (), (), tuple(optima), tuple(problems),
        _unseen(known, [views_of(Member(preset(r.law)), asked) for r, asked in known]),
    )  # fmt: skip


def _unseen(
    known: Sequence[tuple[Reading, Sequence[Precision]]], views: Sequence[Sequence[View]]
) -> tuple[ResultWarning, ...]:
    """Warnings of what laws cannot see of how they are asked, one a reading."""
    found = []
    for (reading, precisions), seen in zip(known, views, strict=True):
        names = tuple(dict.fromkeys(name for view in seen for name in view.unseen))
        if names:
            asked = f"'{precisions[0]}'" + (" and more" if len(precisions) > 1 else "")
            lost = "their loss" if any(view.missing for view in seen) else "what they cost"
            end = "is unknown" if any(view.missing for view in seen) else "is missing from the gap"
            text = f"law {reading.law} has no term for {', '.join(names)} in {asked}: {lost} {end}"
            found.append(ResultWarning(WarningKind.UNSEEN_PARTS, text, names))
    return tuple(found)


def _known(bits: Sequence[int]) -> tuple[list[tuple[Reading, list[Precision]]], tuple[str, ...]]:
    """The readings with their precisions at some bits, and the names of those without."""
    found = [(r, [p for b in bits if (p := r.precision(b)) is not None]) for r in READINGS]
    silent = tuple(f"{r.law} ({r.method})" for r, precisions in found if not precisions)
    if len(silent) == len(READINGS):
        known = sorted({b for b in range(1, 17) for r in READINGS if r.precision(b) is not None})
        raise PlanError(
            f"no law is defined at {', '.join(map(str, bits))} bits; "
            f"accepted are {', '.join(map(str, known))}"
        )
    return [(r, precisions) for r, precisions in found if precisions], silent


def _listed(given: object, what: str) -> list[Any]:
    """One thing or several, as a list; PlanError where there is none."""
    several = isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping)
    found = list(given) if several else [given]  # type: ignore[call-overload]
    if not found:
        raise PlanError(f"{what} is empty; give one or several")
    return found


def _asked(a: Asked) -> tuple[str, str, str]:
    return a.reading.law, a.precision, a.reading.method


def _gap(gap: float, outside: float) -> str:
    if gap != gap:
        return UNKNOWN
    return f"{gap:z.3f}" if outside <= 1 else f"({gap:z.3f})"


def _box(law: str) -> str:
    box = preset(law).box
    if box is None:
        return "not known"
    holes = "".join(f" (none between {compact(a)} and {compact(b)})" for a, b in box.holes)
    sizes = " to ".join(map(compact, box.params))
    return f"{sizes}{holes} on {' to '.join(map(compact, box.tokens))}"


def _row(each: Optimum) -> tuple[str, ...]:
    a = each.alone
    return (
        a.law,
        each.hardware,
        a.precision,
        compact(a.params),
        compact(a.tokens),
        loss_in_words(a.loss),
        place(a.outside),
    )
