"""The parts of a model or problem that a precision speaks of, and the scopes inside them."""

from __future__ import annotations

import re

from isoloss.formats.number import Format

PARTS: dict[str, str] = {
    "w": "weights",
    "a": "activations",
    "kv": "keys and values",
    "q": "queries",
    "g": "output gradients",
    "d": "data",
    "l": "labels",
}
# A format alone speaks of these.
MODEL_PARTS = ("w", "a", "kv")
_ROW_PARTS = ("w", "kv")
_SCOPE = re.compile(r"(kv|[waqgdl])((?:\.[a-z0-9]+(?:_[a-z0-9]+)*)*)")


def read_scope(text: str) -> str:
    """The scope in lower case: a part, or a part and dotted names as in 'a.fc2'.

    Raises ValueError for anything else.
    """
    scope = text.lower()
    match = _SCOPE.fullmatch(scope)
    if match is None:
        raise ValueError(
            f"unknown part {text!r}; parts are {' '.join(PARTS)}, narrowed as in a.fc2 or w.head"
        )
    return scope


def part_of(scope: str) -> str:
    """The part that a scope belongs to: 'a' for 'a.fc2'."""
    return scope.partition(".")[0]


def outer_scopes(scope: str) -> list[str]:
    """The scope itself and those around it, innermost first: ['a.fc2', 'a']."""
    names = scope.split(".")
    return [".".join(names[:length]) for length in range(len(names), 0, -1)]


def scope_order(scope: str) -> tuple[int, list[str]]:
    """The sorting key of scopes: parts in the order w a kv q g d l, each before its own scopes."""
    return list(PARTS).index(part_of(scope)), scope.split(".")


def default_granularity(scope: str, known: Format) -> str | int:
    """What shares a scale where the spelling says nothing: a block, a row of w and kv, else the tensor."""
    if known.block is not None:
        return known.block
    return "row" if part_of(scope) in _ROW_PARTS else "tensor"
