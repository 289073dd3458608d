"""GPTQ of a whole model: one matrix after the other, each on the inputs that the rounded ones before it give.

Only the inputs of one block are kept at a time. Every block is run once for each group of matrices that share an
input, as far as that group and no further, and once to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from isoloss.formats import Format
from isoloss.lm.after.degrading import check_tokens, logits_of
from isoloss.lm.after.gptq import gptq
from isoloss.lm.shape import ModelError

#: Rows of calibration tokens that pass a block together.
CALIBRATED_TOGETHER = 16


class _Enough(Exception):
    """Raised inside a forward pass whose rest is not needed."""


class _Call(NamedTuple):
    """What a block was called with."""

    x: Tensor
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@torch.no_grad()
def gptq_in_order(model: nn.Module, matrices: Mapping[nn.Module, Format], tokens: Tensor) -> None:
    """Round the weights of these matrices in place, in the order in which tokens (rows, context) pass them.

    Raises ModelError for tokens that are no table of whole numbers, and for a matrix that they do not pass.
    """
    if tokens.dim() != 2 or tokens.is_floating_point() or not tokens.numel():
        raise ModelError(
            f"calibration is {tokens.dtype} of shape {tuple(tokens.shape)}; accepted are whole numbers, (rows, context)"
        )
    check_tokens(model, tokens)
    batches = tokens.split(CALIBRATED_TOGETHER)  # type: ignore[no-untyped-call]
    walk = _Walk(model, _blocks(model, matrices), list(batches))
    groups = _in_order(model, matrices, batches[0][:1])
    for group in groups:
        hessian = walk.hessian(group)
        for module in group:
            weight = cast(Tensor, module.weight)
            weight.data = gptq(weight, hessian, matrices[module])


class _Walk:
    """Where in the model the calibration tokens stand: at its start, or before one of its blocks."""

    def __init__(self, model: nn.Module, blocks: list[nn.Module], batches: list[Tensor]):
        self.model, self.blocks, self.batches = model, blocks, batches
        self.home = {module: k for k, block in enumerate(blocks) for module in block.modules()}
        self.calls: list[list[_Call]] = []  # by batch, then by block
        self.streams: list[Tensor] = []
        self.now = 0

    def hessian(self, group: list[nn.Module]) -> Tensor:
        """H = 2 X^T X of the inputs that a group of matrices shares, in float64, (inputs, inputs)."""
        home = self.home.get(group[0])
        if home is None:
            return self._sum(
                group[0], [partial(logits_of, self.model, batch) for batch in self.batches]
            )
        if not self.calls:
            self._arrive()
        while self.now < home:
            for number, stream in enumerate(self.streams):
                self.streams[number] = self._pass(number, stream)
            self.now += 1
        runs = [partial(self._pass, number, stream) for number, stream in enumerate(self.streams)]
        return self._sum(group[0], runs)

    def _sum(self, module: nn.Module, runs: Sequence[Callable[[], Any]]) -> Tensor:
        """H of what reaches a module in these passes, each of which ends there."""
        inputs = cast(Tensor, module.weight).shape[1]
        total = torch.zeros(
            inputs, inputs, dtype=torch.float64, device=cast(Tensor, module.weight).device
        )

        def take(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            x = (
                args[0]
                if getattr(module, "a", None) is None
                else cast(Any, module).a(args[0], cast(Any, module).random)
            )
            x = x.reshape(-1, inputs)
            x = x if x.dtype == torch.float64 else x.float()
            total.add_(x.T @ x, alpha=2)
            raise _Enough

        hook = module.register_forward_pre_hook(take)
        try:
            for run in runs:
                _until_enough(run)
        finally:
            hook.remove()
        return total

    def _arrive(self) -> None:
        """Note what each block is called with; the stream itself only before the first."""

        def note(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if not args or not isinstance(args[0], Tensor):
                raise ModelError(
                    f"{type(block).__name__} takes no tensor first; its layers cannot be walked"
                )
            first = block is self.blocks[0]
            self.calls[-1].append(
                _Call(args[0] if first else args[0].new_empty(0), args[1:], kwargs)
            )
            if block is self.blocks[-1]:
                raise _Enough

        hooks = [block.register_forward_pre_hook(note, with_kwargs=True) for block in self.blocks]
        try:
            for batch in self.batches:
                self.calls.append([])
                _until_enough(partial(logits_of, self.model, batch))
        finally:
            for hook in hooks:
                hook.remove()
        self.streams = [calls[0].x for calls in self.calls]

    def _pass(self, number: int, stream: Tensor) -> Tensor:
        """The stream of a batch behind the block before which it stands."""
        _, args, kwargs = self.calls[number][self.now]
        out = self.blocks[self.now](stream, *args, **kwargs)
        after: Tensor = out[0] if isinstance(out, tuple) else out
        return after


def _until_enough(run: Callable[[], Any]) -> None:
    try:
        run()
    except _Enough:
        return


def _blocks(model: nn.Module, matrices: Mapping[nn.Module, Format]) -> list[nn.Module]:
    """The list of blocks that holds most of the matrices; none where no list holds two."""
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    held = [sum(module in matrices for module in one.modules()) for one in lists]
    return list(lists[held.index(max(held))]) if held and max(held) > 1 else []


def _in_order(
    model: nn.Module, matrices: Mapping[nn.Module, Format], tokens: Tensor
) -> list[list[nn.Module]]:
    """The matrices in the order in which tokens pass them, those that get the same input one after another as one."""
    groups: list[list[nn.Module]] = []
    last: list[Tensor] = []

    def meet(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        if any(module in group for group in groups):
            return
        if last and last[0] is args[0]:
            groups[-1].append(module)
        else:
            groups.append([module])
        last[:] = args[:1]

    hooks = [module.register_forward_pre_hook(meet) for module in matrices]
    try:
        logits_of(model, tokens)
    finally:
        for hook in hooks:
            hook.remove()
    if missed := len(matrices) - sum(map(len, groups)):
        raise ModelError(
            f"{missed} of {len(matrices)} matrices are not passed by tokens; name others"
        )
    return groups
