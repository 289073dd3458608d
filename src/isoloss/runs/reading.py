"""Reading runs from whatever holds them: a file, a data frame, a public table by name, a store, or
a list of these.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import polars as pl

from isoloss.files import did_you_mean, load, reason, shown
from isoloss.runs.columns import BY_NAME, NUMERIC
from isoloss.runs.intake import (
    Opened,
    Origin,
    TableMap,
    Understood,
    arranged,
    check_magnitudes,
    check_maps,
    check_once,
    checked,
    copies,
    frame_of,
    is_source,
    map_for,
    not_last,
    noted,
    open_file,
    open_source,
    read_apart,
    repeated,
    say_trajectories,
    sources_in_words,
    summing_up,
    told_apart,
    understood,
    with_constant,
    with_reasons,
    without_secrets,
    without_unit,
)
from isoloss.runs.numbers import number
from isoloss.runs.problems import MissingColumns, RunsError
from isoloss.runs.provenance import Provenance
from isoloss.runs.published import TABLES, load_table, provenance_of
from isoloss.runs.run import Run
from isoloss.runs.stored import STORES
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
    last: str | None = None,
    history: str | None = None,
    map: TableMap | str | Path | Mapping[str, TableMap | str | Path] | None = None,
    strict: bool = False,
    **constants: Any,
) -> Runs:
    """Read a table of runs.

    Parameters
    ----------
    source
        A path (its ending is one of `READERS`), a tracker (`SOURCES`, as
        "mlflow:URI#experiment"), the name of a public table (`TABLES`), a data frame, a `Store`,
        `Runs`, a `Run`, or a list of these, which are joined.
    columns
        Which column of the file holds what: {"loss": "val_loss"} or ["loss=val_loss"]. Products
        and quotients of columns and numbers are taken too: {"tokens": "tokens (B)*1e9"}.
    precision
        One spelling for all rows, or a template "w{w_bits} a{a_bits}" filled from the row's
        columns; a part whose value is missing is left out.
    perplexity
        True where the loss column is perplexity, or the name of the column that is.
    last
        The column that names the run of each row, where rows are evaluations along runs: all but
        the last row of each, by tokens, are excluded.
    history
        Metrics of a tracker, with commas between: one row for every step at which all of them were
        logged, with a column "step", in place of one row a run with the last values.
    map
        How a table was read before, as ``runs.understood.map`` or a file of it, or one for each
        file by its name, {"a.csv": "how_a.json"}; what is given beside it stands in its place.
    strict
        Raise for the first row that cannot be used, instead of keeping it as excluded.
    **constants
        A value for a column of every row (source="mine", tokens="30B"); for a public table also its
        own options, such as eval_set. In a list, columns, precision, perplexity and last are for
        your own files and not for public tables, and files that name no source are one each.

    Returns
    -------
    Runs
        All rows; those that cannot be used have status "excluded" and a reason.

    Raises
    ------
    RunsError
        The source cannot be read, a column is missing, named twice or plausible in two units, or,
        where `strict`, a row cannot be used.
    """
    source = _made(source)
    for option, said in (("precision", precision), ("last", last), ("history", history)):
        if said is not None and not said.strip():  # as a variable of a shell that is not set
            raise RunsError(f"{option} is {said!r} (--{option}); say it, or leave it out")
    if isinstance(source, list | tuple):
        if not source:
            raise RunsError("no source to read; give a file, a data frame or the name of a table")
        own: dict[str, Any] = {"columns": columns, "precision": precision, "perplexity": perplexity}
        own |= {"last": last, "history": history}
        check_once(source)
        check_maps(source, map)
        parts = []
        for one in source:
            given = {} if _public(one) else own | {"map": map_for(one, map)}
            try:
                parts.append(read(one, **given, strict=strict, **constants))
            except MissingColumns as error:
                raise RunsError(f"{error}{read_apart(one, source)}") from None
        return joined(parts, [_source_of(one, place) for place, one in enumerate(source, 1)])
    if _public(source):
        if history:
            raise RunsError(f"'{source}' is a public table; history is for trackers")
        if columns or precision or perplexity or last or map:
            raise RunsError(
                f"'{source}' is a public table; columns, precision, perplexity, last and map "
                "are for your own"
            )
        return _with_constants(source, constants, strict)
    named = _named(columns, perplexity, constants)
    check_maps([source], map)
    asked = _map(map_for(source, map)).with_more(
        TableMap(named, precision, bool(perplexity), last, constants, history)
    )
    table, how = _own(source, asked, strict)
    before = source.provenance if isinstance(source, Runs) else {}
    return Runs.from_checked(table, {**before, **_provenance(table)}, how)


def _map(given: TableMap | str | Path | None) -> TableMap:
    if given is None:
        return TableMap()
    found = load(given) if isinstance(given, str | Path) else given
    if not isinstance(found, TableMap):
        kind = type(found).__name__
        raise RunsError(f"map is a {kind}; it is a TableMap, or a file of one (--map keeps it)")
    return found


def _own(source: Any, asked: TableMap, strict: bool) -> tuple[pl.DataFrame, Understood | None]:
    """The checked rows of a table of the user's own, and how it was read; None of what was read
    before.
    """
    tracked = is_source(source)
    if asked.history is not None and not tracked:
        raise RunsError(f"history is for trackers: {sources_in_words()}")
    metrics = [each.strip() for each in (asked.history or "").split(",") if each.strip()]
    opened = open_source(source, metrics) if tracked else _opened(source)
    path = Path(source) if not tracked and isinstance(source, str | Path) else None
    # A sheet may be called as a store is: runs.xlsx#old.db
    kept = path is not None and path.suffix.lower() in STORES and path.is_file()
    found = arranged(opened, asked, settled=kept)
    table = checked(found.frame, found.origin, strict, found.found)
    if asked.last is not None:
        own = asked.columns.get("loss", "loss")
        losses = (opened.frame if own in opened.frame.columns else found.frame)[own]
        table = with_reasons(table, not_last(table, asked.last, found.origin, losses))
    if isinstance(source, Runs) or found.settled:
        return table, noted(opened.kept, found.origin.name)
    table = with_reasons(table, summing_up(opened.frame, found.origin), strict)
    if asked.last is None:  # which keeps one row of each run anyway
        table = with_reasons(table, copies(opened.frame, found.origin), strict)
    check_magnitudes(table, found.origin, found.told)
    runs = None if asked.last is not None else say_trajectories(table, found.origin)
    return table, understood(found, opened.frame, table, asked, runs)


def joined(parts: Sequence[Runs], names: Sequence[str | None]) -> Runs:
    """Several tables as one, each a source of its own where it names none.

    Parameters
    ----------
    parts
        The runs of each table.
    names
        What each is called where it names no source, as the path of its file, of which as much is
        taken as tells it from the others; None for runs that stay as they are.

    Returns
    -------
    Runs
        All rows. Losses of two files may be of other data or tokenizers, so nothing pools them
        until they are given one source; then a run that stands in two of them, as in exports that
        overlap, counts once, as does in any case a run of one key in two stores.
    """
    _check_one_metric(parts, names)
    told = []
    names = told_apart(names)
    for runs, name in zip(parts, names, strict=True):
        unknown = len(set(names)) > 1 and all(source is None for source in runs["source"])
        told.append(runs.with_columns(source=name) if unknown and name is not None else runs)
    together = reduce(add, told)
    if len(told) < 2:
        return together
    frame, origin = together.frame(), Origin("the tables together")
    again = copies(frame, origin) | repeated(frame, origin)
    if not again:
        return together
    return Runs.from_checked(with_reasons(frame, again), together.provenance)


def _check_one_metric(parts: Sequence[Runs], names: Sequence[str | None]) -> None:
    """Raise RunsError where the losses of two tables are in two units, with what to do."""
    first: dict[str, str | None] = {}
    for runs, name in zip(parts, names, strict=True):
        for metric in sorted(set(runs["metric"])):
            first.setdefault(metric, name)
    if len(first) < 2:
        return
    (one, there), (other, here) = sorted(first.items())[:2]
    text = (
        f"runs whose loss is {one}{_of(there)} and {other}{_of(here)} cannot be in one table: fit "
        "them apart"
    )
    if here is not None and one.startswith("nats") and not is_source(here):
        name = shlex.quote(here)
        text += (
            f", or, where the unit of {here} was mistaken, keep how it is read, isoloss runs "
            f"{name} ... --set metric={one} --map how.json, and give it, --map {name}=how.json"
        )
    raise RunsError(text)


def _of(name: str | None) -> str:
    return "" if name is None else f" ({name})"


def _source_of(source: Any, place: int) -> str | None:
    """What a table of a list is called as a source; None for runs, whose sources are known."""
    if _public(source) or isinstance(source, Runs | Run):
        return None
    if isinstance(source, Store):
        return str(source.path)
    if is_source(source):
        return without_secrets(source)
    return str(source) if isinstance(source, str | Path) else f"table {place}"


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
        meant = did_you_mean(source, TABLES, 1, 0.6) or (
            f"trackers are {sources_in_words()}"
            if ":" in source
            else f"public tables are {', '.join(TABLES)}"
        )
        raise RunsError(
            f"{shown(without_secrets(source))} is neither a file nor a public table; {meant}"
        )
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
        frame = with_constant(frame, key, value, name)
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


def _known_column(name: str) -> None:
    if name not in BY_NAME:
        meant = did_you_mean(name, BY_NAME, 1, 0.6) or f"accepted are {', '.join(BY_NAME)}"
        raise RunsError(f"runs have no column '{name}'; {meant}")


def _check_constant(key: str, value: Any) -> None:
    """Raise RunsError for a column that is unknown, or text where a number is due."""
    _known_column(key)
    if key in NUMERIC:
        number(without_unit(value, BY_NAME[key]))
