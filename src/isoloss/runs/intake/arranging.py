"""A raw table under canonical names, as it was asked to be read: columns named or computed, a
precision spelled, endings found, constants filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from isoloss.runs.columns import BY_NAME, NUMERIC
from isoloss.runs.intake.cells import different, listed
from isoloss.runs.intake.content import (
    LIKELY,
    ranked,
    tells_its_unit,
    unknown_endings,
    with_endings,
)
from isoloss.runs.intake.expressions import computed, scaled_twice
from isoloss.runs.intake.loss_units import as_perplexity, unit_in_name, unknown_metrics, with_metric
from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.reader import Opened
from isoloss.runs.intake.table_map import TableMap
from isoloss.runs.intake.template import filled
from isoloss.runs.intake.typed import without_unit
from isoloss.runs.numbers import number
from isoloss.runs.problems import MissingColumns, RunsError

#: Columns that every table of runs has once it was read: one that has them is settled.
OF_A_READ_TABLE = frozenset({"metric", "status", "reason"})


@dataclass(frozen=True)
class Arranged:
    """A table under canonical names, not yet checked.

    Attributes
    ----------
    frame
        Its values.
    origin
        Where they are from, under which names.
    found
        What is known to be wrong, by column and row.
    told
        Columns of counts whose unit was said.
    settled
        Whether it was read before: nothing is taken from its further columns.
    notes
        What was interpreted in the file itself.
    """

    frame: pl.DataFrame
    origin: Origin
    found: Mapping[str, Mapping[int, str]]
    told: frozenset[str]
    settled: bool
    notes: tuple[str, ...] = ()


def arranged(opened: Opened, asked: TableMap, settled: bool = False) -> Arranged:
    """The raw frame under canonical names, and what is already known of it.

    Parameters
    ----------
    opened
        The values of the file or frame.
    asked
        What was said about them.
    settled
        Whether isoloss wrote them, as in a store.

    Raises
    ------
    RunsError
        A column is not there or named twice, two columns of endings disagree, or a constant
        differs from what the table says.
    """
    name, raw = opened.origin.name, opened.frame
    settled = settled or set(raw.columns) >= OF_A_READ_TABLE
    spelled = None if asked.precision is None else filled(asked.precision, raw, name)
    frame, made = _renamed(raw, asked.columns, name)
    if asked.precision is not None and spelled is not None:
        frame = _set_precision(frame, spelled, asked.precision, name)
    _check_unit_is_told(asked, made, frame)
    found = {name: scaled_twice(own, raw) for name, own in asked.columns.items()}
    called = dict(asked.columns)
    origin = replace(opened.origin, called=called)
    if not settled and not {"status"} & {*asked.columns, *asked.constants}:
        frame, endings = with_endings(frame, origin)
        called |= {} if endings is None else {"status": endings}
    if not settled and "status" in frame.columns and "status" not in asked.constants:
        found["status"] = unknown_endings(frame["status"])
    if not settled and not {"metric"} & {*frame.columns, *asked.constants}:
        frame, unit = with_metric(frame, name)
        called |= {} if unit is None else {"metric": unit}
    if not settled and "metric" in frame.columns and "metric" not in asked.constants:
        found["metric"] = unknown_metrics(frame["metric"])
    for key, value in asked.constants.items():
        frame = with_constant(frame, key, value, name)
    if asked.perplexity and "loss" in frame.columns:
        own = "" if "loss" in made else called.get("loss", "loss")
        frame, found["metric"] = as_perplexity(frame, own, name)
    given = frozenset(asked.constants) | ({"precision"} if asked.precision is not None else set())
    given |= {made for made in ("status", "metric") if made in called and made not in raw.columns}
    told = {each for each in made if each in LIKELY}
    told |= {key for key, value in asked.constants.items() if str(value).strip()[-1:].isalpha()}
    told |= {each for each in LIKELY if each in frame.columns and tells_its_unit(frame[each])}
    origin = replace(opened.origin, called=called, computed=frozenset(made), given=given)
    typed = _with_typed_extras(frame)
    return Arranged(typed, origin, found, frozenset(told), settled, opened.notes)


def _renamed(
    frame: pl.DataFrame, columns: Mapping[str, str], name: str
) -> tuple[pl.DataFrame, set[str]]:
    """The frame with the named columns under their canonical names, and which were computed; one
    that stood there keeps '_in_file'.
    """
    taken: dict[str, pl.Series] = {}
    for canonical, own in columns.items():
        values = computed(own, frame)
        if values is None:
            there = listed(frame.columns)
            likely = ranked(canonical, frame) if canonical in ("params", "tokens", "loss") else []
            meant = f"; did you mean '{likely[0]}'" if likely else ""
            raise MissingColumns(
                f"{name} has no column '{own}' to take {canonical} from; its columns are "
                f"{there}{meant}"
            )
        taken[canonical] = values.alias(canonical)
    numbers = [canonical for canonical in columns if canonical in NUMERIC]
    for first, second in ((a, b) for i, a in enumerate(numbers) for b in numbers[i + 1 :]):
        if columns[first] == columns[second]:
            raise RunsError(f"column '{columns[first]}' is named as both {first} and {second}")
    # What a row is of may be said by its params: group=params takes these away from nothing.
    shared = {own for name, own in columns.items() if name not in NUMERIC and own in BY_NAME}
    kept = []
    for series in frame.get_columns():
        if series.name in taken and columns[series.name] != series.name:
            kept.append(series.alias(f"{series.name}_in_file"))
        elif series.name not in columns.values() or series.name in shared - taken.keys():
            kept.append(series)
    made = {canonical for canonical, own in columns.items() if own not in frame.columns}
    return pl.DataFrame([*taken.values(), *kept]), made


def _check_unit_is_told(asked: TableMap, made: set[str], frame: pl.DataFrame) -> None:
    """Raise RunsError where a loss is computed from a column in a unit, and into which is open."""
    unit = unit_in_name(asked.columns["loss"]) if "loss" in made else None
    if unit is not None and "metric" not in frame.columns and "metric" not in asked.constants:
        raise RunsError(
            f"the loss {asked.columns['loss']!r} is computed from {unit.words}: say what it gives "
            f"with metric='nats' (--set metric=nats), or {unit.metric!r}, or give the column alone "
            "to have it converted"
        )


def _set_precision(
    frame: pl.DataFrame, spelled: pl.Series, template: str, name: str
) -> pl.DataFrame:
    there = "precision" in frame.columns and "{" not in template
    present = different(frame["precision"]) if there else []
    if any(value not in (None, "", template) for value in present):
        raise RunsError(
            f"{name} has a column 'precision' of its own, and precision={template!r} is given too"
        )
    return frame.with_columns(spelled.alias("precision"))


def with_constant(frame: pl.DataFrame, key: str, value: Any, name: str) -> pl.DataFrame:
    """The frame with a value filled in where the column is absent or unknown."""
    present = different(frame[key]) if key in frame.columns else []
    known = (one for one in present if one not in (None, ""))
    differ = next((one for one in known if not _same(one, value, key)), None)
    if differ is not None:
        raise RunsError(
            f"{name} says {key} is {differ!r} where {key}={value!r} is given for every row"
        )
    column = pl.Series(key, [value], strict=False).new_from_index(0, frame.height)
    return frame.with_columns(column)


def _same(one: object, other: object, key: str) -> bool:
    first, second = (without_unit(each, BY_NAME[key]) for each in (one, other))
    try:
        return number(first) == number(second)
    except RunsError:
        return str(one) == str(other)


def _with_typed_extras(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its other text columns as numbers where every value is one."""
    changed = []
    for series in frame.get_columns():
        if series.name in BY_NAME or series.dtype != pl.String:
            continue
        known = series.replace("", None)
        values = known.cast(pl.Float64, strict=False)
        if values.null_count() == known.null_count() < frame.height:
            changed.append(values)
    return frame.with_columns(changed)
