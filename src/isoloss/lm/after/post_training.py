"""Post-training quantisation: a trained model whose parts are rounded anew, for serving.

What is rounded are the weights as the optimiser holds them (a checkpoint's), whatever rounding the forward pass of
training gave them; so a model served in the format it was trained in is the model itself. Parts that are not named
stay as training had them: the activations of "w8 a8" stay int8. Embedding and head keep full precision unless a scope
names them.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from isoloss.formats import Format, Precision
from isoloss.lm.after.linear_layers import quantised_layers
from isoloss.lm.after.serving_weights import (
    DRAWS,
    check_scope,
    nearest,
    round_weights,
    served,
    uses_gptq,
    weights_of,
)
from isoloss.lm.model import Block, Linear, Model
from isoloss.lm.rounding import ENDS, LearnedStep, Rounding, check_precision, rounding_of
from isoloss.lm.shape import ModelError

AnyModel = TypeVar("AnyModel", bound=nn.Module)


@torch.no_grad()
def quantised(
    model: AnyModel, post: str | Precision, calibration: Tensor | None = None
) -> AnyModel:
    """A new model with the parts that `post` names rounded anew: "w3", "w4/32@gptq", "w4+clip a8 kv4".

    Weights go to the nearest number ('@rtn', the default) or by GPTQ ('@gptq'), which needs `calibration`, tokens of
    shape (rows, context). A last group of inputs may be smaller than the others. Any other torch module is taken by
    its linear layers, weights and activations (linear_layers.py). The given model stays as it is. Raises
    ModelError, in one sentence, for what cannot be served.
    """
    if isinstance(model, Model):
        return cast(AnyModel, _quantised_model(model, post, calibration))
    return quantised_layers(model, post, calibration)


def _quantised_model(model: Model, post: str | Precision, calibration: Tensor | None) -> Model:
    precision = served(model.precision, post)
    check_post(precision, model.shape.tied)
    rounded = copy.deepcopy(model).requires_grad_(False)
    rounded.precision = precision
    rounded.draw_from(torch.Generator(rounded.embedding.device).manual_seed(DRAWS))
    _set_activations(rounded, precision)
    matrices = {
        module: known
        for name, module in _matrices(rounded)
        if (known := weights_of(precision, name))
    }
    for module in matrices:
        module.w = None
    embedding = weights_of(precision, "embedding")
    if embedding is not None:
        rounded.round_embedding = None
        rounded.embedding.copy_(nearest(rounded.embedding, embedding, "w.embedding"))
    if model.shape.tied:  # the head is the embedding, which has just been rounded
        matrices.pop(rounded.head, None)
    round_weights(rounded, cast("dict[nn.Module, Format]", matrices), calibration)
    return rounded


def check_post(precision: Precision, tied: bool = False) -> None:
    """None, or ModelError where the served side speaks of a part, scope or method that there is none of."""
    if not precision.serve:
        raise ModelError(
            f"serving differs in nothing from '{precision}'; name parts such as 'w4' or 'w4 a8 kv4'"
        )
    for scope, known in precision.serve.items():
        check_scope(scope, known, precision)
    plain = {
        scope: known.modified(known.modifiers._replace(method=None))
        for scope, known in precision.serve.items()
    }
    check_precision(Precision(plain))
    head, embedding = (precision.serve.get(f"w.{name}") for name in ("head", "embedding"))
    if tied and (head != embedding or uses_gptq(head)):
        raise ModelError(
            f"a tied head is the embedding, which is looked up: set w.head and w.embedding alike, without @gptq, not '{precision}'"
        )


def _matrices(model: Model) -> list[tuple[str, Linear]]:
    """The matrices by the name of their scope, in the order that tokens pass them."""
    named = [
        (name, getattr(block, name))
        for block in model.blocks
        for name in ("qkv", "out", "fc1", "fc2")
    ]
    return [*named, ("head", model.head)]


def _set_activations(model: Model, precision: Precision) -> None:
    """Put the roundings of serving where it names activations, keys and values, or queries."""
    serve = Precision(precision.serve)

    def put(module: Any, part: str, name: str = "") -> None:
        scopes = {f"{part}.{name}"} | ({part} if name not in ENDS else set())
        if scopes & set(precision.serve):
            before: Rounding | LearnedStep | None = getattr(module, part)
            fused = before is not None and before.compiled
            delattr(module, part)  # a learned step is a module, whose place takes nothing else
            setattr(module, part, rounding_of(serve, part, name, compiled=fused))
            if part == "kv":
                module.v = None  # values are rounded as keys are

    for name, module in _matrices(model):
        put(module, "a", name)
    for block in cast("list[Block]", model.blocks):
        put(block, "kv")
        put(block, "q")
