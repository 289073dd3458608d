"""Which rounding each matrix of the model gets: a Precision read once, for parts and scopes that the model has."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isoloss.formats import Format, Precision
from isoloss.lm.fake_quant import fake_quantise
from isoloss.lm.shape import ModelError

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
        """What the format makes of x, with the gradient of x."""
        needs = self.known.rounding or self.known.kind == "noise"
        return fake_quantise(
            x, self.known, random=random if needs else None, check=False, compiled=self.compiled
        )


def check_precision(precision: Precision) -> None:
    """None, or ModelError where the precision speaks of a part, scope or method that the decoder lacks."""
    if precision.serve:
        raise ModelError(f"'{precision}' says how to serve; training takes '{precision.trained}' alone")
    for scope, known in precision.train.items():
        part, _, name = scope.partition(".")
        if part not in PARTS:
            raise ModelError(f"the model has no part '{part}' ('{precision}'); it has {' '.join(PARTS)}")
        names = () if part in ("kv", "q") else MATRICES + (ENDS if part == "w" else ENDS[1:])
        if name and name not in names:
            has = ", ".join(f"{part}.{matrix}" for matrix in names) or f"{part} alone"
            raise ModelError(f"the model has no '{scope}' ('{precision}'); it has {has}")
        if known.method is not None:
            raise ModelError(
                f"training knows no method '{known.method}' ('{precision}'); leave it out: numbers are rounded and "
                "gradients pass straight through"
            )


def rounding_of(precision: Precision, part: str, name: str = "", compiled: bool = True) -> Rounding | None:
    """What rounds `part` of matrix `name` in training; None where nothing does.

    The default granularity is filled in: weights and keys and values a row, all others the tensor.
    """
    scope = f"{part}.{name}" if name else part
    found = precision.train.get(scope) if name in ENDS else precision.format(scope)
    if found is None or found.is_exact:
        return None
    share = found.granularity
    if share is None and found.kind not in ("noise", "own") and found.block is None and found.is_scaled:
        share = precision.granularity(scope)
    return Rounding(replace(found, granularity=share), compiled)
