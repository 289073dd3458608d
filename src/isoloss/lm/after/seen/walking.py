"""Where in a model calibration tokens stand: at its start, or before one of its blocks.

Only the inputs of one block are kept at a time, so that a model is rounded block by block without
running all of it for each matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from isoloss.lm.after.degrading import logits_of
from isoloss.lm.after.seen.meeting import Enough
from isoloss.lm.shape import ModelError


class _Call(NamedTuple):
    """What a block was called with."""

    x: Tensor
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Walk:
    """Tokens on their way through a model whose blocks are rounded one after the other.

    Parameters
    ----------
    modules
        Those that will be asked for, in their order.
    batches
        The tokens, each (rows, context).
    """

    def __init__(
        self, model: nn.Module, modules: Sequence[nn.Module], batches: Sequence[Tensor]
    ) -> None:
        self._model, self._batches = model, batches
        self._blocks = _blocks(model, modules)
        self._home = {
            module: k for k, block in enumerate(self._blocks) for module in block.modules()
        }
        self._calls: list[list[_Call]] = []  # by batch, then by block
        self._streams: list[Tensor] = []
        self._now = 0

    def passes(self, module: nn.Module) -> list[Callable[[], Any]]:
        """What runs the tokens through a module, batch by batch: its block, or the whole model."""
        home = self._home.get(module)
        if home is None:
            return [partial(logits_of, self._model, batch) for batch in self._batches]
        if not self._calls:
            self._arrive()
        # Blocks before are done by now, so the stream moves on through them as they are.
        while self._now < home:
            self._streams = [self._pass(k, stream) for k, stream in enumerate(self._streams)]
            self._now += 1
        return [partial(self._pass, k, stream) for k, stream in enumerate(self._streams)]

    @torch.no_grad()
    def _arrive(self) -> None:
        """Note what each block is called with; the stream itself only before the first."""

        def note(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if not args or not isinstance(args[0], Tensor):
                raise ModelError(
                    f"{type(block).__name__} takes no tensor first; its layers cannot be walked"
                )
            first = block is self._blocks[0]
            x = args[0] if first else args[0].new_empty(0)
            self._calls[-1].append(_Call(x, args[1:], kwargs))
            if block is self._blocks[-1]:
                raise Enough

        # One pass of each batch, which ends where the last block begins, notes all that blocks
        # share.
        hooks = [block.register_forward_pre_hook(note, with_kwargs=True) for block in self._blocks]
        try:
            for batch in self._batches:
                self._calls.append([])
                try:
                    logits_of(self._model, batch)
                except Enough:
                    continue
        finally:
            for hook in hooks:
                hook.remove()
        self._streams = [calls[0].x for calls in self._calls]

    @torch.no_grad()
    def _pass(self, number: int, stream: Tensor) -> Tensor:
        """The stream of a batch behind the block before which it stands."""
        _, args, kwargs = self._calls[number][self._now]
        out = self._blocks[self._now](stream, *args, **kwargs)
        after: Tensor = out[0] if isinstance(out, tuple) else out
        return after


def _blocks(model: nn.Module, modules: Sequence[nn.Module]) -> list[nn.Module]:
    """The list of blocks that holds most of the modules; none where no list holds two."""
    wanted = set(modules)
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    held = [sum(module in wanted for module in one.modules()) for one in lists]
    return list(lists[held.index(max(held))]) if held and max(held) > 1 else []
