"""Results on stdout: sections as rich tables on a terminal and as plain text elsewhere, or as
JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import isoloss as il

if TYPE_CHECKING:
    from isoloss.fits import Section


def show(parts: Sequence[Section], console: Console | None = None) -> None:
    """Prints the sections: rich tables within the width of a terminal, aligned text that is
    never cut elsewhere.
    """
    console = console or Console()
    if not console.is_terminal:
        typer.echo(il.fits.text(parts))
        return
    for part in parts:
        console.print(Text(part.title, style="bold"))
        for line in part.lines:
            console.print(Padding(Text(line), (0, 0, 0, 2)))
        if part.rows:
            console.print(Padding(_table(part), (0, 0, 0, 2)))
        console.print()


def show_text(text: str) -> None:
    """Prints text as it is, what a terminal would obey written out."""
    typer.echo(il.files.printable(text, "\n"))


def show_json(kind: str, content: Mapping[str, Any]) -> None:
    """Prints JSON and nothing else: what it is, then the content, unknown numbers as null."""
    head = {"isoloss": il.__version__, "type": kind}
    text = json.dumps(
        il.files.json_values({**head, **content}), indent=2, allow_nan=False, ensure_ascii=False
    )
    typer.echo("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


def say(message: str) -> None:
    """Tells the user something that is no result."""
    typer.echo(il.files.printable(message, "\n"), err=True)


def _table(part: Section) -> Table:
    table = Table(box=None, pad_edge=False, show_header=any(part.head), header_style="dim")
    for index, head in enumerate(part.head):
        numeric = all(il.fits.is_aligned(row[index]) for row in part.rows)
        table.add_column(
            Text(head),
            justify="right" if numeric else "left",
            no_wrap=numeric or index == 0,
            overflow="fold",
        )
    for row in part.rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
