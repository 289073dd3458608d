"""The app: its commands, its version, and the function that the shell calls."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated

import typer

import isoloss as il
from isoloss.cli.manual import FIRST, Command, Example, as_epilog, spread, typed
from isoloss.cli.refusing import in_one_sentence

#: The commands in the order of a day's work, each with its file in `verbs`.
FILES = {
    "runs": "runs_verb",
    "laws": "laws_verb",
    "formats": "formats_verb",
    "simulate": "simulate_verb",
    "theory bounds": "theory.bounds_verb",
    "theory conditions": "theory.conditions_verb",
    "theory sizes": "theory.sizes_verb",
    "theory sketches": "theory.sketches_verb",
    "theory limit": "theory.limit_verb",
    "theory directions": "theory.directions_verb",
    "theory training": "theory.training_verb",
    "theory bits": "theory.bits_verb",
    "theory allocate": "theory.allocate_verb",
    "train": "train_verb",
    "quantise": "quantise_verb",
    "fit": "fit_verbs",
    "compare": "fit_verbs",
    "gaps": "gaps_verb",
    "gauge": "gauge_verb",
    "predict": "predict_verb",
    "plan": "plan_verb",
    "disagree": "disagree_verb",
    "next-runs": "next_runs_verb",
    "pays": "pays_verb",
    "forecast": "forecast_verb",
    "score": "score_verb",
    "arena": "arena_verb",
    "plot": "plot_verb",
    "report": "report_verb",
    "reproduce": "reproduce_verb",
    "explore": "explore_verb",
}


#: Words with commands of their own, each with its help.
GROUPS = {
    "theory": "What the theory says of quantised SGD on linear regression: bounds, effective "
    "sizes, limits, bits, the best allocation.",
}


@dataclass(frozen=True)
class Verb:
    """A command: its words in the shell, the function that it runs, and its examples."""

    name: str
    run: Callable[..., None]
    examples: tuple[Example, ...]


def _verb(name: str, file: str) -> Verb:
    """The command in a file: the function of its last word, and what EXAMPLES there has of it."""
    module = import_module(f"isoloss.cli.verbs.{file}")
    return Verb(name, getattr(module, name.split()[-1].replace("-", "_")), module.EXAMPLES[name])


VERBS = tuple(_verb(name, file) for name, file in FILES.items())

app = typer.Typer(
    name="isoloss",
    help="Precision-aware scaling laws: how large, how long, and in how many bits.",
    epilog=as_epilog(FIRST),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"isoloss {il.__version__}")
        raise typer.Exit()


def flowing(verb: Verb) -> str:
    """The docstring with each paragraph on one line; the help breaks it where a terminal ends."""
    paragraphs = (inspect.getdoc(verb.run) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


@app.callback()
@in_one_sentence
def _isoloss(
    use: Annotated[
        list[str] | None,
        typer.Option(
            "--use",
            metavar="MODULE",
            help="Import a module, or a file that ends in .py, which registers formats, methods, "
            "laws or machines of your own. Repeatable.",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    if use:
        il.use(*use)


groups: dict[str, typer.Typer] = {}
for verb in VERBS:
    *above, word = verb.name.split()
    room = app
    for name in above:
        if name not in groups:
            groups[name] = typer.Typer(help=GROUPS[name], no_args_is_help=True)
            app.add_typer(groups[name], name=name)
        room = groups[name]
    room.command(word, cls=Command, help=flowing(verb), epilog=as_epilog(verb.examples))(
        in_one_sentence(spread(verb.run))
    )


def main() -> None:
    """Run the command that the shell's words name; the process ends with its exit code."""
    with typed(sys.argv[1:]):
        app(prog_name="isoloss")
