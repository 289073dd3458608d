"""Post-training quantisation of any model with linear layers, such as one of Hugging Face.

Weights of every torch.nn.Linear of the model are rounded, but for its head; a scope is the last
name on the way to a layer (`w.down_proj` is that layer of all blocks), and `w.head` the output
layer.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from isoloss.formats import Format, Precision
from isoloss.lm.after.serving_weights import (
    DRAWS,
    check_scope,
    plain,
    round_weights,
    served,
    weights_of,
)
from isoloss.lm.rounding import LearnedStep, Rounding, rounding_of
from isoloss.lm.shape import ModelError

AnyModel = TypeVar("AnyModel", bound=nn.Module)
PARTS = ("w", "a")


def quantised_layers(
    model: AnyModel, post: str | Precision, calibration: Tensor | None = None
) -> AnyModel:
    """A copy of the model whose linear layers are rounded as `post` says: "w4/64@gptq", "w4 a8
    w.head:int8".

    Calibration is tokens of shape (rows, context). Raises ModelError for what the model lacks.
    """
    precision, rounded = served(Precision("fp"), post), copy.deepcopy(model).requires_grad_(False)
    layers = linear_layers(rounded)
    _check(precision, layers, rounded)
    serve = plain(precision)
    random = torch.Generator(next(rounded.parameters()).device).manual_seed(DRAWS)
    matrices: dict[nn.Module, Format] = {}
    for layer, name in layers.items():
        if known := weights_of(precision, name):
            matrices[layer] = known
        if rounding := rounding_of(serve, "a", name, compiled=False):
            layer.register_forward_pre_hook(_Rounded(rounding, random))
    round_weights(rounded, matrices, calibration)
    return rounded


def linear_layers(model: nn.Module) -> dict[nn.Module, str]:
    """The linear layers of a model in its own order, by module, with the name of their scope."""
    head = getattr(model, "get_output_embeddings", lambda: None)()
    found: dict[nn.Module, str] = {
        layer: "head" if layer is head else path.rpartition(".")[2].lower()
        for path, layer in model.named_modules()
        if isinstance(layer, nn.Linear)
    }
    if not set(found.values()) - {"head"}:
        raise ModelError(
            f"a {type(model).__name__} has no torch.nn.Linear to quantise besides its head"
        )
    return found


class _Rounded:
    """Rounds what comes into a layer; a class, so that the model can be copied and pickled."""

    def __init__(self, rounding: Rounding | LearnedStep, random: torch.Generator):
        self.rounding, self.random = rounding, random

    def __call__(self, _: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self.rounding(args[0], self.random), *args[1:])


def _check(precision: Precision, layers: dict[nn.Module, str], model: nn.Module) -> None:
    if not precision.serve:
        raise ModelError("nothing is named to quantise; name parts such as 'w4' or 'w4 a8'")
    for scope, known in precision.serve.items():
        check_scope(scope, known, precision)
        part, _, name = scope.partition(".")
        if part not in PARTS:
            raise ModelError(
                f"'{part}' of a {type(model).__name__} is out of reach ('{precision}'); its linear "
                f"layers have {' '.join(PARTS)}"
            )
        if name and name not in layers.values():
            has = ", ".join(f"{part}.{each}" for each in dict.fromkeys(layers.values()))
            raise ModelError(f"the model has no '{scope}' ('{precision}'); it has {has}")
    head = next((layer for layer, name in layers.items() if name == "head"), None)
    looked_up = getattr(model, "get_input_embeddings", lambda: None)()
    if "w.head" in precision.serve and getattr(looked_up, "weight", None) is getattr(
        head, "weight", ()
    ):
        raise ModelError(
            "the head of this model is its embedding, which is looked up; leave w.head out"
        )
