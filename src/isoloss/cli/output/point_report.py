"""What theory says at points of regression: one in words, several as a table of what differs, any
number as data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import isoloss as il
from isoloss.cli.output.showing import say, show, show_json, show_text

if TYPE_CHECKING:
    import polars as pl

    from isoloss.formats import Precision
    from isoloss.linear import SGD, Regression

Point = tuple["Regression", "SGD", "Precision"]
#: Settings that a table shows even where all rows have the same.
ALWAYS = ("params", "samples", "precision")
COUNTS = ("params", "dim", "sketch", "samples", "steps", "batch")


@dataclass(frozen=True)
class Answers:
    """Values found at points.

    points, values, texts: a point, its named numbers and words, and how the result prints itself;
    a point may have several results, next to one another. title: what the table holds. shown: the
    values that a table on the screen has, with their heads; all are kept and in the data. notes:
    lines above the table. hidden: settings that do not count.
    """

    title: str
    points: Sequence[Point]
    values: Sequence[Mapping[str, Any]]
    texts: Sequence[str]
    shown: Mapping[str, str]
    notes: Sequence[str] = ()
    hidden: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """Every point with its values."""
        pairs = zip(self.points, self.values, strict=True)
        return [
            {k: v for k, v in setting(point).items() if k not in self.hidden} | dict(values)
            for point, values in pairs
        ]

    def frame(self) -> pl.DataFrame:
        """The rows as a data frame."""
        import polars as pl

        return pl.DataFrame(self.rows(), infer_schema_length=None)


def setting(point: Point) -> dict[str, Any]:
    """The settings of a point by name, as columns of a table have them."""
    problem, sgd, precision = point
    return {
        "params": problem.sketch or problem.dim,
        "dim": problem.dim,
        "spectrum": f"i^-{problem.decay:g}" if problem.spectrum is None else "given",
        "noise_var": problem.noise_var,
        "target": str(problem.target) if isinstance(problem.target, float | str) else "given",
        "kurtosis": problem.kurtosis,
        "sketch": problem.sketch,
        "site": problem.site,
        "sketch_seed": problem.seed,
        "samples": sgd.steps * sgd.batch,
        "steps": sgd.steps,
        "batch": sgd.batch,
        "step_size": _number(sgd.step_size),
        "schedule": sgd.schedule,
        "momentum": sgd.momentum,
        "precision": str(precision),
    }


def answer(
    kind: str,
    found: Answers,
    output: Path | None = None,
    force: bool = False,
    as_json: bool = False,
) -> None:
    """Keep the rows where a file is named, then print the answers."""
    if output is not None:
        path = il.runs.save_frame(found.frame(), output, force)
        say(f"saved {len(found.points)} rows as {path}")
    if as_json:
        show_json(kind, {kind: found.rows()})
    elif len(set(found.points)) == 1:
        head = _said(found.points[0], found.hidden)
        show_text("\n".join([head, *_indented("\n".join(found.texts))]))
    else:
        show([_table(found)])


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def _said(point: Point, hidden: tuple[str, ...]) -> str:
    """The point on one line, without settings that do not count."""
    problem, sgd, precision = point
    parts = {
        "steps": f"{il.runs.compact(sgd.steps)} steps",
        "batch": f"batch {sgd.batch}",
        "step_size": f"step size {_number(sgd.step_size)}",
        "schedule": "" if sgd.schedule == "constant" else sgd.schedule,
        "momentum": f"momentum {sgd.momentum:g}" if sgd.momentum else "",
    }
    said = ", ".join(text for name, text in parts.items() if text and name not in hidden)
    return f"{problem}; {said}; '{precision}'"


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _table(found: Answers) -> il.fits.Section:
    """Columns that differ, or always count, and the values."""
    rows = found.rows()
    settings = [name for name in setting(found.points[0]) if name not in found.hidden]
    settings = [name for name in settings if _differs(name, rows)]
    shown = tuple(
        tuple(_cell(name, row[name]) for name in (*settings, *found.shown)) for row in rows
    )
    spoken = tuple(name.replace("_", " ") for name in settings)
    same = len({each[0] for each in found.points}) == 1
    lines = (*((f"of {found.points[0][0]}",) if same else ()), *found.notes)
    return il.fits.Section(found.title, lines, (*spoken, *found.shown.values()), shown)


def _differs(name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    if name in ALWAYS:
        return True
    return name != "dim" and len({str(row[name]) for row in rows}) > 1


def _cell(name: str, value: Any) -> str:
    if value is None or value != value:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in COUNTS:
        return il.runs.compact(float(value))
    return f"{value:.5g}" if isinstance(value, float | int) else str(value)
