"""Entries of open sets: a folder of files with a record each, and names that an @ can spell."""

from __future__ import annotations

from typing import TypeVar

from isoloss.files import Registry, modules_of
from isoloss.formats import Format
from isoloss.lm.shape import ModelError

T = TypeVar("T")


def register_folder(registry: Registry[T], package: str, constant: str) -> None:
    """Register the record that each module of `package` has under the name `constant`, in order of
    file names.

    Parameters
    ----------
    registry
        The open set that the records belong to; each has an attribute `name`.
    package
        Dotted name of the folder, whose face imports none of its files.
    constant
        The name of the record in every file, as METHOD.
    """
    for module in modules_of(package):
        registry.add(getattr(module, constant), home=module.__name__)


def check_name(kind: str, name: object) -> None:
    """Raise ModelError for the name of a `kind` that no precision could spell as ``@name``."""
    try:
        if isinstance(name, str) and Format.parse(f"int4@{name}").method == name:
            return
    except ValueError:
        pass  # the sentence below says what is accepted
    raise ModelError(
        f"a {kind} cannot be named {name!r}; use lower-case letters, digits and single '_'"
    )
