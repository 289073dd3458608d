"""The operands of the two backward products of a matrix, each rounded as its own scope says.

With y = Q_a(x) Q_w(W)^T and g = dL/dy, x (tokens, inputs), W (outputs, inputs), g (tokens,
outputs), the gradients that arrive at both roundings are

    dx = Q_g.dx(g) Q_w.dx(W)          dW = Q_g.dw(g)^T Q_a.dw(x)

An operand without a scope of its own is the one that is there already: w.dx that of w and a.dw that
of a, as forward rounded them; g.dx and g.dw that of g, rounded once. One with a scope is rounded by
itself, from the numbers as they were before any rounding, and its scales and Hadamard blocks lie
along the axis that its product sums over, as matrix units want them: outputs for w.dx and g.dx,
tokens for a.dw and g.dw. A row is what has one index of the other axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from isoloss.formats import OPERANDS, Precision, is_operand
from isoloss.lm.rounding.parts import Rounding, names_operand, rounding_of

#: A rounding, or what stands for one.
Rounds = Callable[[Tensor, torch.Generator | None], Tensor]


@dataclass(frozen=True)
class Operand:
    """What is done to an operand that has a scope of its own; rounding: None for nothing."""

    rounding: Rounds | None

    def __call__(self, x: Tensor, random: torch.Generator | None, axis: int) -> Tensor:
        """x (rows, columns) rounded along an axis."""
        if self.rounding is None:
            return x
        along = x if axis == 1 else x.mT
        rounded = self.rounding(along.contiguous(), random)
        return rounded if axis == 1 else rounded.mT


@dataclass(frozen=True)
class Operands:
    """The operands of the backward products of one matrix that have scopes of their own, by scope;
    others are as forward, or g, has them.
    """

    own: dict[str, Operand]
    g: Rounds | None

    def product(
        self,
        x: Tensor,
        weight: Tensor,
        rounded: tuple[Tensor, Tensor],
        random: torch.Generator | None,
    ) -> Tensor:
        """x W^T (..., outputs) of rounded operands, its gradients those of the formulas above.

        rounded: x and W as forward has them, at which the gradients arrive.
        """
        with torch.no_grad():
            flat = x.detach().reshape(-1, x.shape[-1])
            back = {
                "a.dw": self._of("a.dw", flat, random, 0),
                "w.dx": self._of("w.dx", weight.detach(), random, 0),
            }
        apply: Any = _Product.apply
        result: Tensor = apply(*rounded, back["a.dw"], back["w.dx"], self, random)
        return result

    def gradients(self, g: Tensor, random: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """g (tokens, outputs) as both products take it: for dx, and for dW."""
        shared = g
        if self.g is not None and not {"g.dx", "g.dw"} <= set(self.own):
            shared = self.g(g, random)
        of_dx, of_dw = self._of("g.dx", g, random, 1), self._of("g.dw", g, random, 0)
        return shared if of_dx is None else of_dx, shared if of_dw is None else of_dw

    def _of(
        self, scope: str, x: Tensor, random: torch.Generator | None, axis: int
    ) -> Tensor | None:
        """An operand rounded by itself, None where it has no scope."""
        return self.own[scope](x, random, axis) if scope in self.own else None


def operands_of(precision: Precision, name: str, compiled: bool = True) -> Operands | None:
    """The operands of the matrix of a name that a precision rounds by themselves, None for none."""
    own: dict[str, Operand] = {}
    for scope in OPERANDS:
        part, _, product = scope.partition(".")
        if names_operand(precision, f"{part}.{name}.{product}"):
            found = rounding_of(precision, part, f"{name}.{product}", compiled)
            assert found is None or isinstance(found, Rounding)  # operands take no method
            own[scope] = Operand(found)
    if not own:
        return None
    g = rounding_of(precision, "g", name, compiled)
    assert g is None or isinstance(g, Rounding)
    return Operands(own, g)


def has_operands(precision: Precision) -> bool:
    """Whether operands of backward products have scopes of their own."""
    return any(is_operand(scope) for stage in precision.stages for scope in stage.train)


class _Product(torch.autograd.Function):
    """x W^T, with other operands on the way back."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        a_dw: Tensor | None,
        w_dx: Tensor | None,
        operands: Operands,
        random: torch.Generator | None,
    ) -> Tensor:
        y = functional.linear(x, weight)
        flat = x.reshape(-1, x.shape[-1])
        back_x, back_w = flat if a_dw is None else a_dw, weight if w_dx is None else w_dx
        # In the dtype of the products, which autocast has only on the way forward.
        ctx.save_for_backward(back_x.to(y.dtype), back_w.to(y.dtype))
        ctx.operands, ctx.random, ctx.types = operands, random, (x.dtype, weight.dtype)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        back_x, back_w = ctx.saved_tensors
        flat = gradients[0].reshape(-1, gradients[0].shape[-1])
        of_dx, of_dw = ctx.operands.gradients(flat.contiguous(), ctx.random)
        dx = (of_dx @ back_w).reshape(*gradients[0].shape[:-1], back_w.shape[1])
        dw = of_dw.mT @ back_x
        of_x, of_w = ctx.types
        return dx.to(of_x), dw.to(of_w), None, None, None, None
