"""The matrices of a model's blocks by name, so that some can have a format of their own.

A scope after a part names matrices: `attention` (or `qkv`, `out`, `q_proj`, `k_proj`, `v_proj`,
`o_proj`), `ffn` (or `fc1`, `fc2`, `gate_proj`, `up_proj`, `down_proj`), `experts` and `shared` of a
mixture of experts, and blocks, as `first2` and `last4`. Where several name a matrix, blocks come
before matrices, and the narrower name before the wider. `head` and `embedding` are no part of a
block.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from isoloss.formats import Format, Precision
from isoloss.runs.problems import RunsError

#: Names of each kind of matrix, narrow to wide.
QUERY, KEY, VALUE, OUT = (
    (name, group, "attention")
    for name, group in (("q_proj", "qkv"), ("k_proj", "qkv"), ("v_proj", "qkv"), ("o_proj", "out"))
)
GATE, UP, DOWN = (
    (name, group, "ffn")
    for name, group in (("gate_proj", "fc1"), ("up_proj", "fc1"), ("down_proj", "fc2"))
)
ATTENTION, EXPERTS, SHARED, FFN = ("attention",), ("experts", "ffn"), ("shared", "ffn"), ("ffn",)
NAMES = tuple(
    dict.fromkeys(
        name
        for kind in (ATTENTION, QUERY, KEY, VALUE, OUT, FFN, GATE, UP, DOWN, EXPERTS, SHARED)
        for name in reversed(kind)
    )
)
#: What stands outside of blocks.
ENDS = ("head", "embedding")
_PRODUCTS = ("dx", "dw")
_BLOCKS = re.compile(r"(first|last)([1-9][0-9]{0,3})")


@dataclass(frozen=True)
class Matrix:
    """Matrices of one kind in one block.

    Attributes
    ----------
    names
        What a scope may call them, narrow to wide.
    block
        Which of the blocks, from 0.
    params
        All their parameters.
    active
        Those that one token uses.
    """

    names: tuple[str, ...]
    block: int
    params: float
    active: float


def names_in(precision: Precision) -> tuple[str, ...]:
    """The names of matrices and blocks that a precision sets apart, ends not counted.

    Raises
    ------
    RunsError
        A name is none of those accepted, or a scope has two.
    """
    return tuple(name for name in _all_names(precision) if name not in ENDS)


def _all_names(precision: Precision) -> tuple[str, ...]:
    """The names that a precision sets apart, ends counted; RunsError for what is none."""
    found: dict[str, None] = {}
    for scope in (*precision.train, *precision.serve):
        inner = _inner(scope)
        if len(inner) > 1:
            raise RunsError(f"cannot place '{scope}' in a model; give one name, as 'w.last4'")
        for name in inner:
            if name not in (*NAMES, *ENDS) and _BLOCKS.fullmatch(name) is None:
                raise RunsError(
                    f"cannot place '{scope}' in a model; accepted are {', '.join(NAMES)}, "
                    f"{', '.join(ENDS)}, and blocks as first2 or last4"
                )
            found[name] = None
    return tuple(found)


def own_precisions(
    precision: Precision, matrices: Iterable[Matrix], blocks: int
) -> Mapping[Precision, tuple[float, float]]:
    """The precisions of a model's matrices, without names, each with all and active params.

    Parameters
    ----------
    precision
        Of the model.
    matrices
        Of all blocks.
    blocks
        How many there are.

    Raises
    ------
    RunsError
        The precision names what a model has not, or more blocks than there are.
    """
    names = _all_names(precision)
    for name in names:
        if _count(name) > blocks:
            raise RunsError(f"{name} are more blocks than the {blocks} of the model")
    left = {name for name in names if name not in ENDS and _BLOCKS.fullmatch(name) is None}
    known: dict[tuple[str, ...], Precision] = {}
    out: dict[Precision, tuple[float, float]] = {}
    for each in matrices:
        # Blocks before matrices; what the precision does not name makes no difference.
        held = (n for n in names if _holds(n, each.block, blocks))
        own = tuple(sorted(held, key=_count))
        own += tuple(n for n in each.names if n in names)
        left -= set(own)
        if own not in known:
            known[own] = Precision(_plain(precision.train, own), _plain(precision.serve, own))
        params, active = out.get(known[own], (0.0, 0.0))
        out[known[own]] = (params + each.params, active + each.active)
    if left:
        raise RunsError(f"the model has no {', '.join(sorted(left))} to set apart")
    return out


def _count(name: str) -> int:
    """How many blocks a name holds."""
    found = _BLOCKS.fullmatch(name)
    return int(found[2]) if found else 0


def _holds(name: str, block: int, blocks: int) -> bool:
    """Whether a name of blocks holds one of them."""
    found = _BLOCKS.fullmatch(name)
    if found is None:
        return False
    count = int(found[2])
    return block < count if found[1] == "first" else block >= blocks - count


def _inner(scope: str) -> list[str]:
    """The names of a scope without its part and product."""
    return [name for name in scope.split(".")[1:] if name not in _PRODUCTS]


def _plain(formats: Mapping[str, Format], own: Sequence[str]) -> dict[str, Format]:
    """The formats of a matrix with some names, the first before the others, without names."""
    ranks = {name: k for k, name in enumerate(own)}
    found: dict[str, tuple[int, Format]] = {}
    for scope, known in formats.items():
        inner = _inner(scope)
        if inner and inner[0] not in ranks:
            continue
        rank = ranks[inner[0]] if inner else len(ranks)
        plain = ".".join(piece for piece in scope.split(".") if piece not in inner)
        if plain not in found or rank < found[plain][0]:
            found[plain] = (rank, known)
    return {plain: known for plain, (_, known) in found.items()}
