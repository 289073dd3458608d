"""Models put together from the blocks of others: where a method rounds each matrix by the model
without rounding alone, a block is the same whatever the others are, and need not be rounded again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from isoloss.formats import Format
from isoloss.lm.after import calibrated_methods


class Assembled:
    """A copy of a model whose blocks are lent by rounded copies of it.

    model: stays as it is; blocks: where its list of blocks lies, "model.layers".
    """

    def __init__(self, model: nn.Module, blocks: str):
        self.blocks = blocks
        self.model: Any = copy.deepcopy(model).requires_grad_(False)

    @contextmanager
    def lent(self, blocks: Mapping[str, nn.Module]) -> Iterator[nn.Module]:
        """The model with the blocks of others, by unit ("layers.3"), until the context ends."""
        before = {}
        for unit, other in blocks.items():
            prefix = f"{self.blocks}.{unit.rpartition('.')[2]}."
            for name, p in self.model.named_parameters():
                if name.startswith(prefix):
                    before[name] = p.data
                    p.data = other.get_parameter(name).data
        try:
            yield self.model
        finally:
            for name, data in before.items():
                self.model.get_parameter(name).data = data


def stand_alone(model: nn.Module, blocks: str, formats: tuple[str, ...]) -> bool:
    """Whether blocks can be lent: no method sees what was rounded before it, and no parameter lies
    in two blocks, or in one and outside of them.
    """
    methods = calibrated_methods(map(Format.parse, formats))
    if any(method.layer_by_layer for method in methods):
        return False
    held: dict[int, set[str]] = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        inside = name.startswith(f"{blocks}.")
        place = name.removeprefix(f"{blocks}.").partition(".")[0] if inside else ""
        held.setdefault(id(p), set()).add(place)
    return all(len(places) == 1 for places in held.values())
