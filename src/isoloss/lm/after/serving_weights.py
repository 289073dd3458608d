"""Serving: the spelling read, and weights rounded in place by the methods that it names.

Of any model: which its matrices are, accounting.py or the model itself says.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor, nn

from isoloss.formats import PARTS, Format, Precision
from isoloss.lm.after.post_method import (
    METHODS,
    Scaled,
    calibrated_methods,
    method_of_format,
)
from isoloss.lm.after.seen import Calibrated, Matrix, Seen, reached, seen_in_turn
from isoloss.lm.rounding import ENDS, filled_format
from isoloss.lm.shape import ModelError

#: What serving can round, in words; the gradients of training are gone.
SERVED = {part: PARTS[part] for part in ("w", "a", "kv", "k", "v", "q")}


class RoundedTwiceWarning(UserWarning):
    """Rounded weights of a 16-bit model are no numbers of its type, and were rounded once more."""


def served(trained: Precision, post: str | Precision) -> Precision:
    """The spelling of the whole: trained as before, served as `post` says."""
    if trained.serve:
        raise ModelError(
            f"the model is quantised already ('{trained}'); quantise the one that was trained"
        )
    if not isinstance(post, str | Precision):
        raise ModelError(f"post is {post!r}; accepted is a precision such as 'w4' or 'w4 a8 kv4'")
    spelled = str(post)
    if "->" in spelled or "→" in spelled:
        raise ModelError(
            f"'{spelled}' has an arrow; name the formats of serving alone, such as 'w4 a8'"
        )
    try:
        return Precision(f"{trained} -> {spelled}")
    except ValueError as error:
        raise ModelError(str(error)) from None


def plain(precision: Precision) -> Precision:
    """The served side without methods, as activations are rounded at run time."""
    return Precision(
        {scope: replace(known, method=None) for scope, known in precision.serve.items()}
    )


def apart_from_matrices(precision: Precision) -> str:
    """The spelling of what serving rounds beside matrices, which changes the inputs that these
    take.
    """
    return " ".join(
        f"{scope}:{known}"
        for scope, known in precision.serve.items()
        if scope == "w.embedding"
        or scope.partition(".")[0] != "w"
        or method_of_format(known).scales  # activations are rounded by its scale
    )


def check_scope(scope: str, known: Format, precision: Precision) -> None:
    """Raise ModelError for a part that serving lacks, or a method that is unknown or not for part
    and format.
    """
    part, _, name = scope.partition(".")
    if part not in SERVED:
        raise ModelError(f"serving has no part '{part}' ('{precision}'); it has {' '.join(SERVED)}")
    try:
        method = method_of_format(known)
    except ModelError as error:
        raise ModelError(f"{error} (in '{precision}')") from None
    if part != "w" and not method.run_time:
        raise ModelError(
            f"'{scope}:{known}' cannot be: @{method.name} applies to weights only; "
            f"{SERVED[part]} are rounded at run time"
        )
    if name == "embedding" and method.calibrated:
        raise ModelError(
            f"'{scope}:{known}' cannot be: an embedding is looked up, so @{method.name} sees no "
            "inputs of it"
        )
    if reason := method.refusal(known):
        raise ModelError(f"'{scope}:{known}' cannot be: {reason}")


@torch.no_grad()
def round_weights(
    model: nn.Module,
    matrices: Mapping[Matrix, Format],
    calibration: Calibrated | None,
    aside: str = "",
    draw: int = 0,
    scaled: Mapping[Matrix, Scaled] = MappingProxyType({}),
) -> None:
    """Round each matrix in place, by the method that its format names.

    Methods that see the model as it was trained take their inputs first, those that see rounded
    layers last. aside: what else is rounded, by which what is seen is kept; draw: seeds what is
    rounded at random; scaled: what `scaled_weights` gave, which is written with the others.
    """
    check_formats(matrices, calibration)
    random = torch.Generator(next(model.parameters()).device).manual_seed(draw)
    methods = {matrix: method_of_format(known) for matrix, known in matrices.items()}
    left = {m: method for m, method in methods.items() if m not in scaled}
    sees = {m: method.sees for m, method in left.items() if method.calibrated}
    in_turn = {m: kind for m, kind in sees.items() if methods[m].layer_by_layer}
    at_once = {m: kind for m, kind in sees.items() if m not in in_turn}
    # Taken before any weight is rounded, and written only then.
    new: dict[Matrix, Tensor | Scaled] = {**scaled}
    if calibration is not None and at_once:
        for group, seen in reached(calibration.seen(model, at_once, aside)):
            new |= _rounded(group, matrices, seen, random)
    for matrix in left:
        if matrix not in sees:
            new |= _rounded([matrix], matrices, None, random)
    for matrix, found in new.items():
        matrix.write(found.weight if isinstance(found, Scaled) else found)
    # Each is written before the inputs of the next are taken.
    if calibration is not None and in_turn:
        for group, seen in reached(seen_in_turn(model, in_turn, calibration.tokens)):
            for matrix, found in _rounded(group, matrices, seen, random).items():
                matrix.write(found.weight if isinstance(found, Scaled) else found)


@torch.no_grad()
def scaled_weights(
    model: nn.Module,
    matrices: Mapping[Matrix, Format],
    calibration: Calibrated | None,
    aside: str = "",
    draw: int = 0,
) -> dict[Matrix, Scaled]:
    """What methods that scale inputs give for their matrices, before activations are rounded;
    nothing is written. The arguments are those of `round_weights`.
    """
    check_formats(matrices, calibration)
    methods = {m: method_of_format(known) for m, known in matrices.items()}
    scaling = {m: method for m, method in methods.items() if method.scales}
    random = torch.Generator(next(model.parameters()).device).manual_seed(draw)
    found: dict[Matrix, Tensor | Scaled] = {}
    sees = {m: method.sees for m, method in scaling.items() if method.calibrated}
    if calibration is not None and sees:
        for group, seen in reached(calibration.seen(model, sees, aside)):
            found |= _rounded(group, matrices, seen, random)
    for matrix in scaling:
        if matrix not in sees:
            found |= _rounded([matrix], matrices, None, random)
    return {m: each for m, each in found.items() if isinstance(each, Scaled)}


def check_formats(matrices: Mapping[Matrix, Format], calibration: Calibrated | None) -> None:
    """Raise ModelError for a last group that has no scale, or calibration that is missing."""
    for matrix, known in matrices.items():
        check_ragged(matrix.inputs, known, matrix.name)
    if calibration is None and (blind := calibrated_methods(matrices.values())):
        raise ModelError(
            f"@{blind[0].name} looks at how inputs vary: pass calibration, tokens of shape (rows, "
            "context)"
        )


def _rounded(
    group: Sequence[Matrix],
    formats: Mapping[Matrix, Format],
    seen: Seen | None,
    random: torch.Generator,
) -> dict[Matrix, Tensor | Scaled]:
    """Matrices of one input rounded: one by one, or those of a format together."""
    found: dict[Matrix, Tensor | Scaled] = {}
    for known in dict.fromkeys(formats[matrix] for matrix in group):
        alike = [matrix for matrix in group if formats[matrix] == known]
        if not method_of_format(known).takes_together(known):
            found |= {m: _by_method(m.read(), known, m.name, seen, random) for m in alike}
            continue
        for matrix in alike:
            _check_finite(matrix.read(), known, matrix.name)
        whole = torch.cat([matrix.read() for matrix in alike])
        rounded = _by_method(whole, known, alike[0].name, seen, random)
        scale = rounded.scale if isinstance(rounded, Scaled) else None
        weight = rounded.weight if isinstance(rounded, Scaled) else rounded
        parts: tuple[Tensor, ...] = weight.split(  # type: ignore[no-untyped-call]
            [matrix.outputs for matrix in alike]
        )
        for matrix, part in zip(alike, parts, strict=True):
            found[matrix] = part if scale is None else Scaled(part, scale)
    return found


def _check_finite(weight: Tensor, known: Format, name: str) -> None:
    # A finite sum, which takes no memory, says so already.
    if not (bool(torch.isfinite(weight.sum())) or bool(torch.isfinite(weight).all())):
        raise ModelError(f"{name}: cannot round to '{known}': the array holds NaN or infinity")


def rounded_weight(
    weight: Tensor,
    known: Format,
    name: str,
    seen: Seen | None = None,
    random: torch.Generator | None = None,
) -> Tensor:
    """The matrix (outputs, inputs) rounded by the method of its format; `seen` is what the method
    looks at, `random` what it draws from where the format is random.

    Raises
    ------
    ModelError
        The matrix cannot be rounded so, or the method gives a tensor of another shape; the sentence
        names it.
    """
    found = _by_method(weight, known, name, seen, random)
    return found.weight if isinstance(found, Scaled) else found


def _by_method(
    weight: Tensor,
    known: Format,
    name: str,
    seen: Seen | None,
    random: torch.Generator | None,
) -> Tensor | Scaled:
    check_ragged(weight.shape[-1], known, name)
    method, own = method_of_format(known), weight.dtype
    # Methods reckon in 32 bits at least, and what they give is rounded to the weights' type once.
    weight = weight if own == torch.float64 else weight.float()
    _check_finite(weight, known, name)
    try:
        drawn = {"random": random} if method.draws else {}
        given = method.round(weight, replace(known, method=None), seen, **drawn)
    except ModelError:
        raise
    except ValueError as error:
        raise ModelError(f"{name}: {error}") from None
    except Exception as error:
        if METHODS.is_shipped(METHODS.home(method.name)):
            raise
        raise ModelError(
            f"{name}: @{method.name} failed with {type(error).__name__}: {error}"
        ) from error
    found = given.weight if isinstance(given, Scaled) else given
    if not isinstance(found, Tensor) or found.shape != weight.shape:
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ModelError(
            f"{name}: @{method.name} gave {shape} for a matrix of shape {tuple(weight.shape)}; "
            "both must be alike"
        )
    found = _in_type(found, own, known)
    if not bool(torch.isfinite(found).all()):
        raise ModelError(f"{name}: @{method.name} gave numbers that are not finite")
    if isinstance(given, Scaled) != method.scales:
        raise ModelError(
            f"{name}: @{method.name} gave a {type(given).__name__} and says scales={method.scales}"
        )
    if not isinstance(given, Scaled):
        return found
    return Scaled(found, _scale(given.scale, weight, method.name))


def _in_type(found: Tensor, own: torch.dtype, known: Format) -> Tensor:
    """Rounded weights in the type that they had."""
    cast = found.to(own)
    is_grid = known.has_grid and known.rounding != "dither"
    if cast is not found and is_grid and not bool((cast == found).all()):
        warnings.warn(
            f"numbers of '{known}' times their scale are no numbers of {str(own)[6:]}, so weights "
            "are rounded twice; quantise the model in float32 to keep them on the grid",
            RoundedTwiceWarning,
            stacklevel=2,
        )
    return cast


def _scale(scale: object, weight: Tensor, name: str) -> Tensor:
    """The scale of a method, checked."""
    if not isinstance(scale, Tensor) or scale.shape != weight.shape[1:]:
        shape = tuple(scale.shape) if isinstance(scale, Tensor) else type(scale).__name__
        raise ModelError(f"@{name} gave a scale of {shape} for {weight.shape[1]} inputs")
    if not bool(((scale > 0) & scale.isfinite()).all()):
        raise ModelError(f"@{name} gave a scale that is not finite and greater than zero")
    return scale.to(weight.dtype)


def check_ragged(inputs: int, known: Format, name: str) -> None:
    """Raise ModelError if a last, smaller group would not have the scale that the format means."""
    columns = known.tile[1] if known.tile else known.group
    if columns and inputs % columns and (known.hadamard or known.scales_by_mean):
        raise ModelError(
            f"groups of {columns} in '{known}' do not divide the {inputs} inputs of "
            f"{name}; "
            "choose a group that does, or '/row'"
        )


def weights_of(precision: Precision, name: str) -> Format | None:
    """The format that the weights of a matrix are rounded to anew, granularity filled in; None: as
    trained.

    A scope names the matrix itself, 'w' all of them but the ends.
    """
    if f"w.{name}" not in precision.serve and ("w" not in precision.serve or name in ENDS):
        return None
    found = filled_format(Precision(precision.serve), "w", name)
    return Format.parse("fp") if found is None else found
