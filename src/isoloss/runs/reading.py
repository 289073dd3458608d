"""Reading runs from whatever holds them: a file, a data frame, a public table by name, a store, or
a list of these.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import polars as pl

from isoloss.files import did_you_mean, reason, shown
from isoloss.runs.columns import BY_NAME, NUMERIC
from isoloss.runs.intake import Opened, Origin, checked, filled, frame_of, open_file, unit_of
from isoloss.runs.numbers import number
from isoloss.runs.problems import RunsError
from isoloss.runs.provenance import Provenance
from isoloss.runs.published import TABLES, load_table, provenance_of
from isoloss.runs.run import Run
from isoloss.runs.sweeps import Store
from isoloss.runs.table import Runs

ColumnNames = Mapping[str, str] | Iterable[str]


def read(
    source: Any,
    /,
    *,
    columns: ColumnNames | None = None,
    precision: str | None = None,
    perplexity: bool | str = False,
    strict: bool = False,
    **constants: Any,
) -> Runs:
    """Read a table of runs.

    Parameters
    ----------
    source
        A path (its ending is one of `READERS`), the name of a public table (`TABLES`), a data
        frame, a `Store`, `Runs`, a `Run`, or a list of these, which are joined.
    columns
        Which column of the file holds what: {"loss": "val_loss"} or ["loss=val_loss"].
    precision
        One spelling for all rows, or a template "w{w_bits} a{a_bits}" filled from the row's
        columns; a part whose value is missing is left out.
    perplexity
        True where the loss column is perplexity, or the name of the column that is.
    strict
        Raise for the first row that cannot be used, instead of keeping it as excluded.
    **constants
        A value for a column of every row (source="mine", tokens="30B"); for a public table also its
        own options, such as eval_set. In a list, columns, precision and perplexity are for your own
        files and not for public tables.

    Returns
    -------
    Runs
        All rows; those that cannot be used have status "excluded" and a reason.

    Raises
    ------
    RunsError
        The source cannot be read, a column is missing or named twice, or, where `strict`, a row
        cannot be used.
    """
    source = _made(source)
    if isinstance(source, list | tuple):
        if not source:
            raise RunsError("no source to read; give a file, a data frame or the name of a table")
        own: dict[str, Any] = {"columns": columns, "precision": precision, "perplexity": perplexity}
        parts = [
            read(one, **({} if _public(one) else own), strict=strict, **constants) for one in source
        ]
        return reduce(add, parts)
    if _public(source):
        if columns or precision or perplexity:
            raise RunsError(
                f"'{source}' is a public table; columns, precision and perplexity are for your own"
            )
        return _with_constants(source, constants, strict)
    named = _named(columns, perplexity, constants)
    opened = _opened(source)
    frame, found = _arranged(opened, named, precision, bool(perplexity), constants)
    origin = Origin(opened.origin.name, opened.origin.rows, named)
    table = checked(frame, origin, strict, found)
    before = source.provenance if isinstance(source, Runs) else {}
    return Runs.from_checked(table, {**before, **_provenance(table)})


def as_runs(source: Any) -> Runs:
    """Runs of whatever stands for them: `Runs` as they are, all else as `read` takes it.

    Parameters
    ----------
    source
        `Runs`, a `Run` or a list of them, a `Store`, a path, the name of a public table, a data
        frame, or a list of these.

    Raises
    ------
    RunsError
        It is none of these, or cannot be read.
    """
    return source if isinstance(source, Runs) else read(source)


def _made(source: Any) -> Any:
    """Runs of a run, of a list of runs or of a store; anything else as it is."""
    if isinstance(source, Run):
        return Runs([source])
    if isinstance(source, Store):
        return source.path
    if isinstance(source, list | tuple) and source and all(isinstance(one, Run) for one in source):
        return Runs(source)
    return source


def _public(source: Any) -> bool:
    return isinstance(source, str) and source in TABLES


def _opened(source: Any) -> Opened:
    if isinstance(source, Runs):
        return Opened(source.frame(), Origin("the given runs"))
    if not isinstance(source, str | Path):
        return Opened(frame_of(source), Origin("the data frame"))
    path = Path(source)
    if isinstance(source, str) and not path.suffix and not _there(path):
        meant = did_you_mean(source, TABLES, 1, 0.6) or f"public tables are {', '.join(TABLES)}"
        raise RunsError(f"{shown(source)} is neither a file nor a public table; {meant}")
    return open_file(path)


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a name that no file can have
        raise RunsError(f"cannot read {shown(path)}: {reason(error)}") from None


def _with_constants(name: str, constants: Mapping[str, Any], strict: bool) -> Runs:
    """A public table, with the constants that are not options of its own filled in."""
    own = {key: value for key, value in constants.items() if key in (TABLES[name].options or {})}
    rest = {key: value for key, value in constants.items() if key not in own}
    for key, value in rest.items():
        _check_constant(key, value)
    frame = load_table(TABLES[name], own)
    for key, value in rest.items():
        frame = _constant(frame, key, value, name)
    table = checked(frame, Origin(name, settled=True), strict)
    return Runs.from_checked(table, _provenance(table))


def _provenance(table: pl.DataFrame) -> dict[str, Provenance]:
    return provenance_of(table["source"].unique().to_list()) if "source" in table.columns else {}


def _pairs(columns: ColumnNames | None) -> dict[str, str]:
    """The column names as a mapping, whether given as one or as 'loss=val_loss' texts."""
    if columns is None or isinstance(columns, Mapping):
        return dict(columns or {})
    pairs: dict[str, str] = {}
    for text in [columns] if isinstance(columns, str) else columns:
        name, sign, own = text.partition("=")
        if not (sign and name.strip() and own.strip()):
            raise RunsError(f"cannot read the column name {text!r}; write it like loss=val_loss")
        if name.strip() in pairs:
            raise RunsError(
                f"two columns, '{pairs[name.strip()]}' and '{own.strip()}', are named as "
                f"{name.strip()}"
            )
        pairs[name.strip()] = own.strip()
    return pairs


def _named(
    columns: ColumnNames | None, perplexity: bool | str, constants: Mapping[str, Any]
) -> dict[str, str]:
    """The column of the table that each canonical one is taken from, checked before it is opened.

    Raises RunsError for a canonical name that is unknown or given twice.
    """
    named = _pairs(columns)
    if isinstance(perplexity, str) and named.setdefault("loss", perplexity) != perplexity:
        raise RunsError(f"two columns, '{named['loss']}' and '{perplexity}', are named as loss")
    for canonical in named:
        _known_column(canonical)
    for key, value in constants.items():
        _check_constant(key, value)
        if key in named:
            raise RunsError(
                f"'{key}' is given twice: as the column '{named[key]}' and as the constant "
                f"{value!r}"
            )
    return named


def _arranged(
    opened: Opened,
    named: Mapping[str, str],
    precision: str | None,
    is_perplexity: bool,
    constants: Mapping[str, Any],
) -> tuple[pl.DataFrame, dict[str, dict[int, str]]]:
    """The raw frame under canonical names, and what is already known to be wrong in it."""
    name = opened.origin.name
    spelled = None if precision is None else filled(precision, opened.frame, name)
    frame = _renamed(opened.frame, named, name)
    if precision is not None and spelled is not None:
        frame = _set_precision(frame, spelled, precision, name)
    found: dict[str, dict[int, str]] = {}
    if is_perplexity and "loss" in frame.columns:
        frame, found["loss"] = _loss_from_perplexity(frame)
        frame = _metric_of_logarithms(frame)
    for key, value in constants.items():
        frame = _constant(frame, key, value, name)
    return _with_typed_extras(frame), found


def _renamed(frame: pl.DataFrame, columns: Mapping[str, str], name: str) -> pl.DataFrame:
    """The frame with the named columns under their canonical names; one that stood there keeps
    '_in_file'.
    """
    for canonical, own in columns.items():
        if own not in frame.columns:
            there = ", ".join(frame.columns)
            raise RunsError(
                f"{name} has no column '{own}' to take {canonical} from; its columns are {there}"
            )
    numbers = [canonical for canonical in columns if canonical in NUMERIC]
    for first, second in ((a, b) for i, a in enumerate(numbers) for b in numbers[i + 1 :]):
        if columns[first] == columns[second]:
            raise RunsError(f"column '{columns[first]}' is named as both {first} and {second}")
    taken = {canonical: frame[own].alias(canonical) for canonical, own in columns.items()}
    kept = []
    for series in frame.get_columns():
        if series.name in taken and columns[series.name] != series.name:
            kept.append(series.alias(f"{series.name}_in_file"))
        elif series.name not in columns.values():
            kept.append(series)
    return pl.DataFrame([*taken.values(), *kept])


def _known_column(name: str) -> None:
    if name not in BY_NAME:
        meant = did_you_mean(name, BY_NAME, 1, 0.6) or f"accepted are {', '.join(BY_NAME)}"
        raise RunsError(f"runs have no column '{name}'; {meant}")


def _set_precision(
    frame: pl.DataFrame, spelled: Sequence[str], template: str, name: str
) -> pl.DataFrame:
    present = (
        frame["precision"].to_list() if "precision" in frame.columns and "{" not in template else []
    )
    if any(value not in (None, "", template) for value in present):
        raise RunsError(
            f"{name} has a column 'precision' of its own, and precision={template!r} is given too"
        )
    return frame.with_columns(pl.Series("precision", spelled, dtype=pl.String))


def _loss_from_perplexity(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[int, str]]:
    """The frame with loss = ln(perplexity), and the perplexities that have none."""
    losses: list[float | None] = []
    bad: dict[int, str] = {}
    for index, raw in enumerate(frame["loss"].to_list()):
        try:
            value = number(raw)
        except RunsError:
            value = math.nan
        losses.append(math.log(value) if value > 1 else None)
        if not value > 1:
            bad[index] = f"has {raw!r}; accepted is a perplexity above 1"
    return frame.with_columns(pl.Series("loss", losses, dtype=pl.Float64)), bad


def _metric_of_logarithms(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with metric "nats" where it says perplexity, or nothing, of what was converted."""
    said = frame["metric"].to_list() if "metric" in frame.columns else [None] * frame.height
    done = [
        "nats" if v in (None, "") or unit_of(str(v)) == unit_of("ppl") else str(v) for v in said
    ]
    return frame.with_columns(pl.Series("metric", done, dtype=pl.String))


def _constant(frame: pl.DataFrame, key: str, value: Any, name: str) -> pl.DataFrame:
    """The frame with a value filled in where the column is absent or unknown."""
    present = frame[key].to_list() if key in frame.columns else [None] * frame.height
    differ = [one for one in present if one not in (None, "") and not _same(one, value)]
    if differ:
        raise RunsError(
            f"{name} says {key} is {differ[0]!r} where {key}={value!r} is given for every row"
        )
    return frame.with_columns(pl.Series(key, [value] * frame.height, strict=False))


def _check_constant(key: str, value: Any) -> None:
    """Raise RunsError for a column that is unknown, or text where a number is due."""
    _known_column(key)
    if key in NUMERIC:
        number(value)


def _same(one: object, other: object) -> bool:
    try:
        return number(one) == number(other)
    except RunsError:
        return str(one) == str(other)


def _with_typed_extras(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its other text columns as numbers where every value is one."""
    for series in frame.get_columns():
        if series.name in BY_NAME or series.dtype != pl.String:
            continue
        values = series.replace("", None).cast(pl.Float64, strict=False)
        if values.null_count() == series.replace("", None).null_count() < frame.height:
            frame = frame.with_columns(values)
    return frame
