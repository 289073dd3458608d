"""Tables for a command: read as the reading options say, and only the rows that were asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import isoloss as il
from isoloss.cli.arguments.map_files import MapFiles, map_files
from isoloss.cli.arguments.options import Reading
from isoloss.cli.output import say, waiting
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.runs import Runs, Understood

WHERE = "write it like source=mine, precision=bf16,w4 or params=10M..1B"
#: Arguments of `read` that are no columns.
_NO_COLUMNS = ("columns", "perplexity", "last", "history", "map", "strict")
SET = "write it like source=mine or tokens=30B"


def read_tables(names: Sequence[str], reading: Reading) -> Runs:
    """The runs of all tables together, those rows that every --where keeps.

    Raises RunsError for what cannot be read, Refused for options that cannot.
    """
    return read_and_told(names, reading)[0]


def read_and_told(names: Sequence[str], reading: Reading) -> tuple[Runs, list[Understood]]:
    """The same runs, and how each file was read that is no public table or store."""
    il.runs.check_once(names)
    maps = map_files(names, reading.map or [])
    conditions = [(text, *_pair(text, "--where", WHERE)) for text in reading.where or []]
    constants = _constants(reading.constants or [])
    if reading.precision is None:  # one for all rows, under the name of its column
        reading = replace(reading, precision=constants.pop("precision", None))
    elif "precision" in constants:
        raise Refused("the precision of all rows is given twice, by --precision and --set")
    with waiting(f"reading {in_words(names)}"):
        parts = [_read(name, names, reading, constants, maps) for name in names]
        own = [None if is_table(name) else _called(name) for name in names]
        runs = il.runs.joined(parts, own)
    told = {name: part.understood for name, part in zip(names, parts, strict=True)}
    _say_how_read(told, maps)
    for text, column, value in conditions:
        kept = runs.where(**{column: _wanted(runs, column, value)})
        if not len(kept):
            raise Refused(f"--where {text} keeps none of the {len(runs)} runs")
        runs = kept
    return runs, [how for how in told.values() if how is not None]


def _say_how_read(told: Mapping[str, Understood | None], maps: MapFiles) -> None:
    """Say on stderr how each file was read, unless nothing was interpreted, and keep it in the
    files of --map that are new.
    """
    for name, how in told.items():
        if how is None or how.is_plain:
            continue
        path = maps.read_from(name)
        if how.saved_in:
            again = f"read with {how.line}" if how.line else "whose columns are as they were"
            say(f"{how.saved_in} was saved from {how.source}, {again}: {how.rows}")
        else:
            say(str(how) if path is None else f"{how.source} is read as {path} says: {how.rows}")
    for sentence in maps.keep(told):
        say(sentence)


def in_words(names: Sequence[str]) -> str:
    """Tables as they were named, addresses of trackers without their passwords."""
    return ", ".join(il.runs.without_secrets(name) for name in names)


def _called(name: str) -> str:
    return il.runs.without_secrets(name) if il.runs.is_source(name) else name


def is_table(name: str) -> bool:
    """Whether a public table has this name."""
    return name in il.runs.TABLES


def _read(
    name: str,
    names: Sequence[str],
    reading: Reading,
    constants: dict[str, str],
    maps: MapFiles,
) -> Runs:
    """One table. Beside files of the user's own, a public table takes only the options that are
    its own.
    """
    if is_table(name) and not all(is_table(other) for other in names):
        own = il.runs.TABLES[name].options or {}
        kept = {key: value for key, value in constants.items() if key in own}
        return il.read(name, strict=reading.strict, **kept)
    try:
        return il.read(
            name,
            columns=reading.column,
            precision=reading.precision,
            perplexity=reading.perplexity,
            last=reading.last,
            history=reading.history,
            map=maps.read_from(name),
            strict=reading.strict,
            **constants,
        )
    except il.runs.MissingColumns as error:
        raise Refused(f"{error}{il.runs.read_apart(name, names)}") from None


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
