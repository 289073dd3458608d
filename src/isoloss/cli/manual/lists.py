"""Lists in help texts that a room keeps, filled in when the help is shown: no start loads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from typer.core import TyperCommand

import isoloss as il


def _figure_kinds() -> str:
    return "; ".join(f"of {name}: {', '.join(kinds)}" for name, kinds in il.plots.kinds().items())


def _machines() -> str:
    return ", ".join(il.plans.MACHINES)


#: What stands in a help text, and what is shown there.
LISTS: Mapping[str, Callable[[], str]] = {
    "{figure kinds}": _figure_kinds,
    "{machines}": _machines,
}


def filled(text: str) -> str:
    """The text with each list in its place."""
    for place, content in LISTS.items():
        if place in text:
            text = text.replace(place, content())
    return text


class Command(TyperCommand):
    """A command whose help holds the lists of this moment."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        for option in self.params:
            shown = getattr(option, "help", None)
            if shown:
                option.help = filled(shown)  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)
