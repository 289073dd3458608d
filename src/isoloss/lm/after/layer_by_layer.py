"""Calibration inputs of a whole model: of each matrix, as those before it are by then.

Only the inputs of one block are kept at a time. Every block is run once for each group of matrices
that share an input, as far as that group and no further, and once to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, assert_never, cast

import torch
from torch import Tensor, nn

from isoloss.files import shown_value
from isoloss.lm.after.degrading import logits_of
from isoloss.lm.after.post_method import Sees
from isoloss.lm.arguments import check_tokens
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
def walked(
    model: nn.Module, matrices: Mapping[nn.Module, Sees], tokens: Tensor
) -> Iterator[tuple[nn.Module, Tensor]]:
    """Each matrix with what it is to see of its inputs, in the order in which tokens (rows,
    context) pass them.

    The inputs of a matrix are taken when it is asked for: whoever rounds the weights of one before
    asking for the next has the inputs that rounded layers give.

    Raises
    ------
    ModelError
        Tokens are no table of whole numbers, or do not pass one of the matrices.
    """
    if not isinstance(tokens, Tensor):
        raise ModelError(
            f"calibration is {shown_value(tokens)}; accepted are tokens as a torch tensor, (rows, "
            "context)"
        )
    if tokens.dim() != 2 or tokens.is_floating_point() or not tokens.numel():
        raise ModelError(
            f"calibration is {tokens.dtype} of shape {tuple(tokens.shape)}; accepted are whole "
            "numbers, (rows, context)"
        )
    check_tokens(model, tokens)
    batches = tokens.split(CALIBRATED_TOGETHER)  # type: ignore[no-untyped-call]
    walk = _Walk(model, _blocks(model, matrices), list(batches))
    for group in _in_order(model, matrices, batches[0][:1]):
        # Matrices that share an input share what is seen of it; each kind of it takes one pass.
        kinds = dict.fromkeys(matrices[module] for module in group)
        seen = {sees: walk.seen(group[0], sees) for sees in kinds}
        yield from ((module, seen[matrices[module]]) for module in group)


class _Walk:
    """Where in the model the calibration tokens stand: at its start, or before one of its
    blocks.
    """

    def __init__(self, model: nn.Module, blocks: list[nn.Module], batches: list[Tensor]):
        self.model, self.blocks, self.batches = model, blocks, batches
        self.home = {module: k for k, block in enumerate(blocks) for module in block.modules()}
        self.calls: list[list[_Call]] = []  # by batch, then by block
        self.streams: list[Tensor] = []
        self.now = 0

    def seen(self, module: nn.Module, sees: Sees) -> Tensor:
        """The inputs of a matrix, (tokens, inputs), or H = 2 X^T X of them in float64, (inputs,
        inputs).
        """
        home = self.home.get(module)
        if home is None:
            runs = [partial(logits_of, self.model, batch) for batch in self.batches]
        else:
            if not self.calls:
                self._arrive()
            # Blocks before are done by now, so the stream moves on through them as they are.
            while self.now < home:
                for number, stream in enumerate(self.streams):
                    self.streams[number] = self._pass(number, stream)
                self.now += 1
            runs = [partial(self._pass, number, x) for number, x in enumerate(self.streams)]
        parts = self._inputs(module, runs)
        match sees:
            case "inputs":
                return torch.cat(list(parts))
            case "hessian":
                return _hessian(cast(Tensor, module.weight), parts)
            case "nothing":
                raise AssertionError("a method that sees nothing is not walked for")
            case _:
                assert_never(sees)

    def _inputs(self, module: nn.Module, runs: Sequence[Callable[[], Any]]) -> Iterator[Tensor]:
        """What reaches a module in each of these passes, which end there: (tokens, inputs), float32
        at least.
        """
        inputs, caught = cast(Tensor, module.weight).shape[1], []

        def take(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            # Activations are rounded before the product, so the weights meet the rounded ones.
            x = (
                args[0]
                if getattr(module, "a", None) is None
                else cast(Any, module).a(args[0], cast(Any, module).random)
            )
            x = x.reshape(-1, inputs)
            caught.append(x if x.dtype == torch.float64 else x.float())
            raise _Enough

        for run in runs:
            hook = module.register_forward_pre_hook(take)
            try:
                _until_enough(run)
            finally:
                hook.remove()
            yield caught.pop()

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

        # One pass of each batch, which ends where the last block begins, notes all that blocks
        # share.
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


def _hessian(weight: Tensor, parts: Iterable[Tensor]) -> Tensor:
    """H = 2 X^T X, added up batch by batch in float64, so that no two batches of inputs are held at
    once.
    """
    inputs = weight.shape[1]
    total = torch.zeros(inputs, inputs, dtype=torch.float64, device=weight.device)
    for x in parts:
        total.add_(x.T @ x, alpha=2)
    return total


def _until_enough(run: Callable[[], Any]) -> None:
    try:
        run()
    except _Enough:
        return


def _blocks(model: nn.Module, matrices: Iterable[nn.Module]) -> list[nn.Module]:
    """The list of blocks that holds most of the matrices; none where no list holds two."""
    wanted = set(matrices)
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    held = [sum(module in wanted for module in one.modules()) for one in lists]
    return list(lists[held.index(max(held))]) if held and max(held) > 1 else []


def _in_order(
    model: nn.Module, matrices: Iterable[nn.Module], tokens: Tensor
) -> list[list[nn.Module]]:
    """The matrices in the order in which tokens pass them, those that get the same input one after
    another as one.
    """
    groups: list[list[nn.Module]] = []
    last: list[Tensor] = []

    def meet(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        if any(module in group for group in groups):
            return
        # The same tensor object: q, k and v of a model that has them apart, gate and up likewise.
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
    if missed := len(hooks) - sum(map(len, groups)):
        raise ModelError(f"{missed} of {len(hooks)} matrices are not passed by tokens; name others")
    return groups
