"""Serving: the spelling read, and weights rounded in place by the methods that it names.

Of any model: its matrices are modules with a `weight` (outputs, inputs).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from isoloss.formats import Format, Precision
from isoloss.lm.after.layer_by_layer import walked
from isoloss.lm.after.post_method import METHODS, calibrated_methods, method_of_format
from isoloss.lm.rounding import ENDS, filled_format
from isoloss.lm.shape import ModelError

#: What serving can round, in words; the gradients of training are gone.
SERVED = {"w": "weights", "a": "activations", "kv": "keys and values", "q": "queries"}
#: Seeds what stochastic rounding and ideal noise of activations draw while a model is served.
DRAWS = 0


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
    model: nn.Module, matrices: Mapping[nn.Module, Format], calibration: Tensor | None
) -> None:
    """Round the weight of each matrix in place, by the method that its format names.

    Methods that see the model as it was trained take their inputs first, those that see rounded
    layers last.
    """
    names = {module: name for name, module in model.named_modules()}
    for module, known in matrices.items():
        check_ragged(cast(Tensor, module.weight), known, names[module])
    if calibration is None and (blind := calibrated_methods(matrices.values())):
        raise ModelError(
            f"@{blind[0].name} looks at how inputs vary: pass calibration, tokens of shape (rows, "
            "context)"
        )
    methods = {module: method_of_format(known) for module, known in matrices.items()}

    def rounded(module: nn.Module, seen: Tensor | None = None) -> Tensor:
        weight = cast(Tensor, module.weight)
        return rounded_weight(weight, matrices[module], names[module], seen)

    def inputs(layer_by_layer: bool) -> Iterator[tuple[nn.Module, Tensor]]:
        sees = {
            module: method.sees
            for module, method in methods.items()
            if method.calibrated and method.layer_by_layer == layer_by_layer
        }
        return iter(()) if calibration is None or not sees else walked(model, sees, calibration)

    # Taken before any weight is rounded, and written only then.
    new = {module: rounded(module, seen) for module, seen in inputs(layer_by_layer=False)}
    new |= {module: rounded(module) for module, method in methods.items() if not method.calibrated}
    for module, weight in new.items():
        cast(Tensor, module.weight).data = weight
    # Each is written before the inputs of the next are taken.
    for module, seen in inputs(layer_by_layer=True):
        cast(Tensor, module.weight).data = rounded(module, seen)


def rounded_weight(weight: Tensor, known: Format, name: str, seen: Tensor | None = None) -> Tensor:
    """The matrix (outputs, inputs) rounded by the method of its format; `seen` is what the method
    looks at.

    Raises
    ------
    ModelError
        The matrix cannot be rounded so, or the method gives a tensor of another shape; the sentence
        names it.
    """
    check_ragged(weight, known, name)
    method = method_of_format(known)
    try:
        found = method.round(weight, replace(known, method=None), seen)
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
    if not isinstance(found, Tensor) or found.shape != weight.shape:
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ModelError(
            f"{name}: @{method.name} gave {shape} for a matrix of shape {tuple(weight.shape)}; "
            "both must be alike"
        )
    if bool(torch.isfinite(weight).all()) and not bool(torch.isfinite(found).all()):
        raise ModelError(f"{name}: @{method.name} gave numbers that are not finite")
    return found.to(weight.dtype)


def check_ragged(weight: Tensor, known: Format, name: str) -> None:
    """Raise ModelError if a last, smaller group would not have the scale that the format means."""
    if known.group and weight.shape[-1] % known.group and (known.hadamard or known.scales_by_mean):
        raise ModelError(
            f"groups of {known.group} in '{known}' do not divide the {weight.shape[-1]} inputs of "
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
