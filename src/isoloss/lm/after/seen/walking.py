"""Where in a model calibration tokens stand: at its start, or before one of its blocks.

Only the inputs of one block are kept at a time, so that a model is rounded block by block without
running all of it for each matrix; where blocks hand each other more than one stream, all of it is
run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

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
        if module in self._home and not self._calls:
            self._arrive()
        home = self._home.get(module)
        if home is None:
            return [partial(logits_of, self._model, batch) for batch in self._batches]
        # Blocks before are done by now, so the stream moves on through them as they are.
        while self._now < home:
            self._streams = [self._pass(k, stream) for k, stream in enumerate(self._streams)]
            self._now += 1
        return [partial(self._pass, k, stream) for k, stream in enumerate(self._streams)]

    @torch.no_grad()
    def _arrive(self) -> None:
        """Note what each block is called with; the stream itself only before the first."""
        gave: list[Tensor] = []  # by the block before
        straight = True

        def note(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            nonlocal straight
            if not args or not isinstance(args[0], Tensor):
                raise ModelError(
                    f"{type(block).__name__} takes no tensor first; its layers cannot be walked"
                )
            first = block is self._blocks[0]
            straight &= not _caches(args, kwargs) and (first or _follows(gave, args, kwargs))
            x = args[0] if first else args[0].new_empty(0)
            self._calls[-1].append(_Call(x, args[1:], kwargs))
            if block is self._blocks[-1]:
                raise Enough

        def end(block: nn.Module, args: object, kwargs: object, out: Any) -> None:
            gave[:] = _tensors(out)

        # One pass of each batch, which ends where the last block begins, notes all that blocks
        # share.
        hooks = [block.register_forward_pre_hook(note, with_kwargs=True) for block in self._blocks]
        hooks += [block.register_forward_hook(end, with_kwargs=True) for block in self._blocks]
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
        if not straight:
            self._home = {}

    @torch.no_grad()
    def _pass(self, number: int, stream: Tensor) -> Tensor:
        """The stream of a batch behind the block before which it stands."""
        _, args, kwargs = self._calls[number][self._now]
        out = self._blocks[self._now](stream, *args, **kwargs)
        after: Tensor = out[0] if isinstance(out, tuple) else out
        return after


def _follows(gave: list[Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a block takes what the block before gave as it is, and nothing else of it."""
    stream, *others = _tensors((args, kwargs))
    passed_on = {each.data_ptr() for each in gave}
    same = bool(gave) and stream.data_ptr() == gave[0].data_ptr()
    return same and all(each.data_ptr() not in passed_on for each in others)


def _caches(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a block is given a cache, in which it would find its own keys when it runs again."""
    return any(hasattr(each, "get_seq_length") for each in (*args, *kwargs.values()))


def _tensors(given: object) -> list[Tensor]:
    return [each for each in tree_flatten(given)[0] if isinstance(each, Tensor)]


def _blocks(model: nn.Module, modules: Sequence[nn.Module]) -> list[nn.Module]:
    """The list of blocks that holds most of the modules; none where no list holds two."""
    wanted = set(modules)
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    held = [sum(module in wanted for module in one.modules()) for one in lists]
    return list(lists[held.index(max(held))]) if held and max(held) > 1 else []
