"""What a report says of one value: its first lines, sections, pictures, and where it is from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from isoloss.files import FileOrigin
from isoloss.fits import (
    Comparison,
    Fit,
    Section,
    excluded_by_reason,
    law_sections,
    left_out_in_words,
)
from isoloss.laws import Law
from isoloss.linear import Study
from isoloss.plans import Plan
from isoloss.plots.figure import Figure
from isoloss.plots.plotting import Illustrated, figures_of, plot
from isoloss.plots.problems import PlotError
from isoloss.plots.reports.inlining import hover_of, inline, series_of, tables_of
from isoloss.runs import Runs, metric_of
from isoloss.scores import Arena

#: Lines of a first section that stand in the opening of a page.
MOST_LINES = 2
#: Where a value keeps neither seeds nor hashes of the tables behind it.
NO_FACTS = "hashes of its tables and seeds: not kept with it"


@runtime_checkable
class Told(Protocol):
    """A value that says itself in sections."""

    def sections(self) -> Sequence[Section]:
        """The report as titled sections."""


@dataclass(frozen=True)
class Picture:
    """A figure of a page: its SVG, its note in it, what it shows in words, the tables behind it."""

    svg: str
    label: str
    tables: tuple[Section, ...]


@dataclass(frozen=True)
class Part:
    """What a page says of one value.

    Attributes
    ----------
    kind
        What it is: "Plan".
    origin
        Where it is from.
    opening
        Its first lines.
    sections
        Its report.
    pictures
        Every figure of its type that can be drawn.
    without
        Why some cannot, one sentence each.
    facts
        Versions, seeds and hashes.
    """

    kind: str
    origin: FileOrigin
    opening: tuple[str, ...]
    sections: tuple[Section, ...]
    pictures: tuple[Picture, ...]
    without: tuple[str, ...]
    facts: tuple[str, ...]


def part_of(value: object, origin: FileOrigin, place: int) -> Part:
    """What a page says of a value, the `place`-th of it; PlotError where it says nothing."""
    sections = sections_of(value)
    kind = _kind(value)
    pictures, without = [], []
    for k, (name, drawn) in enumerate(_drawn(value)):
        if isinstance(drawn, Figure):
            pictures.append(_picture(drawn, f"{kind}: {name}", f"{place}-{k}"))
        else:
            without.append(f"No picture of {name}: {drawn}")
    facts = (*_file(origin), *(tuple(_facts(value)) or (NO_FACTS,)))
    opening = _opening(value, sections)
    return Part(kind, origin, opening, sections, tuple(pictures), tuple(without), facts)


def _kind(value: object) -> str:
    """What a value is, in a word or two: "Gap table"."""
    name = type(value).__name__
    spaced = "".join(f" {c.lower()}" if c.isupper() else c for c in name)
    return spaced.strip().capitalize()


def has_report(value: object) -> bool:
    """Whether a page can be made of a value."""
    return isinstance(value, Law | Runs | Study | Told)


def sections_of(value: object) -> tuple[Section, ...]:
    """The report of a value; PlotError where it has none."""
    match value:
        case Law():
            return tuple(law_sections(value))
        case Runs():
            return _of_runs(value)
        case Study():
            return _of_study(value)
        case Told():
            return tuple(value.sections())
        case _:
            raise PlotError(
                f"no report of a {type(value).__name__}; accepted are results of the verbs "
                "(plans, fits, comparisons, gaps, forecasts, scores, payoffs, claims), laws, "
                "studies and tables of runs"
            )


def _of_runs(runs: Runs) -> tuple[Section, ...]:
    rows = [(name, str(value)) for name, value in runs.provenance.items()]
    count = f"{len(runs)} runs, {len(runs.usable)} of them usable"
    units = dict.fromkeys(metric_of(str(name)).per_run for name in runs.usable["metric"])
    table = Section("Runs", (count, *left_out_in_words(excluded_by_reason(runs)), *units))
    return (table, Section("Provenance", (), ("", ""), tuple(rows))) if rows else (table,)


def _of_study(study: Study) -> tuple[Section, ...]:
    rows = [tuple(map(_cell, row)) for row in study.table.iter_rows()]
    answer = Section(study.title, tuple(filter(None, (*study.answer, study.setting))))
    return answer, Section("Its table", (), tuple(study.table.columns), tuple(rows))


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _opening(value: object, sections: Sequence[Section]) -> tuple[str, ...]:
    """The recommendation of a plan, or why it is withheld; of others their first lines."""
    if isinstance(value, Plan):
        asked = f"budget: {value.budget}; hardware: {value.hardware}"
        return (*value.recommendation, asked)
    first = next((s for s in sections if s.lines or s.rows), sections[0])
    return (first.title, *first.lines[:MOST_LINES])


def _drawn(value: object) -> Iterator[tuple[str, Figure | str]]:
    """Every figure of a value by what it shows, or why there is none of it."""
    kinds = [(each.shows, each.kind) for each in figures_of(value).values()]
    if isinstance(value, Illustrated):
        kinds = [("the claim", "study")]
    for shows, kind in kinds:
        try:
            yield shows, plot(value, kind=kind)  # type: ignore[arg-type]
        except ValueError as error:  # a figure that cannot be is no reason to lose the page
            yield shows, str(error)


def _picture(figure: Figure, label: str, place: str) -> Picture:
    found = series_of(figure)
    svg = inline(figure._repr_svg_(), place, hover_of(found))
    return Picture(svg, label, tuple(tables_of(found)))


def _file(origin: FileOrigin) -> Iterator[str]:
    if origin.sha256:
        yield f"sha256 {origin.sha256}"
    if origin.version:
        yield f"written by isoloss {origin.version}"


def _facts(value: Any) -> Iterator[str]:
    """Seeds and hashes of tables behind a value."""
    match value:
        case Fit():
            facts = value.facts
            yield (
                f"{value.law.name}: table {facts.hash}, seed {facts.seed}, fitted by isoloss "
                f"{facts.version}"
            )
        case Comparison():
            for entry in value.entries:
                yield from _facts(entry.fit)
        case Runs():
            yield f"table {value.hash}"
        case Plan() if value.question is not None:
            for each in value.question.members:
                yield from _facts(each.fit or each.law)
        case Law():
            yield f"{value.name}: a law without replicates, of no seed"
        case Arena():
            yield from (f"{name}: table {found}" for name, found in value.hashes)
            yield f"fitted by isoloss {value.version}"
