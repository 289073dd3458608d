"""Files and folders that an option leaves without a name: ``-o ""`` would be the folder here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args


def paths_of(command: Callable[..., Any]) -> set[str]:
    """The parameters of a command that are files or folders, by name."""
    parameters = inspect.signature(command).parameters.values()
    return {each.name for each in parameters if _is_path(each.annotation)}


def unnamed(options: list[Any], given: dict[str, Any], paths: set[str]) -> str:
    """What is wrong with the first path that is an empty string, in a sentence; else empty.

    Parameters
    ----------
    options
        Options and arguments of a command.
    given
        What the command line gives for each, by name, before it is read as a path, of which an
        empty string is "." and so no longer told from it.
    paths
        Names of those that are files or folders.
    """
    for option in options:
        value = given.get(option.name)
        if option.name in paths and "" in (value if isinstance(value, list) else [value]):
            return f"{option.opts[0]} is ''; accepted is the name of a file or folder"
    return ""


def _is_path(annotation: Any) -> bool:
    return annotation is Path or any(_is_path(each) for each in get_args(annotation))
