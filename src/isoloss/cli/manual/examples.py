"""Examples of commands: shown below their help, printed in docs/commands.md, run by the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape


@dataclass(frozen=True)
class Example:
    """A line for the shell, what it does, and the file of the reader's own that it needs, if
    any.
    """

    line: str
    does: str
    needs: str = ""


#: What the help of `isoloss` itself shows.
FIRST = (
    Example("isoloss runs quest2025", "look at a public table"),
    Example(
        "isoloss fit quest2025 --law kumar2024 --holdout largest -o fit.json", "fit a law to it"
    ),
    Example("isoloss predict fit.json --params 1B --tokens 20B --precision 'w4 a8'", "ask the fit"),
)


def as_epilog(examples: Sequence[Example]) -> str:
    """The examples as the last lines of a help text."""
    lines = [f"[dim]# {escape(each.does)}[/dim]\n$ {escape(each.line)}" for each in examples]
    return "\n".join(["[bold]Examples[/bold]", *lines])
