"""The model: a decoder of our own (RMSNorm, rotary positions, SwiGLU) whose parts are rounded.

Shapes: B sequences, T tokens, C width, H heads, D head width, F feed-forward width, V vocabulary.

Every product of the blocks is `Linear`: y = Q_a(x) Q_w(W)^T, the gradient through both roundings
straight (dx = g Q_w(W), dW = g^T Q_a(x)), with g = Q_g(dy) where g is set; operands of these two
products may be rounded apart (rounding/operands.py). Keys and values are
rounded after the rotation, as they would be stored, a row being one head's vector of one token;
queries beside them.

Initial weights and learning rates follow the width (mu-parametrisation for Adam): a matrix starts
at 1/sqrt(inputs) and learns at lr base_width / inputs; embeddings and norms learn at lr; the head
starts at zero, so that the first loss is log V. A tied head is the embedding, its logits times
base_width / C.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from isoloss.formats import Precision
from isoloss.lm.rounding import (
    STEP_RATE,
    LearnedStep,
    Operands,
    Rounding,
    check_precision,
    check_tied,
    operands_of,
    rounding_of,
)
from isoloss.lm.shape import ModelError
from isoloss.runs import Decoder

#: The width at which learning rates are as given.
BASE_WIDTH = 64
EMBEDDING_SCALE = 0.5
NORM_EPS = 1e-6
ROTARY_BASE = 10_000.0


class Linear(nn.Module):
    """x (..., inputs) to (..., outputs), with rounded weights, activations and output gradients:
    the matrix of a name, as a precision says.
    """

    def __init__(self, precision: Precision, name: str, outputs: int, inputs: int, compiled: bool):
        super().__init__()
        self.name = name
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.random: torch.Generator | None = None
        self.round_as(precision, compiled)

    def round_as(self, precision: Precision, compiled: bool) -> None:
        """Round as another precision says from now on."""
        outputs, inputs = self.weight.shape

        def rounding(
            part: str, shape: tuple[int, int] | None = None
        ) -> Rounding | LearnedStep | None:
            return rounding_of(precision, part, self.name, compiled, shape)

        self.w, self.a, self.g = rounding("w", (outputs, inputs)), rounding("a"), rounding("g")
        self.operands: Operands | None = operands_of(precision, self.name, compiled)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (..., outputs) of x (..., inputs)."""
        weight = self.weight if self.w is None else self.w(self.weight, self.random)
        rounded = x if self.a is None else self.a(x, self.random)
        if self.operands is not None and torch.is_grad_enabled():
            return self.operands.product(x, self.weight, (rounded, weight), self.random)
        y = functional.linear(rounded, weight)
        # The output gradient enters both backward products, so it is rounded once, where it
        # arrives.
        if self.g is not None:
            y = _RoundedGradient.apply(y, self.g, self.random)  # type: ignore[no-untyped-call]
        return y


class _RoundedGradient(torch.autograd.Function):
    """The identity forward, rounding backward."""

    @staticmethod
    def forward(y: Tensor, rounding: Any, random: torch.Generator | None) -> Tensor:
        return y.view_as(y)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _, ctx.rounding, ctx.random = inputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.rounding(gradients[0].contiguous(), ctx.random), None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, y: Tensor, rounding: Any, random: Any) -> tuple[Tensor, int]:
        y = y.movedim(in_dims[0], 0)
        apply: Any = _RoundedGradient.apply
        return apply(y, rounding.stacked, random), 0


class Norm(nn.Module):
    """x / rms(x) times a gain, over the last axis."""

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """The stream at unit size times the gain, of the same shape."""
        return functional.rms_norm(x, self.weight.shape, self.weight, NORM_EPS)


