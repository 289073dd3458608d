"""Options that more than one command takes, each written once with its help."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from isoloss.cli.arguments.targets import (
    A_TABLE,
    FIGURES,
    PAGES,
    SAVED,
    TABLES,
    TRACKERS,
    check_target,
)

READING = "Reading the tables"
FITTING = "The law and how it is fitted"
DOUBT = "Intervals"
OUTPUT = "Output"

Tables = Annotated[
    list[str],
    typer.Argument(
        metavar="TABLE",
        help=f"{A_TABLE}; 'isoloss runs' lists those.",
        show_default=False,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force", rich_help_panel=OUTPUT, help="Replace files that exist.", show_default=False
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", rich_help_panel=OUTPUT, help="Print JSON and nothing else.", show_default=False
    ),
]


def kept(text: str) -> Any:
    """The option of the file that an answer is written to."""
    return typer.Option(
        "-o", "--output", metavar="FILE", rich_help_panel=OUTPUT, help=text, show_default=False
    )


_PAGE = f"as a page that needs no network ({' '.join(PAGES)})."
_ROWS = f"Keep the rows in this file ({' '.join(TABLES)})"
KeptTable = Annotated[Path | None, kept(f"{_ROWS}.")]
KeptPage = Annotated[Path | None, kept(f"Write it {_PAGE}")]
KeptTableOrPage = Annotated[Path | None, kept(f"{_ROWS}, or write the answer {_PAGE}")]
LogTo = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="TRACKER",
        rich_help_panel=OUTPUT,
        help=f"Log it to a tracker too ({' or '.join(TRACKERS[:2])}); what is there stays.",
    ),
]
Level = Annotated[
    float,
    typer.Option(
        "--level",
        min=0.01,
        max=0.999,
        rich_help_panel=DOUBT,
        help="Coverage of intervals, 0.9 = 90%.",
    ),
]


@dataclass(frozen=True)
class Keeping:
    """Where the rows of an answer are kept, and how it is printed; refused before any work."""

    output: KeptTable = None
    force: Force = False
    as_json: AsJson = False

    def __post_init__(self) -> None:
        check_target(self.output, TABLES, self.force)


def one(flag: str, metavar: str, panel: str, text: str) -> Any:
    """The option of a setting with one value, absent unless it is given."""
    return typer.Option(flag, metavar=metavar, rich_help_panel=panel, help=text, show_default=False)


def count(flag: str, panel: str, text: str, least: int, default: str | bool = True) -> Any:
    """The option of a whole number of at least `least`; `default` in words where it is None."""
    return typer.Option(flag, min=least, rich_help_panel=panel, help=text, show_default=default)


def switch(flag: str, panel: str, text: str) -> Any:
    """An option that is on where it is given."""
    return typer.Option(flag, rich_help_panel=panel, help=text, show_default=False)


def many(
    flag: str,
    metavar: str,
    panel: str,
    text: str,
    default: str | bool = False,
    words: tuple[str, ...] = (),
) -> Any:
    """The option of a setting that may be a list: several values with commas between, or repeated.

    `words` are the accepted ones, where there are few: the help begins with them, and the shell
    completes them.
    """

    def complete(incomplete: str) -> list[str]:
        # Of "cosine,w" the last word is still to be completed.
        head, comma, last = incomplete.rpartition(",")
        return [f"{head}{comma}{word}" for word in words if word.startswith(last)]

    return typer.Option(
        flag,
        metavar=metavar,
        rich_help_panel=panel,
        help=f"Any of {', '.join(words)}. {text}" if words else text,
        show_default=default,
        autocompletion=complete if words else None,
    )


def drawn(what: str) -> Any:
    """The option of a figure's file; `what` it shows."""
    text = f"Draw {what} into this file ({' '.join(FIGURES)})."
    return typer.Option("--plot", metavar="FILE", rich_help_panel=OUTPUT, help=text)


def listed(texts: list[str] | None, what: str) -> list[str]:
    """The values of an option that is repeated, separated by commas, or both."""
    found = [part.strip() for text in texts or [] for part in text.split(",")]
    if not all(found):
        raise typer.BadParameter(
            f"an empty value in {', '.join(map(repr, texts or []))}", param_hint=what
        )
    return found


