"""``isoloss arena``: every law and baseline on held-out runs, by frozen protocols."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import A_TABLE, FIGURES, RESULTS, Saving, check_target, listed
from isoloss.cli.manual import Example
from isoloss.cli.output import keep_result, say, show, show_json
from isoloss.cli.refusing import Refused


def arena(
    *,
    tables: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TABLE",
            help=f"{A_TABLE}.",
            show_default="every public table of several precisions that can be read",
        ),
    ] = None,
    law: Annotated[
        list[str] | None,
        typer.Option(
            "--law",
            metavar="LAW,...",
            help="Laws that enter.",
            show_default="all of 'isoloss laws' and one's own with --use",
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            metavar="NAME,...",
            help="What is held out: 'largest size', 'longest run', 'lowest bits', 'unseen format', "
            "'next token count'.",
            show_default="all",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar="WHAT,...",
            help="What is predicted: 'loss', or 'gap', the mean over seeds of a loss less that at "
            "the reference.",
            show_default="both",
        ),
    ] = None,
    saving: Saving,
) -> None:
    """Put laws on trial: every law, their average and baselines predict the same held-out runs.

    Errors of log losses and log gaps with their errors, log scores and coverage, and which law to
    use for what. Of a table the runs that were rounded in training alone are used, under their
    commonest schedule, and the gaps of those that were rounded after training.
    """
    check_target(saving.output, RESULTS, saving.force, tables or ())
    check_target(saving.drawing, FIGURES, saving.force)
    asked: Any = listed(target, "--target")
    read, left_out = _tables(tables or [])
    found = il.scores.arena(
        read,
        listed(law, "--law") or None,
        listed(protocol, "--protocol") or None,
        targets=asked or ("loss", "gap"),
        callback=lambda each: say(f"{each.target}, {each.table}, {each.protocol}: {each.name}"),
        left_out=left_out,
    )
    keep_result(found, saving.output, saving.force)
    if saving.drawing is not None:
        il.plot(found, saving.drawing, force=saving.force)
        say(f"drew {saving.drawing}")
    if saving.as_json:
        show_json("arena", asdict(found))
    else:
        show(found.sections())


def _tables(names: list[str]) -> tuple[dict[str, il.Runs], dict[str, str]]:
    """The tables that are meant, each with the rows that laws are tried on, and what is not."""
    il.runs.check_once(names)
    found: dict[str, il.Runs] = {}
    left_out: dict[str, str] = {}
    if not names:
        found, left_out = il.scores.known_tables()
    for name in names:
        rows, without = il.scores.on_trial(name, il.read(name))
        if not rows:
            raise Refused(f"no law can be tried on '{name}': {without[name]}")
        found |= rows
        left_out |= without
    for name, why in left_out.items():
        say(f"left out {name}: {why}")
    return found, left_out


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "arena": (
        Example(
            "isoloss arena quest2025 --law kumar2024,chinchilla --protocol 'largest size'",
            "two laws on one table",
        ),
        Example(
            "isoloss arena -o arena.json --plot arena.svg",
            "all laws on all tables",
            needs="some minutes",
        ),
    ),
}