class Block(nn.Module):
    """Attention, then a gated feed-forward, each added to the stream."""

    def __init__(self, shape: Decoder, precision: Precision, compiled: bool):
        super().__init__()

        def matrix(name: str, outputs: int, inputs: int) -> Linear:
            return Linear(precision, name, outputs, inputs, compiled)

        width, ffn = shape.width, shape.ffn or 0
        self.heads, self.kv_heads, self.head = shape.heads, shape.kv_heads or 0, shape.head_dim or 0
        queries, keys = self.heads * self.head, self.kv_heads * self.head
        self.norm1, self.norm2 = Norm(width), Norm(width)
        self.qkv, self.out = matrix("qkv", queries + 2 * keys, width), matrix("out", width, queries)
        self.fc1, self.fc2 = matrix("fc1", 2 * ffn, width), matrix("fc2", width, ffn)
        self.round_as(precision, compiled)

    def round_as(self, precision: Precision, compiled: bool) -> None:
        """Round keys, values and queries as another precision says from now on; matrices round
        themselves.
        """
        self.q, self.k, self.v = (
            rounding_of(precision, part, compiled=compiled) for part in ("q", "k", "v")
        )

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """The stream (B, T, C) after this block."""
        x = x + self.attention(self.norm1(x), turns)
        gate, up = self.fc1(self.norm2(x)).chunk(2, -1)
        added: Tensor = x + self.fc2(functional.silu(gate) * up)
        return added

    def attention(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """The update of each token by the tokens before it, (B, T, C)."""
        batch, length, _ = x.shape  # B T C
        sizes = [self.heads, self.kv_heads, self.kv_heads]
        q, k, v = (
            self.qkv(x).view(batch, length, sum(sizes), self.head).transpose(1, 2).split(sizes, 1)
        )  # B H T D
        # Rounded after the rotation, as a server stores them; queries beside them.
        q, k = rotated(q, turns), rotated(k, turns)
        random = self.qkv.random
        q, k, v = (
            x if rounding is None else rounding(x.contiguous(), random)
            for rounding, x in ((self.q, q), (self.k, k), (self.v, v))
        )
        y = self.mixed(q, k, v)
        result: Tensor = self.out(y.transpose(1, 2).reshape(batch, length, self.heads * self.head))
        return result

    def mixed(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The values that each query finds, (B, H, T, D)."""
        return functional.scaled_dot_product_attention(
            q, k, v, is_causal=True, enable_gqa=self.kv_heads < self.heads
        )


class Model(nn.Module):
    """A decoder whose parts can be rounded; its params are those of `shape`, to the last one.

    Parameters
    ----------
    shape
        Layers, width, heads, feed-forward width and vocabulary; gated, without biases, an even head
        width.
    precision
        Any of w a kv (k, v) q g, scopes w.qkv w.out w.fc1 w.fc2 w.head w.embedding (a. and g.
        likewise), and operands of the backward products w.dx a.dw g.dx g.dw (of one matrix as
        g.fc1.dw); fc1 holds gate and up, embedding and head stay in full precision unless named.
        One that changes during training begins with its first phase; `round_as` takes another.
    seed
        Of the first weights, which are the same for every precision.
    compiled
        Whether torch.compile may fuse the rounding; the numbers are the same.

    Attributes
    ----------
    shape, precision
        As given.
    embedding
        Shape (vocab, width); that of the head where it is tied.
    blocks, norm, head
        The layers, the last norm, and the output matrix (vocab, width).

    Raises
    ------
    ModelError
        The decoder lacks a part, or cannot have the shape.
    """

    def __init__(
        self,
        shape: Decoder,
        precision: str | Precision = "fp",
        seed: int = 0,
        compiled: bool = True,
    ):
        super().__init__()
        if not isinstance(shape, Decoder):
            raise ModelError(
                f"shape is a {type(shape).__name__}; accepted is a Decoder, as model_of('0.1M') "
                "gives it"
            )
        odd = shape.biases or shape.positions or shape.block_extras or (shape.head_dim or 0) % 2
        if not shape.gated or odd:
            raise ModelError(
                "the model is gated, without biases, with rotary positions, an even head width "
                f"and two norms a block, and {shape} is not"
            )
        precision = Precision.parse(precision)
        check_precision(precision)
        check_tied(precision, shape)
        self.shape, self.precision, self.compiled = shape, precision, compiled
        first, sizes = precision.stages[0], (shape.vocab, shape.width)
        self.embedding = nn.Parameter(torch.empty(sizes))
        self.blocks = nn.ModuleList(Block(shape, first, compiled) for _ in range(shape.layers))
        self.norm = Norm(shape.width)
        self.head = Linear(first, "head", *sizes, compiled)
        if shape.tied:
            self.head.weight = self.embedding
        self.round_embedding = rounding_of(first, "w", "embedding", compiled, sizes)
        self.reset(seed)

    def round_as(self, stage: Precision) -> None:
        """Round as a phase of the precision says from now on; phases have no learned steps."""
        for module in self.modules():
            if isinstance(module, Linear | Block):
                module.round_as(stage, self.compiled)
        sizes = (self.shape.vocab, self.shape.width)
        self.round_embedding = rounding_of(stage, "w", "embedding", self.compiled, sizes)

    @torch.no_grad()
    def reset(self, seed: int) -> None:
        """Draw the initial weights of a seed: the same for every precision."""
        draw = torch.Generator().manual_seed(seed)
        for module in self.modules():
            if isinstance(module, LearnedStep):
                module.reset()
        for name, parameter in self.weights():
            # Drawn in one order from one generator: runs that differ in precision start alike.
            if name == "embedding":
                parameter.normal_(0, EMBEDDING_SCALE, generator=draw)
            elif name == "head.weight":
                parameter.zero_()
            elif parameter.dim() == 2:
                parameter.normal_(0, parameter.shape[1] ** -0.5, generator=draw)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (B, T, V) of the tokens that follow `tokens` (B, T)."""
        embedding: Tensor = self.embedding
        if self.round_embedding is not None:
            embedding = self.round_embedding(embedding, self.head.random)
        x = functional.embedding(tokens, embedding)
        turns = self._turns(tokens.shape[1], x)
        for block in self.blocks:
            x = block(x, turns)
        logits: Tensor = self.head(self.norm(x))
        return logits * (BASE_WIDTH / self.shape.width) if self.shape.tied else logits

    def weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The parameters by name without the learned steps: those that `shape` counts."""
        steps = {id(step) for step, _ in self._steps()}
        return (pair for pair in self.named_parameters() if id(pair[1]) not in steps)

    def _steps(self) -> Iterator[tuple[nn.Parameter, float]]:
        """The learned steps, each with the learning rate of what it rounds over that of the
        recipe.
        """
        for name, module in self.named_modules():
            if isinstance(module, LearnedStep):
                matrix = name.endswith(".w")
                yield module.step, BASE_WIDTH / module.inputs if matrix else 1.0

    def draw_from(self, random: torch.Generator) -> None:
        """Take the random numbers of stochastic rounding from this generator."""
        for module in self.modules():
            if isinstance(module, Linear):
                module.random = random

    def groups(self, lr: float, decay: float) -> list[dict[str, Any]]:
        """The parameter groups of AdamW, learning rates by width; norms, embeddings and learned
        steps do not decay.
        """
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for step, share in self._steps():
            groups.setdefault((lr * share * STEP_RATE, 0.0), []).append(step)
        for name, parameter in self.weights():
            matrix = parameter.dim() == 2 and name != "embedding"
            share = BASE_WIDTH / parameter.shape[1] if matrix else 1.0
            groups.setdefault((lr * share, decay if matrix else 0.0), []).append(parameter)
        return [{"params": p, "lr": rate, "weight_decay": wd} for (rate, wd), p in groups.items()]

    def _turns(self, length: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the rotary angles, each (T, D/2)."""
        half = (self.shape.head_dim or 0) // 2
        speed = torch.exp(torch.arange(half, device=like.device) * (-math.log(ROTARY_BASE) / half))
        angle = torch.outer(
            torch.arange(length, device=like.device, dtype=like.dtype), speed.to(like.dtype)
        )
        return angle.cos(), angle.sin()


def loss_of(model: Callable[[Tensor], Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
    """The mean nats a token of a model on tokens (B, T), summed up in float32 at least."""
    logits = model(inputs).flatten(0, 1)  # B T V to (B T) V
    wide = torch.promote_types(logits.dtype, torch.float32)
    return functional.cross_entropy(logits.to(wide), targets.reshape(-1))


def rotated(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """x (B, H, T, D) with its halves turned as planes by the angles of its places."""
    cos, sin = turns
    one, two = x.chunk(2, -1)
    return torch.cat([one * cos - two * sin, one * sin + two * cos], -1)


def drawing(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """What stochastic rounding draws from where a run of this seed begins."""
    return torch.Generator(device).manual_seed(seed + 1)
