"""A batched model: models of one shape that differ in precision and first weights, run as one.

With M members every parameter has an axis of M in front, and torch.func runs the code of `Model`
over it: there is no second model to keep equal. What must know its members gets all M at once:
roundings, which differ between them, and attention, which takes them as further sequences. Products
are batched, and so added up in another order than those of a model alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from isoloss.lm.model import Block, Model, loss_of
from isoloss.lm.rounding import Grids, Rounding, is_plain


class BatchedModel:
    """Models of one shape as one: parameters of the same names, each (M, ...), members side by
    side.

    members: without learned steps, which are parameters that not all have; their weights stay as
    they were at first until `member` is asked for one.
    """

    def __init__(self, members: Sequence[Model]):
        # M members, each parameter (M, ...): torch.func runs the code of one model over the first
        # axis.
        self.members = list(members)
        weights = [dict(model.named_parameters()) for model in members]
        self._parameters = {
            name: nn.Parameter(torch.stack([of_one[name].detach() for of_one in weights]))
            for name in weights[0]
        }
        self._one = Model(members[0].shape, compiled=False)  # its code is used, its weights are not
        self._roundings: list[Together] = []
        for one, *those in zip(
            self._one.modules(), *(model.modules() for model in members), strict=True
        ):
            for name in sorted(
                {n for module in those for n, r in vars(module).items() if isinstance(r, Rounding)}
            ):
                self._roundings.append(Together([getattr(module, name) for module in those]))
                setattr(one, name, self._roundings[-1])
            if isinstance(one, Block):
                one.mixed = _stacked(_as_sequences(one.mixed))  # type: ignore[method-assign]

    def losses(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean nats a token of each member, (M,), on tokens (M, B, T)."""

        def loss(weights: dict[str, Any], inputs: Tensor, targets: Tensor) -> Tensor:
            return loss_of(
                lambda tokens: functional_call(self._one, weights, (tokens,)), inputs, targets
            )

        result: Tensor = torch.vmap(loss)(self._parameters, inputs, targets)
        return result

    @torch.no_grad()
    def member(self, k: int) -> Model:
        """The k-th model, with the weights that it has now."""
        for name, p in self.members[k].to(next(self.parameters()).device).named_parameters():
            p.copy_(self._parameters[name][k])
        return self.members[k]

    def draw_from(self, random: Sequence[torch.Generator]) -> None:
        """Take the random numbers of each member's stochastic rounding from its own generator."""
        for model, own in zip(self.members, random, strict=True):
            model.draw_from(own)
        for together in self._roundings:
            together.random = list(random)

    # ---- what training asks of a model
    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The parameters by the names that they have in a member."""
        yield from self._parameters.items()

    def parameters(self) -> Iterator[nn.Parameter]:
        """The parameters."""
        yield from self._parameters.values()

    def groups(self, lr: float, decay: float) -> list[dict[str, Any]]:
        """The parameter groups of AdamW, which are those of a member."""
        names = {id(p): name for name, p in self.members[0].named_parameters()}
        groups = self.members[0].groups(lr, decay)
        return [
            group | {"params": [self._parameters[names[id(p)]] for p in group["params"]]}
            for group in groups
        ]

    def to(self, device: torch.device) -> BatchedModel:
        """The batched model itself, with its parameters on a device."""
        for p in self.parameters():
            p.data = p.data.to(device)
        return self


class Together:
    """One rounding of each member, or none: called in the code of one model, it rounds what all
    have there.
    """

    def __init__(self, roundings: Sequence[Rounding | None]):
        self.random: list[torch.Generator | None] = [None] * len(roundings)
        plain = [r is not None and is_plain(r.known) for r in roundings]
        formats = [
            r.known if r is not None and p else None for r, p in zip(roundings, plain, strict=True)
        ]
        compiled = any(r is not None and r.compiled for r in roundings)
        self._grids = Grids(formats, compiled) if any(plain) else None
        self._others = {
            k: r
            for k, (r, p) in enumerate(zip(roundings, plain, strict=True))
            if r is not None and not p
        }

    def __call__(self, x: Tensor, random: torch.Generator | None = None) -> Tensor:
        """x of the member that the model is run for, rounded."""
        return _stacked(self.stacked)(x)

    def stacked(self, x: Tensor, random: torch.Generator | None = None) -> Tensor:
        """x of all members (M, ...), rounded: those of plain formats in one pass, the others one by
        one.
        """
        y = x if self._grids is None else self._grids(x)
        if not self._others:
            return y
        parts = list(y)  # M of (...): what no pass over all takes is rounded member by member
        for k, rounding in self._others.items():
            parts[k] = rounding(x[k], self.random[k])
        return torch.stack(parts)


def _as_sequences(attention: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Attention with all members' sequences as one batch."""

    def folded(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        # q, k, v: M B H T D. Attention treats sequences alike, whoever's they are.
        y = attention(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1))
        return y.reshape(*q.shape[:2], *y.shape[1:])

    return folded


def _stacked(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function of all members' tensors, to be called where the code speaks of one member's."""

    def called(*tensors: Tensor) -> Tensor:
        result: Tensor = _Stacked.apply(function, *tensors)  # type: ignore[no-untyped-call]
        return result

    return called


class _Stacked(torch.autograd.Function):
    """Calls a function with the whole of tensors that vmap runs over; the gradient is the
    function's own.
    """

    @staticmethod
    def forward(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        raise NotImplementedError("outside of vmap there are no members")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep nothing: the gradient is never taken through this function itself."""

    @staticmethod
    def vmap(
        info: Any, in_dims: Any, function: Callable[..., Tensor], *tensors: Tensor
    ) -> tuple[Tensor, int]:
        """What the function makes of all members' tensors."""
        return function(*(x.movedim(d, 0) for x, d in zip(tensors, in_dims[1:], strict=True))), 0
