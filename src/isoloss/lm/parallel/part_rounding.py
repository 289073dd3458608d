"""Rounding of a batch of which each rank has a part, to what one process makes of the whole.

A rounding that looks at its part alone would be another function where a scale is the tensor's: the
largest magnitude of a part is not that of the batch. What a rank must know of the others depends on
what shares a scale:

- a row, a group or a block, which lie inside a sequence: nothing;
- the tensor, by its largest magnitude (and the blocks of NV, which share one number of it): the two
  ends, which are put beside the part as one more row, so that the rule itself makes the scale;
- all else (a mean, a search for a clip, a rotation, a function of one's own, ideal noise, operands
  whose groups lie along tokens): the batch. Every rank then rounds all of it, and keeps its part.

Random numbers are drawn for the batch by every rank, from generators that stand alike, and each
takes those of its part: a number is rounded by the same draw as on one process. Weights are whole
wherever they are rounded (FSDP gathers them before), so their rounding is nobody else's business.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from isoloss.formats import Format
from isoloss.formats.torch_twin import fake_quantise, straight
from isoloss.lm.parallel.ranks import Ranks
from isoloss.lm.rounding import LearnedStep, Operand, Operands, Rounding, rule_of, without_method

#: Attributes of a module that round weights, and the operand that is one.
WEIGHTS = ("w", "round_embedding", "w.dx")
#: Operands whose last axis is that of tokens when they are rounded.
ALONG_TOKENS = ("a.dw", "g.dw")


@dataclass(frozen=True)
class PartRounding:
    """A rounding of numbers that come in batches, of which this rank has a part along an axis."""

    own: Rounding
    ranks: Ranks
    axis: int = 0

    def __call__(self, x: Tensor, random: torch.Generator | None = None) -> Tensor:
        """x, the part, as it is in the batch rounded whole."""
        match asked(self.own.known, self.axis, x.dim()):
            case "batch":
                y: Tensor = _Whole.apply(x, self.ranks, self.axis)  # type: ignore[no-untyped-call]
                return self.ranks.part(self.own(y, random), self.axis)
            case "ends":
                return straight(x, lambda x: self._beside_ends(x, self._draws(x, random)))
            case "nothing" if self.own.known.rounding:
                return self._plain(x, self._draws(x, random))
            case "nothing":
                return self.own(x, random)

    def _beside_ends(self, x: Tensor, drawn: Tensor | None) -> Tensor:
        """x rounded with the smallest and the largest number of the batch as a further row."""
        rows = x.detach().reshape(-1, x.shape[-1])
        further = -(-2 // rows.shape[1])  # rows of one number hold one end each
        last = rows.new_zeros(further, rows.shape[1])
        last.view(-1)[:2] = self.ranks.ends(rows)
        if drawn is not None:
            drawn = torch.cat([drawn.reshape(rows.shape), drawn.new_zeros(last.shape)])
        return self._plain(torch.cat([rows, last]), drawn)[: len(rows)].reshape(x.shape)

    def _plain(self, x: Tensor, drawn: Tensor | None) -> Tensor:
        known = without_method(self.own.known)
        return fake_quantise(x, known, random=drawn, check=False, compiled=self.own.compiled)

    def _draws(self, x: Tensor, random: torch.Generator | None) -> Tensor | None:
        """The uniform numbers of this part, out of those of the batch; None where none are."""
        if not self.own.known.rounding:
            return None
        shape = list(x.shape)
        shape[self.axis] *= self.ranks.size
        wide = torch.promote_types(x.dtype, torch.float32)
        drawn = torch.empty(shape, dtype=wide, device=x.device).uniform_(generator=random)
        return self.ranks.part(drawn, self.axis)


def asked(known: Format, axis: int, axes: int) -> Literal["nothing", "ends", "batch"]:
    """What a rank must know of the other parts to round its own, parted along an axis of several.

    A method whose gradient looks at the scale has no place for further rows: it takes the batch.
    """
    if known.is_noise:
        return "batch"
    if not (known.is_scaled or known.function):
        return "nothing" if rule_of(known).plain or not known.rounding else "batch"
    whole = not (known.granularity or known.block) or known.granularity == "tensor"
    if axis != 0 or (known.tile and axes < 3):
        return "batch"
    if whole or known.scale == "e4m3":
        by_ends = not (known.scales_by_mean or known.clip or known.hadamard or known.function)
        return "ends" if by_ends and rule_of(known).plain else "batch"
    return "nothing" if rule_of(known).plain or not known.rounding else "batch"


def share_roundings(model: nn.Module, ranks: Ranks) -> None:
    """Let every rounding of what comes in batches round its part as one process rounds all."""
    for module in model.modules():
        if isinstance(module, LearnedStep) and module.batched:
            module.forward = partial(_first_of_all, module, ranks)  # type: ignore[method-assign]
        for name, rounding in list(vars(module).items()):
            if isinstance(rounding, Rounding) and name not in WEIGHTS:
                setattr(module, name, PartRounding(rounding, ranks))
            elif isinstance(rounding, Operands):
                own = {
                    scope: _shared_operand(scope, operand, ranks)
                    for scope, operand in rounding.own.items()
                }
                g = PartRounding(rounding.g, ranks) if isinstance(rounding.g, Rounding) else None
                setattr(module, name, replace(rounding, own=own, g=g))


def own_roundings(model: nn.Module) -> None:
    """Let every rounding round what it is given, as on one process."""
    for module in model.modules():
        if isinstance(module, LearnedStep):
            vars(module).pop("forward", None)
        for name, rounding in list(vars(module).items()):
            if isinstance(rounding, PartRounding):
                setattr(module, name, rounding.own)
            elif isinstance(rounding, Operands):
                own = {scope: Operand(_own(each.rounding)) for scope, each in rounding.own.items()}
                setattr(module, name, replace(rounding, own=own, g=_own(rounding.g)))


def _own(rounding: Any) -> Any:
    return rounding.own if isinstance(rounding, PartRounding) else rounding


def _shared_operand(scope: str, operand: Operand, ranks: Ranks) -> Operand:
    if scope in WEIGHTS or not isinstance(operand.rounding, Rounding):
        return operand
    return Operand(PartRounding(operand.rounding, ranks, -1 if scope in ALONG_TOKENS else 0))


def _first_of_all(
    step: LearnedStep, ranks: Ranks, x: Tensor, random: torch.Generator | None = None
) -> Tensor:
    """x rounded with a learned step, which the batch of all ranks sets at first."""
    if step.is_set:
        return LearnedStep.forward(step, x, random)
    whole: Tensor = _Whole.apply(x, ranks, 0)  # type: ignore[no-untyped-call]
    return ranks.part(LearnedStep.forward(step, whole, random))


class _Whole(torch.autograd.Function):
    """The batch of which each rank has a part. Of the gradient of the whole this rank has that of
    its own part, and the others theirs: no number of one part reaches another's but by a scale,
    which has none.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, ranks: Ranks, axis: int) -> Tensor:
        ctx.ranks, ctx.axis = ranks, axis
        return ranks.whole(x, axis)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.ranks.part(gradients[0], ctx.axis), None, None
