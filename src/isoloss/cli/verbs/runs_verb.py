"""``isoloss runs``: what a table holds, which of its rows cannot be used and why; or the tables
there are.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

import isoloss as il
from isoloss.cli.arguments import (
    A_TABLE,
    TABLES,
    AsJson,
    Force,
    KeptTable,
    LogTo,
    Reading,
    check_target,
    in_words,
    read_and_told,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import log_runs, say, show, show_json
from isoloss.cli.refusing import Refused


def runs(
    *,
    tables: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TABLE",
            help=f"{A_TABLE}; none: list those by name.",
            show_default=False,
        ),
    ] = None,
    excluded: Annotated[
        bool,
        typer.Option(
            "--excluded",
            help="Keep only the rows that cannot be used, each with its reason.",
            show_default=False,
        ),
    ] = False,
    reading: Reading,
    output: KeptTable = None,
    to: LogTo = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Say what tables of runs hold, which rows cannot be used, and how far the sweep of a store is.

    Stores that are kept in a store (-o all.db) are joined, as those of shards.

    Without a table: the public tables that can be read by name, with their licences.
    """
    if not tables:
        _only_listing(reading, excluded, output, to)
        _list_tables(as_json)
        return
    if to is not None:
        il.runs.check_sendable(to)
    joins = output is not None and output.suffix.lower() in il.runs.STORES
    if joins:
        tables, output = _joined(tables, reading, excluded, output, force), None
    check_target(output, TABLES, force, tables or ())
    # These need polars, which the help does not.
    from isoloss.cli.output.runs_report import as_data, sections
    from isoloss.cli.output.store_report import nothing_finished, task_sections, tasks_as_data

    if output is None and to is None and nothing_finished(tables):
        if as_json:
            show_json("runs", {"rows": 0, **tasks_as_data(tables)})
        else:
            show(task_sections(tables))
        return
    found, how = read_and_told(tables, reading)
    found = found.excluded if excluded else found
    if output is not None:
        say(f"saved {len(found)} rows as {found.save(output, force=force)}")
    if as_json:
        show_json("runs", as_data(found, how) | tasks_as_data(tables))
    else:
        show(sections(found, in_words(tables), every_reason=excluded) + task_sections(tables))
    log_runs(found, to)  # last: a server may fail


def _joined(
    tables: list[str], reading: Reading, excluded: bool, output: Path | None, force: bool
) -> list[str]:
    """Join stores in one, which is then told of."""
    assert output is not None
    if excluded or any(getattr(reading, option.name) for option in fields(Reading)):
        raise Refused(
            f"'{output}' is a store, which takes whole stores; for some of their rows give a "
            f"table: -o {output.stem}.parquet"
        )
    store = il.runs.join_stores(tables, output, force)
    say(
        f"joined {_counted(len(tables), 'store')}: {_counted(len(store.runs()), 'row')} as {output}"
    )
    if missing := _missing(tables):
        say(f"by their names these are not all parts of a sweep: {missing} not among them")
    return [str(output)]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _missing(tables: list[str]) -> str:
    """The parts that are not there, where all stores are named as `--shard` names them."""
    found = [re.fullmatch(r".*-(\d+)-of-(\d+)", Path(each).stem) for each in tables]
    parts = {(int(each[1]), int(each[2])) for each in found if each}
    counts = {count for _, count in parts}
    if not all(found) or len(counts) != 1:
        return ""
    (count,) = counts
    missing = sorted(set(range(1, count + 1)) - {number for number, _ in parts})
    listed = ", ".join(f"{number}-of-{count}" for number in missing[:8])
    return listed + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")


def _only_listing(reading: Reading, excluded: bool, output: Path | None, to: str | None) -> None:
    asked = [option.name for option in fields(Reading) if getattr(reading, option.name)]
    if asked or excluded or output is not None or to is not None:
        raise typer.BadParameter(
            "name at least one table to read, or no option to list those there are",
            param_hint="TABLE",
        )


def _list_tables(as_json: bool) -> None:
    known = il.runs.TABLES.values()
    rows = [
        (
            table.name,
            table.summary,
            table.provenance.licence,
            table.repository or "comes with isoloss",
            table.provenance.citation,
        )
        for table in known
    ]
    head = ("name", "holds", "licence", "from", "cite")
    if as_json:
        show_json("tables", {"tables": [dict(zip(head, row, strict=True)) for row in rows]})
        return
    lines = (
        "downloaded once from the repository that published them; a folder named by ISOLOSS_DATA "
        "is looked into first",
    )
    show([il.fits.Section("Tables that can be read by name", lines, head, tuple(rows))])


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "runs": (
        Example("isoloss runs", "the tables that can be read by name"),
        Example("isoloss runs quest2025", "what a table holds"),
        Example("isoloss runs hoffmann2022 --excluded", "the rows that cannot be used, and why"),
        Example(
            "isoloss runs quest2025 --where params=..200M -o small.parquet", "keep some of its rows"
        ),
        Example(
            "isoloss runs export.csv --column loss=val_loss --precision 'w{w_bits} a{a_bits}'",
            "read an export of a tracker",
            "export.csv",
        ),
        Example(
            "isoloss runs mlflow:http://localhost:5000#lm --precision bf16 --column "
            "params=params.n_params --column tokens=metrics.tokens --column loss=metrics.val_loss",
            "read an experiment of a tracker (needs a server)",
            "a server",
        ),
    ),
}
