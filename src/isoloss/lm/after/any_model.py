"""Post-training quantisation of any model, such as one of Hugging Face.

Every matrix is rounded but the head and what chooses experts; a scope is the last name on the way
to a matrix (`w.down_proj` is that layer of all blocks, and of all experts), any name before it
(`w.vision_tower:fp`) or blocks (`w.layers.3`, `w.last4`, see scopes.py), `w.head` the output layer,
`w.router` what chooses experts, `w.embedding` the table that tokens look up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from isoloss.formats import Format, Precision
from isoloss.lm.after.accounting import Weights, ends_of, weights_of_model
from isoloss.lm.after.keys_and_values import round_keys_and_values
from isoloss.lm.after.looking import SCALES, UNREACHED, Probe
from isoloss.lm.after.options import Options
from isoloss.lm.after.rotation import rotate_stream
from isoloss.lm.after.rounded_inputs import round_inputs, rounds_inputs
from isoloss.lm.after.scopes import ALONE, Blocks, apart_from, names_of, scope_of
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
from isoloss.lm.rounding import rounding_of
from isoloss.lm.shape import ModelError

PARTS = ("w", "a", "kv", "k", "v")


def quantise_model(
    rounded: nn.Module,
    post: str | Precision,
    calibration: Calibrated | None,
    options: Options,
    probe: Probe | None = None,
) -> None:
    """Round the matrices of a model in place as `post` says: "w4/64@gptq", "w4 a8 kv8
    w.head:int8"; probe: runs it in place of tokens.

    Raises ModelError for what the model lacks, and for weights that would be left in silence.
    """
    precision = served(Precision("fp"), post)
    if rounds_inputs(rounded):
        raise ModelError(
            "the activations of this model are rounded as they come in, so it is quantised "
            "already; quantise the one that was trained"
        )
    one_by_one = getattr(rounded, "set_experts_implementation", None)
    if one_by_one is not None:  # so that the inputs of each expert are seen, and rounded by itself
        one_by_one("eager")
    if options.rotate:
        rotate_stream(rounded, options.draw)
    weights = weights_of_model(rounded, None if calibration is None else calibration.tokens, probe)
    asked = asked_of(precision, weights, rounded)
    serve = plain(precision)
    random = options.random(rounded)
    matrices = asked.matrices
    if asked.embedding is not None:
        table: Any = ends_of(rounded)["embedding"]
        table.weight.data = rounded_weight(
            table.weight, asked.embedding, "w.embedding", random=options.random(rounded)
        )
        # A tied head is the table, which has just been rounded.
        matrices = {m: known for m, known in matrices.items() if m.weight is not table.weight}
    before = (f"embedding:{asked.embedding}" if asked.embedding else "") + options.aside(precision)
    scaled = scaled_weights(rounded, matrices, calibration, before, options.draw)
    by_weight = {id(matrix.weight): found.scale for matrix, found in scaled.items()}
    scales = {matrix: found.scale for matrix, found in scaled.items()}
    scales |= {m: by_weight[id(m.weight)] for m in weights.again if id(m.weight) in by_weight}
    layers = (*weights.matrices, *weights.again)
    round_inputs(rounded, {m: _inputs(serve, m, weights.blocks) for m in layers}, random, scales)
    keys, values = (rounding_of(serve, part, compiled=False) for part in ("k", "v"))
    if keys or values:
        round_keys_and_values(rounded, keys, values, random)
    aside = apart_from_matrices(precision) + options.aside(precision)
    round_weights(rounded, matrices, calibration, aside, options.draw, scaled)


@dataclass(frozen=True)
class Asked:
    """What a precision asks of the weights of a model.

    Attributes
    ----------
    matrices
        The format of each matrix that is rounded.
    embedding
        The format of the table that tokens look up, None where it stays.
    rounded_share
        The share of the weights outside embedding and head that is rounded.
    """

    matrices: Mapping[Matrix, Format]
    embedding: Format | None
    rounded_share: float


def asked_of(
    precision: Precision, weights: Weights, model: nn.Module, untied: bool = False
) -> Asked:
    """What the served side of a precision asks of a model's weights; untied: a head that is the
    embedding will have weights of its own.

    Raises
    ------
    ModelError
        It names a part that the model lacks, or all weights while some cannot be rounded.
    """
    _check(precision, weights, model, untied)
    formats = {m: _format(precision, m, weights.blocks) for m in weights.matrices}
    _check_shared(precision, weights, formats)
    _check_left(precision, weights)
    left = sum(weights.sizes.values())
    inside = [matrix for matrix in weights.matrices if matrix.scope != "head"]
    rounded = {m: known for m, known in formats.items() if known and not known.is_exact}
    of_them = sum(matrix.size for matrix in inside if matrix in rounded)
    share = of_them / max(1, left + sum(matrix.size for matrix in inside))
    return Asked(rounded, weights_of(precision, "embedding"), share)


def _check_left(precision: Precision, weights: Weights) -> None:
    """Raise ModelError where weights that cannot be rounded, or what meets them, are not left
    out.
    """
    serve, blocks = plain(precision), weights.blocks
    asked: dict[str, str] = {}
    met: dict[str, str] = {}
    for name, reason in weights.beyond.items():
        names = names_of(name, name.split("."), blocks)
        known = weights_of(precision, scope_of(precision, "w", name, names))
        if known is not None and not known.is_exact:
            asked[name] = reason
        inputs = rounding_of(serve, "a", scope_of(serve, "a", name, names), compiled=False)
        if inputs is not None and not reason.startswith((UNREACHED, SCALES)):
            met[name] = reason
    if asked:
        raise ModelError(_left(precision, "w", "", ("it", "it is"), asked, weights))
    if met:
        who = "the activations that meet "
        raise ModelError(_left(precision, "a", who, ("them", "they are"), met, weights))


def _left(
    precision: Precision,
    part: str,
    who: str,
    words: tuple[str, str],
    beyond: Mapping[str, str],
    weights: Weights,
) -> str:
    """What cannot be rounded, the first with its reason, and how all of them are left."""
    layers = (*weights.matrices, *weights.again)
    called = {m.name: names_of(m.scope, m.path, weights.blocks) for m in layers}
    taken = {each for names in called.values() for each in names}
    scopes: dict[str, None] = {}
    hit: dict[str, None] = {}
    for name in beyond:
        # A parametrised weight stands below what nobody knows by name.
        path = name.partition(".parametrizations")[0].removesuffix(".weight").split(".")
        scope = apart_from(path, names_of(name, name.split("."), weights.blocks), taken)
        scopes[f"{part}.{scope}:fp"] = None
        hit |= dict.fromkeys(other for other, names in called.items() if scope in names)
    others, (name, reason) = len(scopes) - 1, next(iter(beyond.items()))
    it, as_is = words
    what = f"{it}, and {len(beyond) - 1} more, as they are" if others else f"{it} as {as_is}"
    also = f", which leaves {', '.join(map(repr, hit))} too" if hit else ""
    return (
        f"{who}'{name}' cannot be rounded: {reason}; leave {what} by '{' '.join(scopes)}'{also} "
        f"('{precision}')"
    )


def _inputs(serve: Precision, matrix: Matrix, blocks: Blocks) -> Any:
    names = names_of(matrix.scope, matrix.path, blocks)
    scope = scope_of(serve, "a", matrix.scope, names)
    if scope in ALONE and f"a.{scope}" not in serve.train:
        return None
    return rounding_of(serve, "a", scope, compiled=False)


def _format(precision: Precision, matrix: Matrix, blocks: Blocks) -> Format | None:
    names = names_of(matrix.scope, matrix.path, blocks)
    scope = scope_of(precision, "w", matrix.scope, names)
    if scope in ALONE and f"w.{scope}" not in precision.serve:
        return None
    return weights_of(precision, scope)


def _check(precision: Precision, weights: Weights, model: nn.Module, untied: bool) -> None:
    if not precision.serve:
        raise ModelError("nothing is named to quantise; name parts such as 'w4' or 'w4 a8'")
    kind, ends = type(model).__name__, ends_of(model)
    layers = (*weights.matrices, *weights.again)
    own = dict.fromkeys(matrix.scope for matrix in layers)
    paths = [*((m.scope, m.path) for m in layers), *((n, n.split(".")) for n in weights.beyond)]
    known_names = {name for each in paths for name in names_of(*each, weights.blocks)}
    for scope, known in precision.serve.items():
        check_scope(scope, known, precision)
        part, _, name = scope.partition(".")
        if part not in PARTS:
            raise ModelError(
                f"'{part}' of a {kind} is out of reach ('{precision}'); accepted are "
                f"{' '.join(PARTS)}"
            )
        table = scope == "w.embedding" and "embedding" in ends
        if name and name not in known_names and not table:
            has = ", ".join(f"{part}.{each}" for each in own)
            raise ModelError(f"the model has no '{scope}' ('{precision}'); it has {has}")
    tied = len(ends) == 2 and _weight(ends["embedding"]) is _weight(ends["head"])
    if tied and not untied and precision.serve.get("w.head") != precision.serve.get("w.embedding"):
        raise ModelError(
            "the head of this model is its embedding, which is looked up: set w.head and "
            f"w.embedding alike, not '{precision}'"
        )


def _check_shared(
    precision: Precision, weights: Weights, formats: Mapping[Matrix, Format | None]
) -> None:
    """Raise ModelError where a weight that several layers hold is to be rounded in several ways."""
    serve, first = plain(precision), {id(matrix.weight): matrix for matrix in weights.matrices}
    for again in weights.again:
        matrix = first[id(again.weight)]
        alike = formats[matrix] == _format(precision, again, weights.blocks)
        if not alike or _inputs(serve, matrix, weights.blocks) != _inputs(
            serve, again, weights.blocks
        ):
            raise ModelError(
                f"'{matrix.name}' and '{again.name}' have one weight, which '{precision}' rounds "
                "in two ways; name both alike"
            )


def _weight(module: nn.Module) -> Tensor | None:
    found = getattr(module, "weight", None)
    return found if isinstance(found, Tensor) else None
