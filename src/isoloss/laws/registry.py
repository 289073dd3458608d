"""The laws by name: those that isoloss ships, and a user's own."""

from __future__ import annotations

import dataclasses
import re

from isoloss.files import Registry
from isoloss.laws.gap_of import is_gap_law
from isoloss.laws.law import Law
from isoloss.laws.pieces import register_pieces
from isoloss.laws.shipped import shipped

#: Words that mean something else where a law is named.
RESERVED = ("published",)
HOME = "isoloss.laws"


def _load() -> None:
    for law in shipped():
        LAWS.register(law.name, law, home=HOME)


LAWS: Registry[Law] = Registry("law", load=_load, of=Law)


def register(law: Law, *, replace: bool = False, home: str | None = None) -> Law:
    """Add a law of one's own under its name, and what it is made of, so that it can be saved.

    To be called at the top of a module; another process knows the law once it uses that module
    (`use`, ``--use``, or an entry point of the group "isoloss").

    Parameters
    ----------
    law
        The law; its name is what `preset` and ``--law`` take: letters, digits, "_" and "-".
    replace
        Give a taken name to this law, as when the cell of a notebook runs again.
    home
        The module that registers it; by default the caller's.

    Returns
    -------
    Law
        The law itself.

    Raises
    ------
    ValueError
        The name is taken or cannot be one, or a term is no frozen dataclass or a function has no
        name.
    """
    LAWS.check(law)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", law.name) or law.name in RESERVED:
        raise ValueError(
            f"a law cannot be named {law.name[:60]!r}; begin with a letter and go on with letters, "
            f"digits, '_' and '-', and leave out {', '.join(map(repr, RESERVED))}"
        )
    LAWS.check_free(law.name, law, replace)
    register_pieces(law.formula, home)
    return LAWS.add(law, replace=replace, home=home)


def presets() -> tuple[Law, ...]:
    """The published laws of losses that isoloss ships, family by family; `LAWS` has its laws of
    gaps and a user's own as well.
    """
    return tuple(_copied(law) for law in shipped() if not is_gap_law(law))


def preset(name: str) -> Law:
    """The law of a name, such as "kumar2024" or one that was registered.

    Parameters
    ----------
    name
        A name of `LAWS`.

    Returns
    -------
    Law
        A copy, so that its values can be changed without changing the preset.

    Raises
    ------
    ValueError
        No law has this name; the message has the nearest names and all that there are.
    """
    return _copied(LAWS[name])


def _copied(law: Law) -> Law:
    return dataclasses.replace(
        law, values=dict(law.values), ties=dict(law.ties), bounds=dict(law.bounds)
    )
