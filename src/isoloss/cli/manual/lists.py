"""The command as the shell runs it; lists in its help that a room keeps are filled in when the help
is shown: no start loads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

import isoloss as il
from isoloss.cli.manual.given import giving
from isoloss.cli.manual.spoken import noted
from isoloss.cli.manual.unnamed import paths_of, unnamed

if TYPE_CHECKING:
    from isoloss.files import Registry


def _figure_kinds(shipped: bool) -> str:
    of_type = {
        name: [kind for kind in kinds if _is_listed(il.plots.FIGURES, f"{name} {kind}", shipped)]
        for name, kinds in il.plots.kinds().items()
    }
    return "; ".join(f"of {name}: {', '.join(kinds)}" for name, kinds in of_type.items() if kinds)


def _machines(shipped: bool) -> str:
    return _names(il.plans.MACHINES, shipped)


def _models(shipped: bool) -> str:
    """All shapes, mixtures of experts after the dense ones."""
    known = il.runs.SHAPES
    mixed = [n for n, each in known.items() if not isinstance(each.shape, il.runs.Decoder)]
    names = [*(name for name in known if name not in mixed), *mixed]
    return ", ".join(name for name in names if _is_listed(known, name, shipped))


def _laws(shipped: bool) -> str:
    return _names(il.laws.LAWS, shipped)


def _names(registry: Registry[Any], shipped: bool) -> str:
    return ", ".join(name for name in registry if _is_listed(registry, name, shipped))


def _is_listed(registry: Registry[Any], name: str, shipped: bool) -> bool:
    return not shipped or registry.is_shipped(registry.home(name))


#: What stands in a help text, and what is shown there: all that is registered, or what isoloss
#: ships.
LISTS: Mapping[str, Callable[[bool], str]] = {
    "{figure kinds}": _figure_kinds,
    "{machines}": _machines,
    "{models}": _models,
    "{laws}": _laws,
}


def filled(text: str, *, shipped: bool = False) -> str:
    """The text with each list in its place.

    Parameters
    ----------
    text
        A help text, as "A machine: {machines}."
    shipped
        Leave out what a user's own modules registered, as a page of the manual does.
    """
    for place, content in LISTS.items():
        if place in text:
            text = text.replace(place, content(shipped))
    return text


class Command(TyperCommand):
    """A command whose help holds the lists of this moment, which knows what it was given, and which
    refuses files without a name.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of the shell; exit code 1 where a path among them is empty."""
        if not ctx.resilient_parsing and any(each == "" or each.endswith("=") for each in args):
            given, *_ = self.make_parser(ctx).parse_args(args=list(args))
            if wrong := unnamed(self.get_params(ctx), given, paths_of(self.callback or print)):
                typer.echo(f"error: {wrong}", err=True)
                raise typer.Exit(1)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with giving(ctx), noted():
            return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        for option in self.params:
            shown = getattr(option, "help", None)
            if shown:
                option.help = filled(shown)  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)
