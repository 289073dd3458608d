"""What serving rounds and by which method: the spelling read, and weights rounded in place.

Of any model: its matrices are modules with a `weight` (outputs, inputs).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from isoloss.formats import Format, Precision
from isoloss.formats import fake_quantise as specified
from isoloss.lm.after.layer_by_layer import gptq_in_order
from isoloss.lm.rounding import ENDS, rounding_of
from isoloss.lm.shape import ModelError

METHODS = ("rtn", "gptq")
#: What serving can round; the gradients of training are gone.
SERVED = ("w", "a", "kv", "q")
#: Seeds what '~sr' and ideal noise draw when weights are rounded, once.
DRAWS = 0


def served(trained: Precision, post: str | Precision) -> Precision:
    """The spelling of the whole: trained as before, served as `post` says."""
    if trained.serve:
        raise ModelError(
            f"the model is quantised already ('{trained}'); quantise the one that was trained"
        )
    spelled = str(post)
    if "->" in spelled or "→" in spelled:
        raise ModelError(
            f"'{spelled}' has an arrow; name the formats of serving alone, such as 'w4 a8'"
        )
    try:
        return Precision(f"{trained} -> {spelled}")
    except ValueError as error:
        raise ModelError(str(error)) from None


def check_scope(scope: str, known: Format, precision: Precision) -> None:
    """None, or ModelError where a scope has a part that serving lacks, or a method that is unknown or not for it."""
    part = scope.partition(".")[0]
    if part not in SERVED:
        raise ModelError(f"serving has no part '{part}' ('{precision}'); it has {' '.join(SERVED)}")
    if known.method not in (None, *METHODS):
        raise ModelError(
            f"unknown method '{known.method}' ('{precision}'); known are {', '.join(METHODS)}"
        )
    if known.method == "gptq":
        if part != "w":
            raise ModelError(
                f"'{scope}:{known}' cannot be: @gptq is for weights, and '{part}' is rounded as it comes"
            )
        if known.is_random or known.function:
            raise ModelError(
                f"'{scope}:{known}' cannot be: @gptq takes formats that round to nearest on a grid"
            )


def round_weights(
    model: nn.Module, matrices: Mapping[nn.Module, Format], calibration: Tensor | None
) -> None:
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
    random = torch.Generator(weight.device).manual_seed(DRAWS) if known.is_random else None
    try:
        found: Tensor = specified(filled, known, random=random)
    except ValueError as error:
        raise ModelError(f"{name}: {error}") from None
    return found[..., : weight.shape[-1]].contiguous()


def check_ragged(weight: Tensor, known: Format, name: str) -> None:
    """None, or ModelError where a last, smaller group would not have the scale that the format means."""
    if known.group and weight.shape[-1] % known.group and (known.hadamard or known.scales_by_mean):
        raise ModelError(
            f"groups of {known.group} in '{known}' do not divide the {weight.shape[-1]} inputs of {name}; "
            "choose a group that does, or '/row'"
        )


def uses_gptq(known: Format | None) -> bool:
    """Whether GPTQ does the rounding."""
    return known is not None and known.method == "gptq"


def weights_of(precision: Precision, name: str) -> Format | None:
    """The format that the weights of a matrix are rounded to anew, granularity filled in; None: as trained.

    A scope names the matrix itself, 'w' all of them but the ends.
    """
    if f"w.{name}" not in precision.serve and ("w" not in precision.serve or name in ENDS):
        return None
    found = rounding_of(Precision(precision.serve), "w", name)
    return Format.parse("fp") if found is None else found.known
