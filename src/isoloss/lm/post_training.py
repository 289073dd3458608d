"""Post-training quantisation: a trained model whose parts are rounded anew, for serving.

What is rounded are the weights as the optimiser holds them (a checkpoint's), whatever rounding the forward pass of
training gave them; so a model served in the format it was trained in is the model itself. Parts that are not named
stay as training had them: the activations of "w8 a8" stay int8. Embedding and head keep full precision unless a scope
names them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from isoloss.formats import Format, Precision
from isoloss.formats import fake_quantise as specified
from isoloss.lm.layer_by_layer import gptq_in_order
from isoloss.lm.model import Block, Linear, Model
from isoloss.lm.parts import ENDS, Rounding, check_precision, rounding_of
from isoloss.lm.shape import ModelError

METHODS = ("rtn", "gptq")
#: What serving can round; the gradients of training are gone.
SERVED = ("w", "a", "kv", "q")
#: Seeds what '~sr' and ideal noise draw when weights are rounded, once.
DRAWS = 0


@torch.no_grad()
def quantised(model: Model, post: str | Precision, calibration: Tensor | None = None) -> Model:
    """A new model with the parts that `post` names rounded anew: "w3", "w4/32@gptq", "w4+clip a8 kv4".

    Weights go to the nearest number ('@rtn', the default) or by GPTQ ('@gptq'), which needs `calibration`, tokens of
    shape (rows, context). A last group of inputs may be smaller than the others. The given model stays as it is.
    Raises ModelError, in one sentence, for what cannot be served.
    """
    precision = served(model.precision, post)
    check_post(precision, model.shape.tied)
    rounded = copy.deepcopy(model).requires_grad_(False)
    rounded.precision = precision
    rounded.draw_from(torch.Generator().manual_seed(DRAWS))
    _set_activations(rounded, precision)
    matrices = {module: known for name, module in _matrices(rounded) if (known := _weights(precision, name))}
    for module in matrices:
        module.w = None
    embedding = _weights(precision, "embedding")
    if embedding is not None:
        rounded.round_embedding = None
        rounded.embedding.copy_(nearest(rounded.embedding, embedding, "w.embedding"))
    if model.shape.tied:  # the head is the embedding, which has just been rounded
        matrices.pop(rounded.head, None)
    round_weights(rounded, cast("dict[nn.Module, Format]", matrices), calibration)
    return rounded


def served(trained: Precision, post: str | Precision) -> Precision:
    """The spelling of the whole: trained as before, served as `post` says."""
    if trained.serve:
        raise ModelError(f"the model is quantised already ('{trained}'); quantise the one that was trained")
    spelled = str(post)
    if "->" in spelled or "→" in spelled:
        raise ModelError(f"'{spelled}' has an arrow; name the formats of serving alone, such as 'w4 a8'")
    try:
        return Precision(f"{trained} -> {spelled}")
    except ValueError as error:
        raise ModelError(str(error)) from None


def check_post(precision: Precision, tied: bool = False) -> None:
    """None, or ModelError where the served side speaks of a part, scope or method that there is none of."""
    if not precision.serve:
        raise ModelError(
            f"serving differs in nothing from '{precision}'; name parts such as 'w4' or 'w4 a8 kv4'"
        )
    for scope, known in precision.serve.items():
        check_scope(scope, known, precision)
    plain = {
        scope: known.marked(known.marks._replace(method=None)) for scope, known in precision.serve.items()
    }
    check_precision(Precision(plain))
    head, embedding = (precision.serve.get(f"w.{name}") for name in ("head", "embedding"))
    if tied and (head != embedding or uses_gptq(head)):
        raise ModelError(
            f"a tied head is the embedding, which is looked up: set w.head and w.embedding alike, without @gptq, not '{precision}'"
        )


def check_scope(scope: str, known: Format, precision: Precision) -> None:
    """None, or ModelError where a scope has a part that serving lacks, or a method that is unknown or not for it."""
    part = scope.partition(".")[0]
    if part not in SERVED:
        raise ModelError(f"serving has no part '{part}' ('{precision}'); it has {' '.join(SERVED)}")
    if known.method not in (None, *METHODS):
        raise ModelError(f"unknown method '{known.method}' ('{precision}'); known are {', '.join(METHODS)}")
    if known.method == "gptq":
        if part != "w":
            raise ModelError(
                f"'{scope}:{known}' cannot be: @gptq is for weights, and '{part}' is rounded as it comes"
            )
        if known.kind in ("noise", "own") or known.rounding:
            raise ModelError(
                f"'{scope}:{known}' cannot be: @gptq takes formats that round to nearest on a grid"
            )


def round_weights(model: nn.Module, matrices: Mapping[nn.Module, Format], calibration: Tensor | None) -> None:
    """Round the weight of each matrix in place, by the method that its format names."""
    by_gptq = {module: known for module, known in matrices.items() if uses_gptq(known)}
    names = {module: name for name, module in model.named_modules()}
    for module, known in matrices.items():
        weight = cast(Tensor, module.weight)
        check_ragged(weight, known, names[module])
        if module not in by_gptq:
            weight.data = nearest(weight, known, names[module])
    if by_gptq:
        if calibration is None:
            raise ModelError(
                "@gptq looks at how inputs vary: pass calibration, tokens of shape (rows, context)"
            )
        gptq_in_order(model, by_gptq, calibration)


def nearest(weight: Tensor, known: Format, name: str) -> Tensor:
    """The matrix (outputs, inputs) rounded to nearest; zeros fill up a last group that is smaller."""
    check_ragged(weight, known, name)
    missing = -weight.shape[-1] % (known.group or 1) if known.is_scaled else 0
    filled = nn.functional.pad(weight, (0, missing)) if missing else weight
    random = (
        torch.Generator(weight.device).manual_seed(DRAWS) if known.rounding or known.kind == "noise" else None
    )
    try:
        found: Tensor = specified(filled, known, random=random)
    except ValueError as error:
        raise ModelError(f"{name}: {error}") from None
    return found[..., : weight.shape[-1]].contiguous()


def check_ragged(weight: Tensor, known: Format, name: str) -> None:
    """None, or ModelError where a last, smaller group would not have the scale that the format means."""
    if (
        known.group
        and weight.shape[-1] % known.group
        and (known.hadamard or known.kind in ("ternary", "binary"))
    ):
        raise ModelError(
            f"groups of {known.group} in '{known}' do not divide the {weight.shape[-1]} inputs of {name}; "
            "choose a group that does, or '/row'"
        )


def uses_gptq(known: Format | None) -> bool:
    """Whether GPTQ does the rounding."""
    return known is not None and known.method == "gptq"


def names_weights(precision: Precision, name: str) -> bool:
    """Whether serving names the weights of a matrix, itself or as one of all; the ends only by themselves."""
    return f"w.{name}" in precision.serve or ("w" in precision.serve and name not in ENDS)


def _weights(precision: Precision, name: str) -> Format | None:
    """The format that the weights of a matrix are rounded to anew, granularity filled in; None: as trained."""
    if not names_weights(precision, name):
        return None
    found = rounding_of(Precision(precision.serve), "w", name)
    return Format.parse("fp") if found is None else found.known


def _matrices(model: Model) -> list[tuple[str, Linear]]:
    """The matrices by the name of their scope, in the order that tokens pass them."""
    named = [(name, getattr(block, name)) for block in model.blocks for name in ("qkv", "out", "fc1", "fc2")]
    return [*named, ("head", model.head)]


def _set_activations(model: Model, precision: Precision) -> None:
    """Put the roundings of serving where it names activations, keys and values, or queries."""
    serve = Precision(precision.serve)

    def put(module: Any, part: str, name: str = "") -> None:
        scopes = {f"{part}.{name}"} | ({part} if name not in ENDS else set())
        if scopes & set(precision.serve):
            before: Rounding | None = getattr(module, part)
            fused = before is not None and before.compiled
            setattr(module, part, rounding_of(serve, part, name, compiled=fused))

    for name, module in _matrices(model):
        put(module, "a", name)
    for block in cast("list[Block]", model.blocks):
        put(block, "kv")
        put(block, "q")