@dataclass(frozen=True)
class Reading:
    """How tables are read and which of their rows are kept."""

    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="NAME=YOURS",
            rich_help_panel=READING,
            help=(
                "Which column of a file holds what, as loss=val_loss or tokens='tokens (B)*1e9'. "
                "Repeatable."
            ),
        ),
    ] = None
    last: Annotated[
        str | None,
        typer.Option(
            "--last",
            metavar="COLUMN",
            rich_help_panel=READING,
            help="The column that names runs, where rows are evaluations: keep each run's last.",
        ),
    ] = None
    history: Annotated[
        str | None,
        typer.Option(
            "--history",
            metavar="METRICS",
            rich_help_panel=READING,
            help=(
                "Of a tracker: a row for every step at which these metrics (with commas between) "
                "were logged, not the last values of each run."
            ),
        ),
    ] = None
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            metavar="SPELLING",
            rich_help_panel=READING,
            help=(
                "One precision for all rows, as 'w4 a8', or one built from columns, as 'w{w_bits} "
                "a{a_bits}'."
            ),
        ),
    ] = None
    constants: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            rich_help_panel=READING,
            help=(
                "A value for a column of every row, as source=mine; or an option of a public "
                "table. Repeatable."
            ),
        ),
    ] = None
    map: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FILE",
            rich_help_panel=READING,
            help=(
                "Keep how a file is read in this file (.json), or read it as this file says where "
                "there is one; options beside it come first. TABLE=FILE is for one of several "
                "tables. Repeatable."
            ),
        ),
    ] = None
    perplexity: Annotated[
        bool,
        typer.Option(
            "--perplexity",
            rich_help_panel=READING,
            help="The loss column holds perplexity: take its logarithm.",
            show_default=False,
        ),
    ] = False
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            rich_help_panel=READING,
            help=(
                "Stop at the first row that cannot be used, instead of leaving it out with its "
                "reason."
            ),
            show_default=False,
        ),
    ] = False
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="NAME=VALUE",
            rich_help_panel=READING,
            help="Rows to keep: source=mine, precision=bf16,w4 (one of them), params=10M..1B "
            "(a range, either end may be left out), sparsity=unknown. Repeatable: all must hold.",
        ),
    ] = None


class TargetName(StrEnum):
    """What a law is fitted to."""

    loss = "loss"
    gap = "gap"


class ObjectiveName(StrEnum):
    """What a fit minimises."""

    student = "student"
    huber = "huber"
    squares = "squares"
    plain = "plain"


class ResampleName(StrEnum):
    """How tables are drawn again for intervals."""

    runs = "runs"
    groups = "groups"
    cells = "cells"
    fractional = "fractional"
    wild = "wild"


class OfName(StrEnum):
    """What the interval of a prediction covers."""

    run = "run"
    mean = "mean"


@dataclass(frozen=True)
class Fitting:
    """How laws are fitted."""

    target: Annotated[
        TargetName,
        typer.Option(
            "--target",
            rich_help_panel=FITTING,
            help="Losses, or gaps of paired runs, in which what they share cancels.",
        ),
    ] = TargetName.loss
    objective: Annotated[
        ObjectiveName,
        typer.Option(
            "--objective",
            rich_help_panel=FITTING,
            help=(
                "student (its scale found from the residuals), huber (1e-3) and squares are on log "
                "loss, plain is least squares on the loss."
            ),
        ),
    ] = ObjectiveName.student
    per: Annotated[
        str | None,
        typer.Option(
            "--per",
            metavar="COLUMN",
            rich_help_panel=FITTING,
            help="Fit E, A, B, alpha, beta per value of COLUMN; share the precision constants.",
        ),
    ] = None
    fix: Annotated[
        list[str] | None,
        typer.Option(
            "--fix",
            metavar="NAME[=VALUE]",
            rich_help_panel=FITTING,
            help="Hold a constant, as kappa=1, or at the law's own value, as E. Repeatable.",
        ),
    ] = None
    free: Annotated[
        list[str] | None,
        typer.Option(
            "--free",
            metavar="NAME",
            rich_help_panel=FITTING,
            help="Estimate a constant that the law holds or ties to another. Repeatable.",
        ),
    ] = None
    starts: Annotated[
        int, typer.Option("--starts", min=1, rich_help_panel=FITTING, help="Starts of the search.")
    ] = 24
    seed: Annotated[
        int, typer.Option("--seed", rich_help_panel=FITTING, help="Seed of starts and resamples.")
    ] = 0
    level: Level = 0.9


@dataclass(frozen=True)
class Saving:
    """Where a result is kept, and how it is printed."""

    output: Annotated[
        Path | None, kept(f"Keep the result in this file ({' '.join(SAVED)}), or write it {_PAGE}")
    ] = None
    drawing: Annotated[Path | None, drawn("the result")] = None
    force: Force = False
    as_json: AsJson = False
