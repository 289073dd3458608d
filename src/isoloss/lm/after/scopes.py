"""The names by which a precision speaks of a matrix: its block's before its own, as plans read
them.

`w.layers.3.q_proj` is one matrix of block 3, whatever the family calls its list of blocks,
`w.layers.3` all matrices of the block, `w.first2` and `w.last4` those of blocks at either end;
`w.q_proj` the matrices of that name in all blocks, `w.mlp` all that lie below that name. The head
and what chooses experts are named by their own name only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from isoloss.formats import Precision
from isoloss.lm.rounding import ENDS

#: The scope of what chooses experts.
ROUTER = "router"
#: Left as they are unless their own name is given.
ALONE = (*ENDS, ROUTER)

#: The name below which a module lies that torch.compile took.
_COMPILED = "_orig_mod"
_BLOCKS = re.compile(r"layers\.\d+(\..+)?|(first|last)[1-9]\d*")
#: How many blocks each list of them has, by the names on the way to it.
Blocks = Mapping[tuple[str, ...], int]


def blocks_of(paths: Iterable[Sequence[str]]) -> Blocks:
    """The lists of blocks that matrices lie in: the first that their paths number."""
    found: dict[tuple[str, ...], int] = {}
    for path in paths:
        if (at := _number(path)) is not None:
            before = tuple(path[:at])
            found[before] = max(found.get(before, 0), int(path[at]) + 1)
    return found


def own_name(path: Sequence[str]) -> str:
    """The last name on the way to a matrix that says what it is, as a precision spells it:
    lower-case letters, digits and single underscores.
    """
    return next((s for n in reversed(path) if n != _COMPILED and (s := _spelled(n))), "")


def names_of(own: str, path: Sequence[str], blocks: Blocks) -> tuple[str, ...]:
    """The names of a matrix, the narrower before the wider; own: its own name; path: the names on
    the way to it, the last its own in the model.
    """
    lowered = [_spelled(name) for name in path if name != _COMPILED]
    at = _number(path)
    in_block: list[str] = []
    ends: list[str] = []
    if at is not None:
        block, count = int(path[at]), blocks[tuple(path[:at])]
        in_block = [f"layers.{block}.{name}" for name in dict.fromkeys((own, lowered[-1]))]
        ends = [f"layers.{block}"]
        for k in range(1, count + 1):  # the fewer blocks a name holds, the narrower it is
            ends += [f"first{k}"] * (block < k) + [f"last{k}"] * (block >= count - k)
    if own in ALONE:
        return (*in_block, own, lowered[-1])
    return (*in_block, *ends, own, *reversed(lowered))


def apart_from(path: Sequence[str], names: Sequence[str], taken: Collection[str]) -> str:
    """The name by which a precision speaks of one matrix apart from others, never a bare number.

    Parameters
    ----------
    path
        The names on the way to the matrix.
    names
        Those by which a precision may call it (`names_of`).
    taken
        Those by which it calls the others.

    Returns
    -------
    str
        The nearest name on the way that none of the others has, else that in its block; the nearest
        on the way where they have them all.
    """
    spelled = (_spelled(name) for name in reversed(path) if name != _COMPILED)
    on_the_way = [name for name in spelled if name in names and not name.isdigit()]
    known = [*on_the_way, *(name for name in names if name.startswith("layers."))]
    return next((name for name in known if name not in taken), (*known, *names)[0])


def is_of_blocks(scope: str) -> bool:
    """Whether a scope names single blocks: w.layers.3, w.layers.3.fc2, w.first2, w.last4."""
    return _BLOCKS.fullmatch(scope.partition(".")[2]) is not None


def scope_of(precision: Precision, part: str, own: str, names: Sequence[str]) -> str:
    """The first of a matrix's names that the precision gives a format of this part, else its
    own.
    """
    named = precision.serve or precision.train
    return next((name for name in names if f"{part}.{name}" in named), own)


def _spelled(name: str) -> str:
    return "_".join(re.findall("[a-z0-9]+", name.lower()))


def _number(path: Sequence[str]) -> int | None:
    return next((k for k, name in enumerate(path) if name.isdigit()), None)
