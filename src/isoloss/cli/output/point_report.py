"""What theory says at points of regression: one in words, several as a table of what differs, any
number as data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import isoloss as il
from isoloss.cli.output.showing import say, show, show_json, show_text

if TYPE_CHECKING:
    import polars as pl

    from isoloss.cli.arguments.options import Keeping
    from isoloss.formats import Precision
    from isoloss.linear import SGD, Regression

Point = tuple["Regression", "SGD", "Precision"]
#: Settings that a table shows even where all rows have the same.
ALWAYS = ("params", "samples", "precision")
SPOKEN = {"gamma": "step size"}
COUNTS = ("params", "dim", "sketch", "samples", "steps", "batch")


@dataclass(frozen=True)
class Answers:
    """Values found at points.

    points, values, texts: a point, its named numbers and words, and how the result prints itself;
    a point may have several results, next to one another. title: what the table holds. shown: the
    values that a table on the screen has, with their heads; all are kept and in the data. notes:
    lines above the table. hidden: settings that do not count. A value `gamma` is the step size as a
    number, shown where it differs.
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
        "rule": sgd.rule,
        "precision": str(precision),
    }


def keep_rows(rows: Sequence[Mapping[str, Any]] | pl.DataFrame, keeping: Keeping) -> None:
    """Keep rows where a file is named."""
    import polars as pl

    if keeping.output is not None:
        frame = pl.DataFrame(rows, infer_schema_length=None)
        path = il.runs.save_frame(frame, keeping.output, keeping.force)
        say(f"saved {len(frame)} rows as {path}")


def answer(kind: str, found: Answers, keeping: Keeping) -> None:
    """Keep the rows where a file is named, then print the answers."""
    rows = found.rows()
    keep_rows(rows, keeping)
    if keeping.as_json:
        show_json(kind, {kind: rows})
    elif len(set(found.points)) == 1:
        head = said_point(found.points[0], found.hidden, found.values[0].get("gamma"))
        show_text("\n".join([head, *_indented("\n".join(found.texts))]))
    else:
        show([_table(found, rows)])


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def said_point(point: Point, hidden: tuple[str, ...] = (), gamma: float | None = None) -> str:
    """The point on one line, without settings that do not count; gamma is the step size as a
    number.
    """
    problem, sgd, precision = point
    as_number = "" if gamma is None or sgd.share is None else f" = {gamma:.4g}"
    parts = {
        "steps": f"{il.runs.compact(sgd.steps)} steps",
        "batch": f"batch {sgd.batch}",
        "step_size": f"step size {_number(sgd.step_size)}{as_number}",
        "schedule": "" if sgd.schedule == "constant" else sgd.schedule,
        "momentum": f"{sgd.rule} of {sgd.momentum:g}" if sgd.momentum else "",
    }
    said = ", ".join(text for name, text in parts.items() if text and name not in hidden)
    return f"{problem}; {said}; '{precision}'"


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _table(found: Answers, rows: Sequence[Mapping[str, Any]]) -> il.fits.Section:
    """Columns that differ, or always count, and the values."""
    settings = [name for name in setting(found.points[0]) if name not in found.hidden]
    if all("gamma" in row for row in rows):
        settings[settings.index("step_size")] = "gamma"
    settings = [name for name in settings if _differs(name, rows)]
    shown = tuple(
        tuple(_cell(name, row[name]) for name in (*settings, *found.shown)) for row in rows
    )
    spoken = tuple(SPOKEN.get(name, name.replace("_", " ")) for name in settings)
    same = len({each[0] for each in found.points}) == 1
    lines = (*((f"of {found.points[0][0]}",) if same else ()), *found.notes)
    return il.fits.Section(found.title, lines, (*spoken, *found.shown.values()), shown)


def _differs(name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    if name in ALWAYS:
        return True
    if name == "dim" and all(row[name] == row.get("params") for row in rows):
        return False
    return len({str(row[name]) for row in rows}) > 1


def _cell(name: str, value: Any) -> str:
    if value is None or value != value:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in COUNTS:
        return il.runs.compact(float(value))
    return f"{value:.5g}" if isinstance(value, float | int) else str(value)
