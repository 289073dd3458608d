"""docs/commands.md, made from the commands themselves: ``python -m isoloss.cli.page >
docs/commands.md``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, get_args

from typer.models import ArgumentInfo

from isoloss.cli.entry import VERBS, Verb, flowing
from isoloss.cli.manual import filled, spread

OPENING = """# Commands

The verbs of the notebook are the commands of the shell. Results go to stdout, messages and progress
to stderr, and `--json` prints JSON and nothing else. A file that exists is replaced only with
`--force`. `isoloss --use MODULE ...` first imports a module, or a file that ends in .py, which
registers formats, methods, laws or machines of your own ([adding your own](extending.md)).

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the input is refused, with one sentence on stderr |
| 2 | the command was not used as its help says |

This page is made from the commands: `python -m isoloss.cli.page > docs/commands.md`."""


def page() -> str:
    """The page in Markdown: every command with its examples and its options."""
    parts = [OPENING]
    for verb in VERBS:
        parts += [
            f"## isoloss {verb.name}",
            flowing(verb),
            *_examples(verb),
            *_panels(verb),
        ]
    return "\n\n".join(parts) + "\n"


def _examples(verb: Verb) -> Iterator[str]:
    """Blocks of examples: those that anyone can run, then those that need a file of the reader's
    own.
    """
    ready = [each for each in verb.examples if not each.needs]
    if ready:
        yield "\n".join(["```sh", *(f"{each.line}  # {each.does}" for each in ready), "```"])
    for each in verb.examples:
        if each.needs:
            why = f"<!-- no-test: needs {each.needs} -->"
            yield f"{why}\n```sh\n{each.line}  # {each.does}\n```"


def _panels(verb: Verb) -> Iterator[str]:
    """A table of options for each group, in the order in which the help shows them."""
    panels: dict[str, list[str]] = {"Arguments": [], "Options": []}
    for parameter in inspect.signature(spread(verb.run)).parameters.values():
        kind, option = get_args(parameter.annotation)
        usual = "Arguments" if isinstance(option, ArgumentInfo) else "Options"
        default = _default(parameter.default, option)
        row = f"| {_spelled(kind, option)} | {filled(option.help, shipped=True)} | {default} |"
        panels.setdefault(option.rich_help_panel or usual, []).append(row.replace(" |  |", " | |"))
    for title, rows in panels.items():
        if rows:
            yield "\n".join([f"**{title}**\n", "| | | default |", "|---|---|---|", *rows])


def _spelled(kind: Any, option: Any) -> str:
    """The option as it is typed, with what it takes: `-o FILE`, or its choices."""
    if isinstance(option, ArgumentInfo):
        return f"`{option.metavar}`"
    names = ", ".join([option.default, *(option.param_decls or ())])
    plain = next(each for each in (get_args(kind) or (kind,)) if each is not type(None))
    if plain is bool:
        return f"`{names}`"
    if issubclass(plain, StrEnum):
        return f"`{names}` {', '.join(f'`{each.value}`' for each in plain)}"
    return f"`{names} {option.metavar or plain.__name__.upper()}`"


def _default(default: Any, option: Any) -> str:
    if default is inspect.Parameter.empty:
        return "required"
    if isinstance(option.show_default, str):
        return option.show_default
    if default is None or default is False:
        return ""
    return f"`{getattr(default, 'value', default)}`"


if __name__ == "__main__":
    print(page(), end="")
