"""What formulas are made of, by name: term types and functions, so that a saved law finds them.

A term is a frozen dataclass and is saved field by field; a function, such as the shape of a
`FormatLink`, is code and is saved by name. Names of isoloss's own stand alone ("Penalty",
"saturating"), those of a user's are "module:name". `register(law)` registers all that a law is made
of, `register_term` one class or function.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from isoloss.files import Registry
from isoloss.laws import terms
from isoloss.laws.constant import Constant
from isoloss.laws.formula import Grouped
from isoloss.laws.gap_of import GapOf
from isoloss.laws.shipped import shipped

Piece = type[Any] | Callable[..., Any]
P = TypeVar("P", bound=Piece)


def _load() -> None:
    """Register the terms of isoloss: those of its laws, and those that no law of it uses."""
    offered = (getattr(terms, name) for name in terms.__all__)
    types = [each for each in offered if isinstance(each, type) and is_dataclass(each)]
    used = (piece for law in shipped() for piece in _pieces_of(law.formula))
    for piece in (Constant, GapOf, Grouped, *types, *used):
        _add(piece, piece.__module__)


PIECES: Registry[Piece] = Registry("term or function", load=_load)


def register_term(piece: P) -> P:
    """Register a term type or a function of one's own, so that laws made of it can be saved.

    To be written above a frozen dataclass or a function at the top of a module: ``@register_term``.

    Parameters
    ----------
    piece
        A frozen dataclass (link, penalty, map, formula) or a function that a term holds.

    Returns
    -------
    type or callable
        The piece itself.

    Raises
    ------
    ValueError
        It is neither, or has no name at the top of a module.
    """
    _add(piece)
    return piece


def register_pieces(formula: object, home: str | None) -> None:
    """Register every term type and function that a formula is made of."""
    for piece in dict.fromkeys(_pieces_of(formula)):
        if not (_is_shipped(piece) and PIECES.find(key_of(piece)) is piece):
            _add(piece, home)


def key_of(piece: Piece) -> str:
    """The name that stands for a term type or a function: "module:name", isoloss's own "name".

    Raises ValueError for what has no name at the top of a module.
    """
    module, name = getattr(piece, "__module__", None), getattr(piece, "__qualname__", None)
    if not module or not name or "<" in name:
        raise ValueError(
            f"{piece!r} cannot be saved by name; write it at the top of a module, as a class or "
            "with def"
        )
    return name.lstrip("_") if _is_shipped(piece) else f"{module}:{name}"


def reference(piece: Piece) -> dict[str, str]:
    """What a file keeps of a term type or function: its name and, for a user's, its home.

    Raises ValueError where it is not registered, or another is by now under its name.
    """
    key = key_of(piece)
    found = PIECES.find(key)
    if found is None:
        raise ValueError(
            f"{key!r} is not registered, so a saved law would not find it; register the law "
            "(laws.register) or write @laws.register_term above it"
        )
    if found is not piece:
        raise ValueError(f"{key!r} was defined anew since the law was made; make the law again")
    home = PIECES.home(key)
    return {"name": key} | ({} if Registry.is_shipped(home) else {"home": home})


def piece(name: str, home: str | None = None) -> Piece:
    """The term type or function of a name; `home` is the module that a file says registers it.

    Raises ValueError, with what to do, where none is registered.
    """
    found = PIECES.find(name)
    if found is not None:
        return found
    home = home or name.rpartition(":")[0]
    if home in sys.modules and not Registry.is_shipped(home):
        where = "this script or notebook" if home == "__main__" else f"the module '{home}'"
        raise ValueError(
            f"{where} has registered no {PIECES.kind} {name[:60]!r} so far; define it at the top "
            "of a module and register it there (laws.register or laws.register_term)"
        )
    raise ValueError(PIECES.unknown(name, home))


def _add(piece: Piece, home: str | None = None) -> None:
    if isinstance(piece, type):
        settings = getattr(piece, "__dataclass_params__", None)
        if settings is None or not settings.frozen:
            raise ValueError(
                f"the class {piece.__qualname__!r} is no frozen dataclass; write "
                "@dataclass(frozen=True) above it"
            )
    elif not callable(piece):
        raise ValueError(f"{piece!r} is neither a class nor a function")
    # A user's cell that runs again defines the same name anew; isoloss's own names are unique.
    PIECES.register(key_of(piece), piece, replace=not _is_shipped(piece), home=home)


def _is_shipped(piece: Piece) -> bool:
    return Registry.is_shipped(str(getattr(piece, "__module__", "")))


def _pieces_of(value: object) -> Iterator[Piece]:
    if is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        for each in fields(value):
            if each.init:
                yield from _pieces_of(getattr(value, each.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _pieces_of(item)
    elif callable(value):
        yield value
