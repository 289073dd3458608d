"""The app: its commands, its version, and the function that the shell calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated

import typer

import isoloss as il
from isoloss.cli.manual import EXAMPLES, as_epilog, spread
from isoloss.cli.refusing import in_one_sentence
from isoloss.cli.verbs import (
    compare,
    disagree,
    fit,
    formats,
    gaps,
    laws,
    next_runs,
    plan,
    plot,
    predict,
    quantise,
    runs,
    simulate,
    train,
)

#: The verbs in the order of a day's work.
VERBS: tuple[Callable[..., None], ...] = (
    runs,
    laws,
    formats,
    simulate,
    train,
    quantise,
    fit,
    compare,
    gaps,
    predict,
    plan,
    disagree,
    next_runs,
    plot,
)

app = typer.Typer(
    name="isoloss",
    help="Precision-aware scaling laws: how large, how long, and in how many bits.",
    epilog=as_epilog(EXAMPLES[""]),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"isoloss {il.__version__}")
        raise typer.Exit()


def flowing(verb: Callable[..., None]) -> str:
    """The docstring with each paragraph on one line, which the help breaks where the terminal ends."""
    paragraphs = (inspect.getdoc(verb) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def named(verb: Callable[..., None]) -> str:
    """The word of the shell for a verb."""
    return verb.__name__.replace("_", "-")


@app.callback()
def _isoloss(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    pass


for verb in VERBS:
    command = in_one_sentence(spread(verb))
    app.command(named(verb), help=flowing(verb), epilog=as_epilog(EXAMPLES[named(verb)]))(command)


def main() -> None:
    """Nothing; runs the command that the shell's words name, and ends the process with its exit code."""
    app(prog_name="isoloss")
