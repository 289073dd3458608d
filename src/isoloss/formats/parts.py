"""The parts of a model or problem that a precision speaks of, and the scopes inside them."""

from __future__ import annotations

import re
from functools import lru_cache

from isoloss.files import shown
from isoloss.formats.modifiers import tile_of
from isoloss.formats.number import Format

PARTS: dict[str, str] = {
    "w": "weights",
    "a": "activations",
    "kv": "keys and values",
    "k": "keys",
    "v": "values",
    "q": "queries",
    "g": "output gradients",
    "d": "data",
    "l": "labels",
}
#: A format alone speaks of these.
MODEL_PARTS = ("w", "a", "kv")
_ROW_PARTS = ("w", "kv", "k", "v")
#: Operands of the two backward products. A layer y = x W^T multiplies w with a forward, then g with
#: w for the gradient of its input (dx) and g with a for that of its weights (dw).
OPERANDS = ("w.dx", "a.dw", "g.dx", "g.dw")
_PRODUCTS = ("dx", "dw")
_SCOPE = re.compile(r"(kv|[waqgdlkv])((?:\.[a-z0-9]+(?:_[a-z0-9]+)*)*)")


@lru_cache(maxsize=4096)
def read_scope(text: str) -> str:
    """The scope in lower case: a part, or a part and dotted names as in 'a.fc2' or 'g.fc2.dw'.

    Raises
    ------
    ValueError
        The text is no scope, or names an operand that its product does not have.
    """
    scope = text.lower()
    match = _SCOPE.fullmatch(scope)
    if match is None:
        raise ValueError(
            f"unknown part {shown(text)}; parts are {' '.join(PARTS)}, "
            "narrowed as in a.fc2 or w.head"
        )
    part, *names = scope.split(".")
    products = [name for name in names if name in _PRODUCTS]
    if products and (products != names[-1:] or f"{part}.{names[-1]}" not in OPERANDS):
        raise ValueError(
            f"unknown operand {shown(text)}; operands of the backward products are "
            f"{' '.join(OPERANDS)}, "
            "of one layer as in g.fc2.dw"
        )
    return scope


def part_of(scope: str) -> str:
    """The part that a scope belongs to: 'a' for 'a.fc2'."""
    return scope.partition(".")[0]


def is_operand(scope: str) -> bool:
    """Whether a scope names an operand of a backward product, as 'w.dx' and 'g.fc2.dw' do."""
    return scope.rpartition(".")[2] in _PRODUCTS


@lru_cache(maxsize=4096)
def outer_scopes(scope: str) -> tuple[str, ...]:
    """The scope itself and those around it, innermost first: 'a.fc2', 'a'.

    Keys and values fall back to both together at each place: 'k.fc2', 'kv.fc2', 'k', 'kv'; an
    operand of a layer to the operand everywhere and then to the layer: 'w.fc2.dx', 'w.dx',
    'w.fc2', 'w'.
    """
    names = scope.split(".")
    product = names.pop() if is_operand(scope) else None
    places = [".".join(names[:length]) for length in range(len(names), 0, -1)]
    if product:
        places = [f"{place}.{product}" for place in places] + places
    if names[0] in ("k", "v"):
        return tuple(each for place in places for each in (place, f"kv{place[1:]}"))
    return tuple(places)


def scope_order(scope: str) -> tuple[int, list[str]]:
    """The sorting key of scopes: parts in the order of `PARTS`, each before its own scopes."""
    return list(PARTS).index(part_of(scope)), scope.split(".")


def default_granularity(scope: str, known: Format) -> str | int:
    """What shares a scale where the spelling says nothing: a block, a row of w and kv, else the
    tensor."""
    if known.block is not None:
        return known.block
    return "row" if part_of(scope) in _ROW_PARTS else "tensor"


def plain_granularity(scope: str, known: Format) -> str | int | None:
    """The granularity of a part in its first spelling: a channel of weights and a token of others
    is a row.

    Weights are (outputs, inputs), activations and gradients (tokens, features): a row is an output
    channel of the first and a token of the others.

    Raises
    ------
    ValueError
        Weights have no tokens.
    """
    part, share = part_of(scope), known.granularity
    if part == "w" and share == "token":
        raise ValueError(f"'{scope}:{known}' cannot be: weights have no tokens; write '/channel'")
    if (part, share) in (("w", "channel"), ("a", "token"), ("g", "token")):
        return "row"
    return share


def unexecuted(known: Format, tiles: bool = True) -> str | None:
    """Why no code rounds with these scales yet, where a format is spelled with channels or tokens,
    or with tiles where there are none."""
    share = known.granularity
    if share not in ("channel", "token") and (tiles or not tile_of(share)):
        return None
    accepted = (
        "/tensor, /row, a group size and a tile" if tiles else "/tensor, /row and a group size"
    )
    return f"no code shares scales by '/{share}' yet; accepted are {accepted}"
