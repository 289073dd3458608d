"""The rounding of each matrix of the model: a Precision read once, for its parts and scopes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isoloss.formats import Format, Precision, fills_up, is_operand, unexecuted
from isoloss.lm.rounding.gradient_rule import check_method, rule_of, without_method
from isoloss.lm.rounding.learned_step import LearnedStep
from isoloss.lm.shape import ModelError
from isoloss.runs import Decoder, compact

PARTS = ("w", "a", "kv", "k", "v", "q", "g")
MATRICES = ("qkv", "out", "fc1", "fc2")
#: Kept in full precision unless a scope names them, as quantised models do.
ENDS = ("embedding", "head")


@dataclass(frozen=True)
class Rounding:
    """Rounding of one part of one matrix.

    Attributes
    ----------
    known
        The format, its granularity filled in; its method names the gradient rule.
    compiled
        Whether torch.compile may fuse it.
    """

    known: Format
    compiled: bool = True

    def __call__(self, x: Tensor, random: torch.Generator | None = None) -> Tensor:
        """x rounded to the format, with the gradient of its rule."""
        # A generator is passed only where the format draws, so that others leave its state alone.
        drawn = random if self.known.is_random else None
        apply = rule_of(self.known).apply
        assert apply is not None  # rules with parameters make modules of their own
        return apply(x, without_method(self.known), drawn, self.compiled)


def check_precision(precision: Precision) -> None:
    """Raise ModelError for parts, scopes or methods that the decoder lacks."""
    if precision.serve:
        raise ModelError(
            f"'{precision}' says how to serve; training takes '{precision.trained}' alone"
        )
    for stage in precision.stages:
        for scope, known in stage.train.items():
            _check_scope(scope, known, precision)
            check_method(known, scope, stage.granularity(scope))
            if precision.changes and rule_of(known).learned:
                raise ModelError(
                    f"'{scope}:{known}' has learned steps, which a precision that changes during "
                    f"training ('{precision}') has no place for; take @ste, @clipped or @quest"
                )


def _check_scope(scope: str, known: Format, precision: Precision) -> None:
    if why := unexecuted(known):
        raise ModelError(f"'{scope}:{known}' cannot be: {why}")
    part, *names = scope.split(".")
    if part not in PARTS:
        raise ModelError(
            f"the model has no part '{part}' ('{precision}'); it has {' '.join(PARTS)}"
        )
    operand = names.pop() if is_operand(scope) else ""
    # An embedding is looked up, so it has no products.
    ends = ENDS if part == "w" and not operand else ENDS[1:]
    there = () if part in ("kv", "k", "v", "q") else MATRICES + ends
    if names and ".".join(names) not in there:
        end = operand and f".{operand}"
        has = ", ".join(f"{part}.{matrix}{end}" for matrix in there) or f"{part} alone"
        raise ModelError(f"the model has no '{scope}' ('{precision}'); it has {has}")


def check_steps(precision: Precision, steps: int) -> None:
    """Raise ModelError if a phase of a precision has no step of a training of so many."""
    begins = (*precision.begins(steps), steps)
    for (percent, _), begin, end in zip(precision.phases, begins, begins[1:], strict=False):
        if begin >= end:
            raise ModelError(
                f"the phase of '{precision}' from {percent:g}% has none of the {steps} steps; "
                "train longer, or leave it out"
            )


def check_tied(precision: Precision, shape: Decoder) -> None:
    """Raise ModelError if a tied head and embedding get different formats."""
    formats = [stage.train for stage in precision.stages]
    if shape.tied and any(f.get("w.head") != f.get("w.embedding") for f in formats):
        raise ModelError(
            f"a tied head is the embedding: set w.head and w.embedding alike, not '{precision}'"
        )


def check_groups(precision: Precision, shape: Decoder, batch: int) -> None:
    """Raise ModelError if a part's groups do not divide the axis that they lie along (inputs, a
    head's width; outputs or the tokens of a batch for operands of backward products) and a smaller
    last group would not have the scale that the format means.
    """
    for stage in precision.stages:
        _check_groups(stage, shape, batch)


def _check_groups(precision: Precision, shape: Decoder, batch: int) -> None:
    for scope, length in _lengths(shape, batch).items():
        if is_operand(scope) and not names_operand(precision, scope):
            continue
        part, _, name = scope.partition(".")
        rounding = rounding_of(precision, part, name)
        group = None if rounding is None else rounding.known.granularity or rounding.known.block
        if not isinstance(group, int) or length % group == 0:
            continue
        known = rounding.known if rounding else None
        if known and not (fills_up(known) and rule_of(known).any_groups):
            raise ModelError(
                f"'{precision}' rounds {scope} in groups of {group}, and a model of "
                f"{compact(shape.non_embedding_params)} "
                f"params has {length} there; choose a size or a group that divides"
            )


def _lengths(shape: Decoder, batch: int) -> dict[str, int]:
    """The length of the axis along which the groups of each scope lie."""
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
    found = {f"{part}.{name}": size for part in "wa" for name, size in inputs.items()}
    for name, size in outputs.items():
        found |= {f"g.{name}": size, f"g.{name}.dx": size, f"w.{name}.dx": size}
        found |= {f"g.{name}.dw": batch, f"a.{name}.dw": batch}
    return found | {"w.embedding": shape.width, "k": head, "v": head, "q": head}


def names_operand(precision: Precision, scope: str) -> bool:
    """Whether a precision gives an operand of one matrix, as 'g.fc1.dw', a format of its own."""
    part, name, product = scope.split(".")
    everywhere = name not in ENDS and f"{part}.{product}" in precision.train
    return everywhere or scope in precision.train


def rounding_of(
    precision: Precision,
    part: str,
    name: str = "",
    compiled: bool = True,
    shape: tuple[int, int] | None = None,
) -> Rounding | LearnedStep | None:
    """The rounding of `part` of matrix `name` in training; None where nothing is rounded.

    `shape` is that of weights, which have learned steps of their own.
    """
    found = filled_format(precision, part, name)
    if found is None:
        return None
    make = rule_of(found).module
    return Rounding(found, compiled) if make is None else make(found, shape, compiled)


def filled_format(precision: Precision, part: str, name: str = "") -> Format | None:
    """The format of `part` of matrix `name`; None where nothing is rounded.

    The default granularity is filled in: weights and keys and values a row, all others the tensor.
    """
    scope = f"{part}.{name}" if name else part
    # An operand of an end is looked for in that end alone, as the end itself is.
    at_end = name.partition(".")[0] in ENDS
    found = precision.train.get(scope) if at_end else precision.format(scope)
    if found is None or found.is_exact:
        return None
    share = found.granularity
    if share is None and found.block is None and found.is_scaled:
        share = precision.granularity(scope)
    return replace(found, granularity=share)
