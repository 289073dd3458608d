"""Which rounding each matrix of the model gets: a Precision read once, for parts and scopes that the model has."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isoloss.formats import Format, Precision, unexecuted
from isoloss.formats.torch_twin import fake_quantise
from isoloss.lm.rounding.learned_step import LearnedStep
from isoloss.lm.rounding.straight_through import check_method, clipped, quest
from isoloss.lm.shape import ModelError
from isoloss.runs import Decoder, compact

PARTS = ("w", "a", "kv", "q", "g")
MATRICES = ("qkv", "out", "fc1", "fc2")
#: Kept in full precision unless a scope names them, as quantised models do.
ENDS = ("embedding", "head")


@dataclass(frozen=True)
class Rounding:
    """One part of one matrix: its format with the granularity filled in, and whether it draws random numbers."""

    known: Format
    compiled: bool = True

    def __call__(self, x: Tensor, random: torch.Generator | None = None) -> Tensor:
        """What the format makes of x, with the gradient that its method gives it."""
        drawn = random if self.known.is_random else None
        if self.known.method == "clipped":
            return clipped(x, self.known, drawn, self.compiled)
        if self.known.method == "quest":
            return quest(x, self.known)
        return fake_quantise(x, self.known, random=drawn, check=False, compiled=self.compiled)


def check_precision(precision: Precision) -> None:
    """None, or ModelError where the precision speaks of a part, scope or method that the decoder lacks."""
    if precision.serve:
        raise ModelError(
            f"'{precision}' says how to serve; training takes '{precision.trained}' alone"
        )
    if precision.changes:
        raise ModelError(
            f"'{precision}' changes during training, which this trainer does not do yet; "
            "take one precision for the whole of it"
        )
    for scope, known in precision.train.items():
        if why := unexecuted(known):
            raise ModelError(f"'{scope}:{known}' cannot be: {why}")
        part, _, name = scope.partition(".")
        if part not in PARTS:
            raise ModelError(
                f"the model has no part '{part}' ('{precision}'); it has {' '.join(PARTS)}"
            )
        names = () if part in ("kv", "q") else MATRICES + (ENDS if part == "w" else ENDS[1:])
        if name and name not in names:
            has = ", ".join(f"{part}.{matrix}" for matrix in names) or f"{part} alone"
            raise ModelError(f"the model has no '{scope}' ('{precision}'); it has {has}")
        check_method(known, scope, precision.granularity(scope))


def check_tied(precision: Precision, shape: Decoder) -> None:
    """None, or ModelError where a head that is the embedding is to be rounded otherwise than it."""
    if shape.tied and precision.train.get("w.head") != precision.train.get("w.embedding"):
        raise ModelError(
            f"a tied head is the embedding: set w.head and w.embedding alike, not '{precision}'"
        )


def check_groups(precision: Precision, shape: Decoder) -> None:
    """None, or ModelError where a part's groups do not divide what it rounds (the last axis: inputs, or a head's width)."""
    head, ffn = shape.head_dim or 0, shape.ffn or 0
    queries, keys = shape.heads * head, (shape.kv_heads or 0) * head
    inputs = {
        "qkv": shape.width,
        "out": queries,
        "fc1": shape.width,
        "fc2": ffn,
        "head": shape.width,
    }
    outputs = {
        "qkv": queries + 2 * keys,
        "out": shape.width,
        "fc1": 2 * ffn,
        "fc2": shape.width,
        "head": shape.vocab,
    }
    lengths = {f"{part}.{name}": size for part in "wa" for name, size in inputs.items()}
    lengths |= {f"g.{name}": size for name, size in outputs.items()} | {
        "w.embedding": shape.width,
        "kv": head,
        "q": head,
    }
    for scope, length in lengths.items():
        part, _, name = scope.partition(".")
        rounding = rounding_of(precision, part, name)
        group = None if rounding is None else rounding.known.granularity or rounding.known.block
        if isinstance(group, int) and length % group:
            raise ModelError(
                f"'{precision}' rounds {scope} in groups of {group}, and a model of {compact(shape.non_embedding_params)} "
                f"params has {length} there; choose a size or a group that divides"
            )


def rounding_of(
    precision: Precision,
    part: str,
    name: str = "",
    compiled: bool = True,
    shape: tuple[int, int] | None = None,
) -> Rounding | LearnedStep | None:
    """What rounds `part` of matrix `name` in training; None where nothing does.

    The default granularity is filled in: weights and keys and values a row, all others the tensor. `shape` is that of
    weights, which have learned steps of their own.
    """
    scope = f"{part}.{name}" if name else part
    found = precision.train.get(scope) if name in ENDS else precision.format(scope)
    if found is None or found.is_exact:
        return None
    share = found.granularity
    if share is None and found.block is None and found.is_scaled:
        share = precision.granularity(scope)
    found = replace(found, granularity=share)
    if found.method == "lsq":
        return LearnedStep(found, shape, compiled)
    return Rounding(found, compiled)
