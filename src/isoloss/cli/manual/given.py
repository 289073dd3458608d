"""Which options of a command were given, not left at their defaults: known while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_GIVEN: ContextVar[Mapping[str, Any]] = ContextVar("given", default={})  # noqa: B039  never changed


def given_options() -> dict[str, Any]:
    """The options that the command line gives, by the name of their parameter."""
    return dict(_GIVEN.get())


@contextmanager
def giving(context: Any) -> Iterator[None]:
    """Remember what the context of a command was given, while it runs."""
    found = {
        name: value
        for name, value in context.params.items()
        # By its name: typer has an enumeration of its own, or that of click.
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    }
    token = _GIVEN.set(found)
    try:
        yield
    finally:
        _GIVEN.reset(token)
