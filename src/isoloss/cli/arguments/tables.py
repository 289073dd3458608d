"""Tables for a command: read as the reading options say, and only the rows that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import isoloss as il
from isoloss.cli.arguments.options import Reading
from isoloss.cli.arguments.targets import RESULTS, check_target
from isoloss.cli.output import say, waiting
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.runs import Runs

WHERE = "write it like source=mine, precision=bf16,w4 or params=10M..1B"
#: Arguments of `read` that are no columns.
_NO_COLUMNS = ("columns", "perplexity", "last", "history", "map", "strict")
SET = "write it like source=mine or tokens=30B"


def read_tables(names: Sequence[str], reading: Reading) -> Runs:
    """The runs of all tables together, those rows that every --where keeps.

    Raises RunsError for what cannot be read, Refused for options that cannot.
    """
    _check_map(names, reading)
    conditions = [(text, *_pair(text, "--where", WHERE)) for text in reading.where or []]
    constants = _constants(reading.constants or [])
    if reading.precision is None:  # one for all rows, under the name of its column
        reading = replace(reading, precision=constants.pop("precision", None))
    elif "precision" in constants:
        raise Refused("the precision of all rows is given twice, by --precision and --set")
    with waiting(f"reading {in_words(names)}"):
        parts = [_read(name, names, reading, constants) for name in names]
        own = [None if is_table(name) else _called(name) for name in names]
        runs = il.runs.joined(parts, own)
    _say_how_read(parts, reading)
    for text, column, value in conditions:
        kept = runs.where(**{column: _wanted(runs, column, value)})
        if not len(kept):
            raise Refused(f"--where {text} keeps none of the {len(runs)} runs")
        runs = kept
    return runs


def _check_map(names: Sequence[str], reading: Reading) -> None:
    """Raise Refused where no map can be kept in the file of --map, before any work."""
    if reading.map is None:
        return
    if all(is_table(name) for name in names):
        raise Refused(f"--map {reading.map} is for files of your own, not for public tables")
    if not reading.map.exists():
        check_target(reading.map, RESULTS, force=False)


def _say_how_read(parts: Sequence[Runs], reading: Reading) -> None:
    """Say on stderr how each file was read, unless nothing was interpreted, and keep it in the
    file of --map where that is new.
    """
    known = reading.map is not None and reading.map.exists()
    for part in parts:
        how = part.understood
        if how is not None and not how.is_plain:
            say(f"{how.source} is read as {reading.map} says: {how.rows}" if known else str(how))
    if reading.map is None or known:
        return
    found = next((part.understood for part in parts if part.understood is not None), None)
    if found is None:
        raise Refused(f"no map to keep in {reading.map}: the tables were read by isoloss before")
    say(f"kept how it is read as {il.files.save(found.map, reading.map)}")


def in_words(names: Sequence[str]) -> str:
    """Tables as they were named, addresses of trackers without their passwords."""
    return ", ".join(il.runs.without_secrets(name) for name in names)


def _called(name: str) -> str:
    return il.runs.without_secrets(name) if il.runs.is_source(name) else Path(name).name


def is_table(name: str) -> bool:
    """Whether a public table has this name."""
    return name in il.runs.TABLES


def _read(name: str, names: Sequence[str], reading: Reading, constants: dict[str, str]) -> Runs:
    """One table. Beside files of the user's own, a public table takes only the options that are
    its own.
    """
    if is_table(name) and not all(is_table(other) for other in names):
        own = il.runs.TABLES[name].options or {}
        kept = {key: value for key, value in constants.items() if key in own}
        return il.read(name, strict=reading.strict, **kept)
    return il.read(
        name,
        columns=reading.column,
        precision=reading.precision,
        perplexity=reading.perplexity,
        last=reading.last,
        history=reading.history,
        map=reading.map if reading.map is not None and reading.map.exists() else None,
        strict=reading.strict,
        **constants,
    )


def _pair(text: str, option: str, how: str) -> tuple[str, str]:
    name, sign, value = (part.strip() for part in text.partition("="))
    if not (name.isidentifier() and sign and value):
        raise Refused(f"cannot read {option} {text!r}; {how}")
    return name, value


def _constants(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, value = _pair(text, "--set", SET)
        if name in found:
            raise Refused(f"--set gives {name} twice, {found[name]!r} and {value!r}")
        if name in _NO_COLUMNS:
            raise Refused(f"--set {name}: runs have no column {name!r}; see --{name}")
        found[name] = value
    return found


def _wanted(runs: Runs, column: str, value: str) -> Any:
    """The value, list or range that a condition asks for, as Runs.where takes it."""
    low, range_sign, high = value.partition("..")
    if range_sign and runs[column].dtype != object:
        return (low.strip() or None, high.strip() or None)
    values = [None if part.strip() == "unknown" else part.strip() for part in value.split(",")]
    return values if len(values) > 1 else values[0]
