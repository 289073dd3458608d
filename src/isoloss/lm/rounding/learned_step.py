"""A learned step size ('@lsq'): the scale of a rounding as a parameter with its own gradient.

With Q_N = 2^(b-1), Q_P = 2^(b-1) - 1 and u = x / s,

    y     = s round(clip(u, -Q_N, Q_P))
    dL/dx = g where -Q_N < u < Q_P, else 0
    dL/ds = c sum g t,   t = -Q_N where u <= -Q_N, Q_P where u >= Q_P, else round(u) - u
    c     = 1 / sqrt(n Q_P),   and at first   s = 2 mean|x| / sqrt(Q_P)

the sum and the mean over the n numbers that share s; for activations n counts one sequence of the
batch, as the paper's number of features does. Weights have a step a row, a group or a tensor;
activations, keys, values and queries one for the tensor, set by the first batch. A step is unset
(NaN) until numbers that are not all zero pass with gradients on: weights set theirs in the first
step of training, activations by its first batch, and a head that starts at zero in the second. The
step used is |s|, so that an update through zero does no harm. Source: Esser et al. 2020, Learned
step size quantization, equations 1 to 3.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from isoloss.formats import Format
from isoloss.formats.torch_twin import fake_quantise

#: The learning rate of steps over that of the matrix that they round: they are few, and everything
#: hangs on them.
STEP_RATE = 0.1
_SMALLEST = 2.0**-126


class LearnedStep(nn.Module):
    """Rounding to an integer format whose steps are learned.

    shape: that of the weights (outputs, inputs), whose steps are (outputs, 1), (outputs, inputs /
    group) or (1,); None for numbers that come in batches (sequences first), which share one step.
    """

    def __init__(self, known: Format, shape: tuple[int, int] | None = None, compiled: bool = True):
        super().__init__()
        self.known, self.plain, self.compiled = known, replace(known, method=None), compiled
        self.batched = shape is None
        self.inputs = shape[1] if shape else 0
        self.group = 0
        steps: tuple[int, ...] = (1,)
        if shape is not None and known.granularity != "tensor":
            self.group = known.granularity if isinstance(known.granularity, int) else shape[1]
            steps = (shape[0], shape[1] // self.group)
        self.step = nn.Parameter(torch.empty(steps))
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """Forget the steps."""
        self.step.fill_(math.nan)
        self.is_set = False

    def forward(self, x: Tensor, random: Any = None) -> Tensor:
        """x rounded with the steps as they are, shape of x."""
        step = self.step if self.is_set else self._first(x)
        result: Tensor = _LearnedStep.apply(x, step, self)  # type: ignore[no-untyped-call]
        return result

    def _first(self, x: Tensor) -> Tensor:
        """The steps, those that are unset set by x; where x is all zeros any will do."""
        with torch.no_grad():
            mean = (
                self.parts(x.detach().to(self.step.dtype).abs()).mean(-1).reshape(self.step.shape)
            )
            fitting = torch.where(mean > 0, 2 * mean / math.sqrt(self.plain.max), math.nan)
            now = torch.where(self.step.isnan(), fitting, self.step)
        # An evaluation before training leaves the steps unset; any step rounds zeros to zeros.
        if not torch.is_grad_enabled():
            return now.nan_to_num(1.0)
        # Written into the parameter in place, so that the optimiser keeps hold of it.
        self.step.data.copy_(now)
        self.is_set = not bool(now.isnan().any())
        return torch.where(self.step.isnan(), 1.0, self.step)

    def parts(self, x: Tensor) -> Tensor:
        """x with the numbers that share a step along the last axis: (1, all) or (outputs, groups,
        group).
        """
        return x.reshape(*x.shape[:-1], -1, self.group) if self.group else x.reshape(1, -1)

    def weight(self, x: Tensor) -> float:
        """What the gradient of a step is multiplied by."""
        sharing = self.group or (x[0].numel() if self.batched else x.numel())
        return 1 / math.sqrt(sharing * self.plain.max)


class _LearnedStep(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, rule: LearnedStep) -> Tensor:
        used = step.abs().clamp_min(_SMALLEST)
        scale = used.repeat_interleave(rule.group, -1) if 0 < rule.group < x.shape[-1] else used
        ctx.save_for_backward(x, step, scale)
        ctx.rule = rule
        return fake_quantise(x, rule.plain, scale=scale, check=False, compiled=rule.compiled)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        x, step, scale = ctx.saved_tensors
        g, rule = gradients[0], ctx.rule
        top = rule.plain.max
        u = x.to(scale.dtype) / scale  # at least float32, as the scale is
        inside = (u > -top - 1) & (u < top)
        # t of the formula: -Q_N and Q_P outside, round(u) - u inside. Rounding ties to even, as
        # forward.
        slope = u.clamp(-top - 1, top).round() - torch.where(inside, u, 0.0)
        total = rule.parts(g * slope).sum(-1).reshape(step.shape) * rule.weight(x)
        # The step used is |s|, whose derivative is the sign of s.
        return g * inside, total * torch.where(step < 0, -1.0, 1.0), None
