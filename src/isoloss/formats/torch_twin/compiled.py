"""Fake quantisation in torch: the specification compiled into one pass, with gradients straight
through.

The arithmetic is `rounded` of rule.py itself, traced by torch.compile once for each format, so
there is no second rule to keep equal; tests hold the compiled code to the specification on every
code and midpoint all the same. A fresh result of some megabytes costs more than the rounding,
because the system hands out its pages one by one: `out=` writes into memory that is there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from types import FunctionType
from typing import Any

try:
    import torch
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "isoloss.lm and isoloss.formats.torch_twin need torch; pip install 'isoloss[lm]'"
    ) from None
from torch import Tensor
from torch._dynamo.exc import FailOnRecompileLimitHit
from torch._inductor import config
from torch._inductor.exc import InductorError

from isoloss.formats.number import Format
from isoloss.formats.rounding import (
    NEAREST,
    check_nearest,
    filled,
    granularity_of,
    rounded,
    widened,
)  # fmt: skip
from isoloss.formats.rounding import fake_quantise as specified

#: The methods that rounding with this gradient is: to nearest, straight through.
STRAIGHT = (*NEAREST, "ste")
#: The option of torch that rounds compiled divisions, by its name of 2.13 and the one before.
DIVISION_ROUNDING = ("eager_numerics.division_rounding", "emulate_divison_rounding")


def fake_quantise(
    x: Tensor,
    format: Format | str,
    *,
    random: Any = None,
    scale: Any = None,
    check: bool = True,
    out: Tensor | None = None,
    compiled: bool = True,
) -> Tensor:
    """x rounded to a format, as `isoloss.formats.fake_quantise`, several times faster and with a
    gradient.

    The gradient passes straight through: it is that of x, wherever x was rounded or clipped to;
    `scale` has none.

    Parameters
    ----------
    x
        A tensor of float16, bfloat16, float32 or float64, any shape, on any device.
    format, random, scale, check
        As in `isoloss.formats.fake_quantise`; besides '@rtn' the format may say '@ste', which this
        gradient is.
    out
        A contiguous tensor like x that the result is written into, x itself too (rounded in
        place); such a call has no gradient.
    compiled
        False runs the same operations one by one; so do formats with '+clip' (a search) or '+had'
        (whose butterflies torch compiles for minutes), custom functions, and more shapes than torch
        keeps programs for.

    Returns
    -------
    Tensor
        Like x, or `out`.

    Raises
    ------
    ValueError
        The specification refuses the arguments, `out` is not like x or needs a gradient, or there
        is no C++ compiler.
    """
    known = Format.parse(format)
    check_nearest(known, STRAIGHT)
    known = replace(known, method=None)
    if not isinstance(x, Tensor):
        raise ValueError(
            f"cannot round a {type(x).__name__} here; isoloss.formats.fake_quantise takes arrays"
        )
    if out is not None:
        _check_out(x, out)
        # A program that reads x while it writes x could read what it has written: it gets memory of
        # its own.
        apart = out.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()
    arithmetic = None
    if compiled and not (known.clip or known.hadamard or known.function):
        # What is checked before it is cast is not written where it belongs yet.
        direct = out is not None and apart and (out.dtype == torch.float32 or not check)
        arithmetic = _fused(out if direct else None)
    settings = {"random": random, "scale": scale, "check": check, "by": arithmetic}
    # Writing into memory that is there has no place in a graph of gradients.
    if out is not None:
        with torch.no_grad():
            result = specified(x, known, **settings)
            return result if result is out else out.copy_(result)
    return straight(x, lambda x: specified(x, known, **settings))


def straight(x: Tensor, rule: Callable[[Tensor], Tensor]) -> Tensor:
    """What a rule makes of x, with the gradient of x itself."""
    result: Tensor = _StraightThrough.apply(x, rule)  # type: ignore[no-untyped-call]
    return result


class _StraightThrough(torch.autograd.Function):
    """Rounding forward, the identity backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: Callable[[Tensor], Tensor]) -> Tensor:
        return rule(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def _fused(out: Tensor | None) -> Callable[..., Tensor]:
    """`rounded`, compiled; written into `out` where there is one."""

    def arithmetic(
        xp: Any, x: Tensor, known: Format, uniform: Tensor | None, step: Tensor | None
    ) -> Tensor:
        # A last group that is smaller is filled up before: torch 2.13 compiles it wrongly.
        whole = filled(xp, x, granularity_of(known)) if step is None and known.is_scaled else x
        if whole is not x:
            uniform = None if uniform is None else filled(xp, uniform, granularity_of(known))
            found = _fused(None)(xp, whole, known, uniform, step)
            found = found[..., : x.shape[-2], : x.shape[-1]] if x.dim() > 1 else found[: len(x)]
            return found.contiguous() if out is None else out.copy_(found)
        # Two axes for all, so that one program serves tensors of any number of axes; tiles of a
        # batch of matrices stay in their matrix.
        flat = (lambda each: each) if known.tile else _as_rows
        rows, uniform = flat(x), None if uniform is None else flat(uniform)
        if step is not None:
            step = step.reshape(1, 1) if step.numel() == 1 else flat(step.expand(x.shape))

        def plain() -> Tensor:
            found: Tensor = rounded(xp, widened(xp, rows), known, uniform, step).reshape(x.shape)
            return found.to(x.dtype) if out is None else out.copy_(found)

        def fused() -> Tensor:
            if out is None:
                return _program(known, xp, x.dtype)(rows, uniform, step).reshape(x.shape)
            _program_into(known, xp, x.dtype)(rows, uniform, step, flat(out))
            return out

        return fused_or(fused, plain)

    return arithmetic


def fused_or(fused: Callable[[], Tensor], plain: Callable[[], Tensor]) -> Tensor:
    """What a compiled program gives, or `plain` where torch keeps no more programs for other
    shapes.

    Raises ValueError where there is no C++ compiler.
    """
    try:
        return fused()
    except FailOnRecompileLimitHit:
        return plain()
    except InductorError as error:
        if "compiler" in str(error):
            raise ValueError(
                "torch.compile found no C++ compiler; install g++, or pass compiled=False"
            ) from None
        raise


@lru_cache(maxsize=256)
def _program(known: Format, xp: Any, dtype: torch.dtype) -> Callable[..., Tensor]:
    def fresh(x: Tensor, uniform: Tensor | None, step: Tensor | None) -> Tensor:
        result: Tensor = rounded(xp, widened(xp, x), known, uniform, step)
        return result.to(x.dtype)

    return compiled_as(f"{known} {dtype}", fresh)


@lru_cache(maxsize=256)
def _program_into(known: Format, xp: Any, dtype: torch.dtype) -> Callable[..., Tensor]:
    def into(x: Tensor, uniform: Tensor | None, step: Tensor | None, out: Tensor) -> None:
        out.copy_(rounded(xp, widened(xp, x), known, uniform, step))

    return compiled_as(f"{known} {dtype}", into)


def _as_rows(x: Tensor) -> Tensor:
    """x with two axes, so that a program need not be compiled again for another number of them."""
    return x.reshape(-1, x.shape[-1] if x.dim() else 1)


def compiled_as(name: str, function: Callable[..., Any]) -> Callable[..., Tensor]:
    """The function compiled under a name of its own.

    Torch keeps what it learns by code object: under one name it would take what differs between two
    formats for variables, and stop compiling after the eighth.
    """
    assert isinstance(function, FunctionType)
    code = function.__code__.replace(co_name=f"{function.__name__} {name}")
    own = FunctionType(code, function.__globals__, code.co_name, None, function.__closure__)
    return torch.compile(own, fullgraph=True, options=exact_division())


@lru_cache(maxsize=1)
def exact_division() -> dict[str, str | int | bool | Callable[..., Any]]:
    """What this torch calls the option that divisions of float32 are rounded as IEEE 754 has it.

    Without it a compiled division on a GPU is an approximation, by which ties can turn.
    """
    known = config.get_config_copy()
    return {name: True for name in DIVISION_ROUNDING if name in known}


def _check_out(x: Tensor, out: Tensor) -> None:
    if out.shape != x.shape or out.dtype != x.dtype or out.device != x.device:
        raise ValueError(
            f"out is {out.dtype} of shape {tuple(out.shape)} on {out.device}; "
            f"it must be {x.dtype} of shape {tuple(x.shape)} on {x.device}"
        )
    if not out.is_contiguous():
        raise ValueError(
            "out is not contiguous, so nothing can be written into it row by row; pass "
            "out.contiguous()"
        )
    if torch.is_grad_enabled() and (x.requires_grad or out.requires_grad):
        raise ValueError(
            "a result written into out has no gradient; leave out= away, or use torch.no_grad()"
        )
