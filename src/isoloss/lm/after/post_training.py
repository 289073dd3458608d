"""Post-training quantisation: a trained model whose parts are rounded anew, for serving.

Weights are rounded as the optimiser holds them (a checkpoint's), whatever rounding the forward pass
of training gave them: served in the format that it was trained in, a model is itself. Parts that
are not named stay as training had them: the activations of "w8 a8" stay int8. Embedding and head
keep full precision unless a scope names them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from isoloss.formats import Format, Precision, outer_scopes
from isoloss.lm.after.accounting import weights_of_model
from isoloss.lm.after.any_model import asked_of, quantise_model
from isoloss.lm.after.looking import Probe
from isoloss.lm.after.options import Options
from isoloss.lm.after.resting import at_rest, uncompiled
from isoloss.lm.after.rotation import rotate_stream
from isoloss.lm.after.rounded_inputs import scaled_rule
from isoloss.lm.after.scopes import is_of_blocks, names_of, scope_of
from isoloss.lm.after.seen import Calibrated, Matrix
from isoloss.lm.after.serving_weights import (
    apart_from_matrices,
    check_scope,
    plain,
    round_weights,
    rounded_weight,
    scaled_weights,
    served,
    weights_of,
)
from isoloss.lm.arguments import check_module
from isoloss.lm.model import Block, Linear, Model
from isoloss.lm.rounding import ENDS, MATRICES, LearnedStep, Rounding, check_precision, rounding_of
from isoloss.lm.shape import ModelError

AnyModel = TypeVar("AnyModel", bound=nn.Module)


@torch.no_grad()
def quantised(
    model: AnyModel,
    post: str | Precision,
    calibration: Tensor | Calibrated | None = None,
    *,
    draw: int = 0,
    rotate: bool = False,
    probe: Probe | None = None,
) -> AnyModel:
    """Round a trained model for serving.

    Parameters
    ----------
    model
        A model of this package, or any torch module, of which linear layers are rounded in weights
        and activations. It stays as it is.
    post
        What is rounded anew: "w3", "w4/32@gptq", "w4+clip a8 kv4". Weights take the method that the
        format names, to the nearest number ('@rtn') where it names none. A last group of inputs may
        be smaller than the others.
    calibration
        Tokens of shape (rows, context), for methods that look at inputs, such as '@gptq';
        `Calibrated(tokens)` keeps what they show of this model for further formats and methods.
    draw
        Seeds what is rounded at random ('~sr'), weights and activations, and rotations: other
        numbers for each.
    rotate
        Whether the residual stream is turned by a random Hadamard matrix before anything is rounded
        (QuaRot), which changes nothing in full precision; a tied head is untied.
    probe
        Runs another's model once, by which weights that are no linear layers are told; tokens of
        calibration, or some of its vocabulary, pass it unless given.

    Returns
    -------
    torch.nn.Module
        A copy of the model's own type, rounded; without torch.compile where it had that.

    Raises
    ------
    ModelError
        An argument is of another kind, the model has no such part, the method is unknown or not for
        it, calibration is missing or of another model, or the model cannot be rotated.

    Warns
    -----
    CalibrationWarning
        Calibration tokens reached not all matrices that are calibrated.
    """
    check_module("model", model)
    seen = None
    if isinstance(calibration, Calibrated):
        seen = calibration
        seen.belong(model)
    elif calibration is not None:
        seen = Calibrated(calibration)
    options = Options(rotate, draw)
    copied: Any = uncompiled(copy.deepcopy(model)).requires_grad_(False)
    with at_rest(copied):
        if isinstance(copied, Model):
            _quantise(copied, post, seen, options)
        else:
            quantise_model(copied, post, seen, options, probe)
    return cast(AnyModel, copied)


def rounded_share(
    model: nn.Module, precision: Precision, rotate: bool = False, probe: Probe | None = None
) -> float:
    """The share of the weights outside embedding and head that serving rounds, from 0 to 1; rotate:
    a tied head will be untied; probe: runs another's model in place of tokens.
    """
    check_module("model", model)
    if not isinstance(model, Model):
        weights = weights_of_model(model, probe=probe)
        return asked_of(precision, weights, model, untied=rotate).rounded_share
    inside = {m: known for m, known in _formats(model, precision).items() if m.scope != "head"}
    rounded = sum(m.size for m, known in inside.items() if known and not known.is_exact)
    return rounded / sum(matrix.size for matrix in inside)


def _quantise(
    rounded: Model,
    post: str | Precision,
    calibration: Calibrated | None,
    options: Options,
) -> None:
    trained = rounded.precision
    precision = served(trained, post)
    check_post(precision, rounded.shape.tied and not options.rotate, rounded.shape.layers)
    if options.rotate:
        _check_rotation(trained, precision)
        _rotate(rounded, options.draw)
    tied = rounded.shape.tied
    rounded.precision = precision
    rounded.draw_from(options.random(rounded))
    matrices = {
        matrix: known
        for matrix, known in _formats(rounded, precision).items()
        if known and (matrix.scope != "head" or not tied)
    }
    for matrix in matrices:
        cast(Linear, matrix.module).w = None
    embedding = weights_of(precision, "embedding")
    if embedding is not None:
        rounded.round_embedding = None
        random = options.random(rounded)
        table = rounded_weight(rounded.embedding, embedding, "w.embedding", random=random)
        rounded.embedding.copy_(table)
        if tied:  # the head is the embedding, which has just been rounded
            rounded.head.w = None
    before = (f"embedding:{embedding}" if embedding else "") + options.aside(precision)
    scaled = scaled_weights(rounded, matrices, calibration, before, options.draw)
    _set_activations(rounded, precision)
    for matrix, found in scaled.items():
        linear: Any = matrix.module
        if linear.a is not None:
            linear.a = scaled_rule(linear.a, found.scale)
    aside = apart_from_matrices(precision) + options.aside(precision)
    round_weights(rounded, matrices, calibration, aside, options.draw, scaled)


def _check_rotation(trained: Precision, precision: Precision) -> None:
    """Raise ModelError where training rounds in the basis of the stream and serving does not say
    anew how.
    """
    for name in (*MATRICES, *ENDS):
        for part in ("w", "a") if name != "embedding" else ("w",):
            scopes = {f"{part}.{name}"} | ({part} if name not in ENDS else set())
            kept = not scopes & set(precision.serve)
            if kept and rounding_of(trained, part, name, compiled=False) is not None:
                raise ModelError(
                    f"the model was trained with {part}.{name} rounded ('{trained}'), which a "
                    f"rotation of its stream changes; name '{part}' anew"
                )


def _rotate(model: Model, seed: int) -> None:
    """Rotate the stream of a model in place, by its weights without any rounding."""
    bare = Model(model.shape, compiled=False).to(model.embedding.dtype)
    bare.load_state_dict({name: weight.data for name, weight in model.weights()}, strict=False)
    bare.to(model.embedding.device)
    rotate_stream(bare, seed)
    if model.shape.tied:
        model.shape = bare.shape
        model.head.weight = nn.Parameter(bare.head.weight.data, requires_grad=False)
    turned = dict(bare.named_parameters())
    for name, weight in model.weights():
        weight.data = turned[name].data


def check_post(precision: Precision, tied: bool = False, layers: int | None = None) -> None:
    """Raise ModelError for unknown parts, scopes or methods on the served side, and where they are
    known for layers that there are not.
    """
    if not precision.serve:
        raise ModelError(
            f"serving differs in nothing from '{precision}'; name parts such as 'w4' or 'w4 a8 kv4'"
        )
    for scope, known in precision.serve.items():
        check_scope(scope, known, precision)
    serve = plain(precision).train
    check_precision(Precision({s: f for s, f in serve.items() if not is_of_blocks(s)}))
    _check_blocks(precision, serve, layers)
    head, embedding = (precision.serve.get(f"w.{name}") for name in ("head", "embedding"))
    if tied and head != embedding:
        raise ModelError(
            "a tied head is the embedding, which is looked up: set w.head and w.embedding alike, "
            f"not '{precision}'"
        )


def _check_blocks(precision: Precision, serve: Mapping[str, Format], layers: int | None) -> None:
    """Raise ModelError for single blocks that there are not, or of another part than weights."""
    paths = [["blocks", str(k), name] for k in range(layers or 0) for name in MATRICES]
    names = {name for path in paths for name in _names(path, layers or 0)}
    for scope in filter(is_of_blocks, serve):
        part, _, name = scope.partition(".")
        if part != "w" or (layers is not None and name not in names):
            count = "" if layers is None else f"{layers} "
            raise ModelError(
                f"the model has no '{scope}' ('{precision}'); accepted are weights of its {count}"
                "layers, as w.layers.0, w.layers.0.qkv, w.first2 and w.last2"
            )


def _matrices(model: Model) -> list[tuple[str, str, Linear]]:
    """The matrices by path and the name of their scope, in the order that tokens pass them."""
    named = [
        (f"blocks.{k}.{name}", name, getattr(block, name))
        for k, block in enumerate(model.blocks)
        for name in MATRICES
    ]
    return [*named, ("head", "head", model.head)]


def _formats(model: Model, precision: Precision) -> dict[Matrix, Format | None]:
    """The matrices of a model with the formats that they are rounded to, None: as trained."""
    found = {}
    for path, name, module in _matrices(model):
        scope = scope_of(precision, "w", name, _names(path.split("."), model.shape.layers))
        matrix = Matrix(path, name, module, module.weight)
        found[matrix] = weights_of(precision, scope)
    return found


def _names(path: list[str], layers: int) -> tuple[str, ...]:
    return names_of(path[-1], path, {("blocks",): layers})


def _set_activations(model: Model, precision: Precision) -> None:
    """Put the roundings of serving where it names activations, keys and values, or queries."""
    serve = plain(precision)

    def put(module: Any, part: str, name: str = "") -> None:
        scope = f"{part}.{name}" if name else part
        scopes = (scope,) if name in ENDS else outer_scopes(scope)
        if any(each in precision.serve for each in scopes):
            before: Rounding | LearnedStep | None = getattr(module, part)
            fused = before is not None and before.compiled
            delattr(module, part)  # a learned step is a module, whose place takes nothing else
            setattr(module, part, rounding_of(serve, part, name, compiled=fused))

    for _, name, module in _matrices(model):
        put(module, "a", name)
    for block in cast("list[Block]", model.blocks):
        for part in ("k", "v", "q"):
            put(block, part)
