"""The units of a model that can have a format of their own, by the scopes that name them."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from isoloss.lm.after import ALONE, blocks_of, weights_of_model
from isoloss.lm.model import Model
from isoloss.lm.rounding import MATRICES
from isoloss.lm.shape import ModelError

#: What a unit may be.
BY = ("block", "matrix")


def units_of(model: nn.Module, by: str) -> tuple[str, dict[str, int]]:
    """What a model calls its list of blocks, and these, or their matrices by name, with how many
    weights each has.

    What lies in no block, the head and what chooses experts are no units.

    Raises
    ------
    ModelError
        `by` is neither "block" nor "matrix", or the model has no blocks, or several lists of them.
    """
    if by not in BY:
        raise ModelError(f"by is {by!r}; accepted are 'block' and 'matrix'")
    found: dict[str, int] = {}
    listed = list(_matrices(model))
    lists = blocks_of(path for _, path, _ in listed)
    if len(lists) != 1:
        names = ", ".join(".".join(path) for path in lists) or "none"
        raise ModelError(
            f"a {type(model).__name__} has {len(lists)} lists of blocks ({names}); accepted is one"
        )
    ((before, _),) = lists.items()
    for own, path, size in listed:
        if own in ALONE or tuple(path[: len(before)]) != before:
            continue
        block = f"layers.{int(path[len(before)])}"
        unit = block if by == "block" else f"{block}.{own}"
        found[unit] = found.get(unit, 0) + size
    return ".".join(before), found


def _matrices(model: nn.Module) -> Iterator[tuple[str, list[str], int]]:
    """Own name, path and weights of each matrix."""
    if isinstance(model, Model):
        for k, block in enumerate(model.blocks):
            for name in MATRICES:
                yield name, ["blocks", str(k), name], getattr(block, name).weight.numel()
    else:
        for matrix in weights_of_model(model).matrices:
            yield matrix.scope, matrix.path, matrix.size
