"""QuaRot: the residual stream of a model turned by one orthogonal matrix, which changes nothing in
full precision and leaves no channel that is much larger than the others.

A norm without gain commutes with a rotation, rms(Q^T x) being rms(x). So the gain g of each norm
moves into the matrices behind it, and with the stream x' = Q^T x

    looked up    E' = E Q
    read         W' = W diag(g) Q
    written      W' = Q^T W,    b' = Q^T b

give the logits of before. Q is a random Hadamard matrix: signs, drawn from the seed, times H of the
largest power of two in the width, times a random orthogonal matrix of its odd part. What a format
says rounds the turned weights and activations, by any method.

A norm that takes off the mean, or whose gain stands between a matrix and the stream, cannot be
turned so: such models are refused, and so is every model whose logits are not the same afterwards.

Source: Ashkboos, Mohtashami, Croci, Li, Cameron, Jaggi, Alistarh, Hoefler, Hensman 2024, QuaRot
(arXiv 2404.00456), stage 1a; norms as in Ashkboos et al. 2024, SliceGPT (arXiv 2401.15024). Their
rotations inside of blocks, while the model runs, are the modifier `+had`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from isoloss.lm.after.accounting import ends_of
from isoloss.lm.after.degrading import logits_of
from isoloss.lm.after.rotation.following import Ends, ends_of_stream
from isoloss.lm.arguments import vocabulary
from isoloss.lm.model import BASE_WIDTH, Model
from isoloss.lm.shape import ModelError

#: How far logits may move, in units of their largest distance from the mean.
TOLERANCE = 1e-3
#: Tokens with which a model is looked at: rows and context.
_LOOKED_AT = (4, 32)


@torch.no_grad()
def rotate_stream(model: nn.Module, seed: int = 0) -> None:
    """Turn the residual stream of a model in place; a head that is its embedding becomes a matrix
    of its own.

    Parameters
    ----------
    model
        In float32 or float64, with nothing rounded.
    seed
        Draws the rotation.

    Raises
    ------
    ModelError
        Its structure is not understood, for which the sentence has the reason.
    """
    kind = type(model).__name__
    small = [
        n for n, p in model.named_parameters() if p.dtype not in (torch.float32, torch.float64)
    ]
    if small:
        raise ModelError(
            f"'{small[0]}' of a {kind} has 16 bits or fewer, which a rotation would round; load "
            "the model in float32"
        )
    _untie(model)
    tokens = _some_tokens(model)
    before = logits_of(model, tokens).double()
    try:
        width = _width(model)
        ends = ends_of_stream(model, width, partial(logits_of, model, tokens))
        if not ends.readers or not ends.writers:
            raise ModelError("no matrix was seen to read or write its residual stream")
        gains = {name: _gain(name, norm) for name, norm in ends.norms.items()}
    except ModelError as error:
        raise ModelError(f"the residual stream of a {kind} cannot be rotated: {error}") from None
    _turn(model, ends, gains, random_rotation(width, seed))
    moved = float((logits_of(model, tokens).double() - before).abs().max())
    spread = float((before - before.mean()).abs().max())
    if not moved <= TOLERANCE * spread:
        raise ModelError(
            f"the residual stream of a {kind} cannot be rotated: its logits moved by "
            f"{moved / spread:.2g} of their size, so something else takes part in the stream"
        )


def random_rotation(width: int, seed: int = 0) -> Tensor:
    """A random orthogonal matrix (width, width) in float64, of Hadamard's where the width is a
    power of two.
    """
    draw = torch.Generator().manual_seed(seed)
    even = width & -width
    turned = torch.ones(1, 1, dtype=torch.float64)
    pair = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64) / math.sqrt(2)
    for _ in range(even.bit_length() - 1):
        turned = torch.kron(turned, pair)
    odd, upper = torch.linalg.qr(
        torch.randn(width // even, width // even, dtype=torch.float64, generator=draw)
    )
    signs = torch.randint(0, 2, (width, 1), generator=draw).double() * 2 - 1
    return signs * torch.kron(turned, (odd * upper.diagonal().sign()).contiguous())


def _turn(
    model: nn.Module, ends: Ends, gains: dict[str, tuple[Tensor, float]], rotation: Tensor
) -> None:
    """The table of the essay, in float64, each tensor in its own type again."""
    named = dict(model.named_parameters())
    rotation = rotation.to(next(iter(named.values())).device)
    for name in ends.tables:
        named[name].copy_(named[name].double() @ rotation)
    for name, (axis, norm) in ends.readers.items():
        weight = _by_outputs(named[name], axis)
        gain = gains[norm][0] if norm else torch.ones_like(rotation[0])
        weight.copy_((weight.double() * gain) @ rotation)
    for name, axis in ends.writers.items():
        weight = named[name] if axis == 0 else _by_outputs(named[name], axis).mT
        weight.copy_(weight.double() @ rotation)
    for name, (_, neutral) in gains.items():
        model.get_submodule(name).get_parameter("weight").fill_(neutral)


def _by_outputs(weight: Tensor, axis: int) -> Tensor:
    """The matrix, or stack of them, as (outputs, inputs)."""
    return weight if axis == -1 else weight.mT


def _gain(name: str, norm: nn.Module) -> tuple[Tensor, float]:
    """The gain of a norm in float64, and the weight at which it is one."""
    weight: Any = norm.weight
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1, len(weight), generator=draw).to(weight) + 1  # its mean is not zero
    found, unit = norm(x).double(), (x / x.square().mean().sqrt()).double()
    for gain, neutral in ((weight.double(), 1.0), (1 + weight.double(), 0.0)):
        if float((found - gain * unit).abs().max()) <= TOLERANCE * float(found.abs().max()):
            return gain.clone(), neutral
    raise ModelError(
        f"'{name}' ({type(norm).__name__}) does more than divide by the root mean square, as a "
        "LayerNorm takes off the mean"
    )


def _width(model: nn.Module) -> int:
    table: Any = model.embedding if isinstance(model, Model) else None
    if table is None:
        table = getattr(ends_of(model).get("embedding"), "weight", None)
    if not isinstance(table, Tensor):
        raise ModelError("it names no embedding (get_input_embeddings), where the stream begins")
    return table.shape[-1]


def _untie(model: nn.Module) -> None:
    """Give a head that is the embedding weights of its own."""
    if isinstance(model, Model):
        if model.shape.tied:  # whose logits are scaled by the width
            share = BASE_WIDTH / model.shape.width
            model.head.weight = nn.Parameter(model.embedding * share, requires_grad=False)
            model.shape = replace(model.shape, tied=False)
        return
    ends = ends_of(model)
    weights: list[Any] = [getattr(ends.get(end), "weight", None) for end in ("embedding", "head")]
    table, head = weights
    if table is not None and table is head:
        ends["head"].weight = nn.Parameter(table.clone(), requires_grad=False)
        settings: Any = getattr(model, "config", None)
        if hasattr(settings, "tie_word_embeddings"):
            settings.tie_word_embeddings = False


def _some_tokens(model: nn.Module) -> Tensor:
    known = vocabulary(model) or _LOOKED_AT[1]
    return torch.randint(0, known, _LOOKED_AT, generator=torch.Generator().manual_seed(0))
