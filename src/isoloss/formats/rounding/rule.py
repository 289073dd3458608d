"""Rounding: the one rule by which isoloss turns numbers into the numbers of a format, for numpy and torch.

This file is the specification. What computes faster (torch's compiled twin in `lm`, numba's in `linear`) is
tested equal to it on every code, every midpoint and their neighbours.

1. The grid. A format is a set of numbers (`Format.grid`): equal steps for integers, a step for each binade for
   floats. At a number x the step of a float with M mantissa bits is 2^(e - M), where e is the exponent of x but
   at least that of the smallest normal number: below it steps stay equal, and these are the subnormals. So

       step(x) = max(2^floor(log2 |x|), 2^lowest) * 2^-M

   and 2^floor(log2 |x|) is read off the exponent bits of x: no logarithm, no table, no error.
2. Nearest, the default: round(x / step) * step, ties to the even multiple, as IEEE 754 has it. A number that
   rounds up over the top of its binade lands on the first number of the next one, as it should. Dividing by a
   power of two is exact, so the only rounding that happens is the one asked for.
3. Stochastic ('~sr'): with u uniform on [0, 1), the magnitude goes up to the next multiple of its step where
   u < |x| / step - floor(|x| / step), else down. The mean is x: E Q(x) = x, Var Q(x) = step^2 f (1 - f) with f
   that fraction; numbers on the grid stay.
4. Subtractive dither ('~dither', equal steps only): round(x / step + u - 1/2) - (u - 1/2), times the step. The
   error is uniform on half a step to either side whatever x is, so its variance is step^2 / 12 exactly: this is
   the additive model of the theory made real. The result does not lie on the grid.
5. Saturation: what lies beyond the largest number becomes the largest number, infinities too. With
   `saturate=False` the standard of the format speaks: IEEE formats (e5m2, fp16, bf16, ...) give infinities, e4m3
   gives its NaN, FNUZ formats theirs, and formats all of whose codes are numbers saturate (OCP OFP8 and MX 1.0).
   NaN stays NaN: an element of e2m1 cannot hold one, but hiding it would.
6. Scales (scaling.py) come before, one for each granule (granules.py): Q(x) = s * grid(x / s). A shifted integer
   adds its zero point between the two.

Arithmetic is done in the type of the array, 16-bit types in float32, and each operation is one that IEEE 754
rounds correctly: the same input gives the same bits in numpy and in torch, on any processor. On a GPU,
not measured, a scale may lose its last bit: there torch multiplies by the reciprocal of a number. Where a sum decides
(the mean magnitude of ternary and binary, the clip search) it is taken in float64, since its order is not fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from isoloss.formats.number import Format
from isoloss.formats.rounding.arrays import (
    AnyArray,
    all_finite,
    below_or_at,
    checked,
    draws,
    dtype_name,
    power_of_two,
    widened,
)
from isoloss.formats.rounding.noise import with_noise
from isoloss.formats.rounding.scale_groups import (
    check_granules,
    granularity_of,
    granules,
    rotated,
    rotated_size,
)
from isoloss.formats.rounding.scaling import Scale, scale_of

#: `rounded` or a compiled twin of it: (namespace, x, format, uniform numbers or None, scale or None) to an array.
Arithmetic = Callable[[Any, AnyArray, Format, AnyArray | None, AnyArray | None], AnyArray]


def fake_quantise(
    x: AnyArray,
    known: Format | str,
    *,
    random: Any = None,
    scale: Any = None,
    check: bool = True,
    by: Arithmetic | None = None,
) -> AnyArray:
    """x with every number replaced by what a format makes of it: same shape, type and device.

    Scales are shared as the marks of the format say ('/row' is the last axis, '/128' groups along it), in blocks
    for block formats, else by the whole tensor. `scale` replaces them: a positive number, or an array that
    broadcasts against x. `random`, needed by '~sr', '~dither' and ideal noise, is a seed (the same numbers for
    numpy and torch), a generator, or the numbers themselves: uniform on [0, 1), normal for noise.
    `check=False` leaves out the passes that look for numbers that are not finite: a NaN then makes its whole
    granule NaN. There is no gradient; `isoloss.lm.fake_quantise` has one. `by` does the arithmetic in place of `rounded`: a compiled twin of it.

    Raises ValueError, in one sentence, for what cannot be rounded: other types, empty arrays, groups that do not
    divide the last axis, numbers that are not finite.
    """
    known = Format.parse(known)
    xp = checked(x)
    x = x.detach() if hasattr(x, "detach") else x
    if scale is not None and known.kind in ("exact", "noise"):
        raise ValueError(f"'{known}' has no scale; leave scale out")
    if known.is_exact:
        return xp.asarray(x, copy=True)
    wide = widened(xp, x)
    if known.kind == "noise":
        if check:
            _check_range(xp, wide, known)
        with np.errstate(over="ignore", invalid="ignore"):  # looked for below
            return _narrowed(xp, with_noise(xp, wide, known, random), x, known, check)
    if scale is None or known.hadamard:
        check_granules(x, known)
    # Scales of what is not finite make NaN, so the result shows it; where no scale is made, x must.
    if check and (scale is not None or not known.is_scaled or wide.dtype == xp.float64):
        _check_range(xp, wide, known)
    uniform = (
        draws(xp, wide, "uniform", random, tuple(x.shape), str(known)) if known.rounding else None
    )
    step = None if scale is None else _given_scale(xp, wide, known, scale)
    with np.errstate(over="ignore", invalid="ignore"):  # looked for below
        out = (by or rounded)(xp, wide, known, uniform, step)
    return _narrowed(xp, out, x, known, check)


def round_elements(
    x: AnyArray, known: Format | str, *, random: Any = None, saturate: bool = True
) -> AnyArray:
    """x rounded to the grid of a format as it stands, without a scale: what a cast does.

    Raises ValueError for what cannot be rounded, and for formats without a grid.
    """
    known = Format.parse(known)
    xp = checked(x)
    x = x.detach() if hasattr(x, "detach") else x
    if known.levels is None:
        raise ValueError(f"'{known.name}' has no grid of numbers to round to")
    wide = widened(xp, x)
    uniform = (
        draws(xp, wide, "uniform", random, tuple(x.shape), str(known)) if known.rounding else None
    )
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # infinities and NaN are meant where nothing saturates
        out = to_grid(xp, wide, known, uniform, saturate)
        return _narrowed(xp, out, x, known, check=saturate and all_finite(xp, wide))


def frozen(x: AnyArray, known: Format | str) -> Callable[[AnyArray], AnyArray]:
    """The rule that rounds other numbers with the scales of x, one for each row along its last axis.

    frozen(x, known)(x) is x rounded a row at a time, whatever granularity the format says; the rule takes arrays
    that broadcast against those scales, such as one column of x after it changed: so a quantiser can round numbers
    one by one and keep them on one grid. Raises ValueError for formats whose rounding is more than a grid and a
    scale (noise, own quantisers, '+had', '~sr', '~dither').
    """
    known = Format.parse(known)
    if known.kind in ("noise", "own") or known.hadamard or known.rounding:
        raise ValueError(
            f"'{known}' has no fixed grid; accepted are formats that round to nearest, without +had"
        )
    xp = checked(x)
    y = widened(xp, x.detach() if hasattr(x, "detach") else x)
    if known.is_exact:
        return lambda z: xp.asarray(z, copy=True)
    if not known.is_scaled:
        return lambda z: to_grid(xp, z, known)
    scale = scale_of(xp, y, known, lambda tried: _at(xp, y, known, tried, None))
    return lambda z: _at(xp, z, known, scale, None)


def hadamard(x: AnyArray, known: Format | str) -> AnyArray:
    """x rotated along its last axis as '+had' of a format rotates it before rounding; its own inverse."""
    known = Format.parse(known)
    check_granules(x, known)
    return rotated(checked(x), x, rotated_size(x.shape, granularity_of(known)))


def scales(x: AnyArray, known: Format | str) -> AnyArray:
    """What each number of x is divided by before it is rounded, an array that broadcasts against x.

    fake_quantise(x, known, scale=scales(x, known)) is fake_quantise(x, known). Raises ValueError for formats without a
    scale, and for those with a zero point, which a scale alone does not say.
    """
    known = Format.parse(known)
    xp = checked(x)
    if not known.is_scaled or known.span == "shifted":
        raise ValueError(
            f"'{known}' is not rounded by a scale alone; accepted are scaled grids around zero"
        )
    check_granules(x, known)
    y, share = widened(xp, x.detach() if hasattr(x, "detach") else x), granularity_of(known)
    y = rotated(xp, y, rotated_size(x.shape, share)) if known.hadamard else y
    y = granules(y, share)
    step = scale_of(xp, y, known, lambda tried: _at(xp, y, known, tried, None)).step
    if share == "tensor":
        return step.reshape((1,) * len(x.shape))
    return step if share == "row" else xp.broadcast_to(step, y.shape).reshape(x.shape)


def rounded(
    xp: Any,
    x: AnyArray,
    known: Format,
    uniform: AnyArray | None = None,
    step: AnyArray | None = None,
) -> AnyArray:
    """`fake_quantise` without its checks: nothing but arithmetic, which a compiler can trace.

    x is float32 or float64, `uniform` of its shape, `step` broadcasts against it.
    """
    share = granularity_of(known)
    size = rotated_size(x.shape, share) if known.hadamard else 1
    y = rotated(xp, x, size) if known.hadamard else x
    if step is not None:
        out = _at(xp, y, known, Scale(step, _middle(xp, step, known)), uniform)
    elif known.kind == "own" or known.is_scaled:
        y = granules(y, share)
        out = _in_granules(xp, y, known, None if uniform is None else uniform.reshape(y.shape))
    else:
        out = to_grid(xp, y, known, uniform)
    out = out.reshape(x.shape)
    return rotated(xp, out, size) if known.hadamard else out


def to_grid(
    xp: Any, x: AnyArray, known: Format, uniform: AnyArray | None = None, saturate: bool = True
) -> AnyArray:
    """x rounded to the grid of a format, by the rule at the top of this file."""
    if known.kind == "binary":
        return _binary(xp, x, uniform)
    top = below_or_at(xp, known.max, x)
    bottom = 0.0 if known.span == "shifted" else -below_or_at(xp, known.max + _extra(known), x)
    if known.rounding == "dither" and uniform is not None:
        shift = uniform - 0.5
        return xp.clip(
            xp.round(x / known.smallest_step + shift) * known.smallest_step, bottom, top
        ) - (shift * known.smallest_step)
    if (
        saturate
    ):  # before rounding is as good as after, since both ends lie on the grid, and cannot overflow
        x = xp.clip(x, bottom, top)
    step = _step_at(xp, x, known)
    if step is None:
        out = x
    elif uniform is None:
        out = xp.round(x / step) * step
    else:
        multiple = xp.abs(x) / step
        down = xp.floor(multiple)
        up = xp.astype(uniform < multiple - down, x.dtype, copy=False)
        out = xp.where(x < 0, -(down + up), down + up) * step
    if known.special == "fnuz":
        out = out + 0.0  # its only zero is positive
    return out if saturate else _unsaturated(xp, x, out, known, top)


def _at(xp: Any, y: AnyArray, known: Format, scale: Scale, uniform: AnyArray | None) -> AnyArray:
    """y rounded with a scale."""
    if scale.zero is None:
        return to_grid(xp, y / scale.step, known, uniform) * scale.step
    return (to_grid(xp, y / scale.step + scale.zero, known, uniform) - scale.zero) * scale.step


def _in_granules(xp: Any, y: AnyArray, known: Format, uniform: AnyArray | None) -> AnyArray:
    if known.function is not None:
        return _as_given(known.function(xp.asarray(y, copy=True)), y, known)
    scale = scale_of(xp, y, known, lambda tried: _at(xp, y, known, tried, None))
    return _at(xp, y, known, scale, uniform)


def _binary(xp: Any, x: AnyArray, uniform: AnyArray | None) -> AnyArray:
    """-1 or 1: the sign (0 counts as positive), or at random with mean x where |x| <= 1."""
    down = x < 0 if uniform is None else uniform >= (x + 1) / 2
    one = xp.ones_like(x)
    return xp.where(xp.isnan(x), x, xp.where(down, -one, one))


def _step_at(xp: Any, x: AnyArray, known: Format) -> AnyArray | float | None:
    """The distance of neighbours at x; None where the type of x is no finer than the format."""
    if known.mantissa is None or known.lowest_exponent is None:
        return known.smallest_step
    width, lowest = (23, -126) if x.dtype == xp.float32 else (52, -1022)
    if known.mantissa >= width and known.lowest_exponent <= lowest:
        return None
    return xp.clip(power_of_two(xp, x), 2.0**known.lowest_exponent, None) * 2.0**-known.mantissa


def _extra(known: Format) -> float:
    """How far two's complement reaches further below zero than above it."""
    is_whole = known.exponent is None and known.kind in ("int", "block")
    return known.smallest_step if is_whole else 0.0


def _unsaturated(xp: Any, x: AnyArray, out: AnyArray, known: Format, top: float) -> AnyArray:
    """What a cast by the standard gives beyond the largest number, `out` being x rounded without an end."""
    out = xp.where(xp.isinf(x), x, out)
    if known.special == "none":
        return xp.clip(out, -top - _extra(known), top)
    beyond = xp.abs(out) > top
    return xp.where(beyond, out * float("inf" if known.special == "ieee" else "nan"), out)


def _middle(xp: Any, step: AnyArray, known: Format) -> AnyArray | None:
    """The zero point that goes with a step given from outside: the middle code of shifted integers."""
    return xp.ones_like(step) * 2.0 ** (known.bits - 1) if known.span == "shifted" else None


def _given_scale(xp: Any, x: AnyArray, known: Format, scale: Any) -> AnyArray:
    if known.kind == "own":
        raise ValueError(f"'{known}' scales by its own function; leave scale out")
    try:
        step = xp.asarray(scale, dtype=x.dtype, device=x.device)
        fits = np.broadcast_shapes(tuple(step.shape), tuple(x.shape)) == tuple(x.shape)
    except (ValueError, TypeError, RuntimeError):
        fits = False
    if not fits:
        raise ValueError(
            f"the scale of '{known}' must be a number or an array that broadcasts to shape {tuple(x.shape)}"
        )
    if not bool(xp.all(xp.isfinite(step) & (step > 0))):
        raise ValueError(
            f"the scale of '{known}' must be finite and above 0, and some of it is not"
        )
    return step


def _as_given(out: AnyArray, y: AnyArray, known: Format) -> AnyArray:
    """What a quantiser of the user returned, once it is known to be an array like the one it got."""
    if not hasattr(out, "dtype") or tuple(out.shape) != tuple(y.shape) or out.dtype != y.dtype:
        got = (
            f"{out.dtype} of shape {tuple(out.shape)}"
            if hasattr(out, "dtype")
            else f"a {type(out).__name__}"
        )
        raise ValueError(
            f"the function of '{known.name}' returned {got}; it must return {y.dtype} of shape {tuple(y.shape)}"
        )
    return out


def _narrowed(xp: Any, out: AnyArray, x: AnyArray, known: Format, check: bool) -> AnyArray:
    """The result in the type of x, once it is known to have stayed finite where that is to be checked."""
    with np.errstate(over="ignore"):
        out = xp.astype(out, x.dtype, copy=False)
    if check and not all_finite(xp, out):
        _check_range(xp, x, known)
        raise ValueError(
            f"rounding to '{known}' left the range of {dtype_name(x)}; scale the array down first"
        )
    return out


def _check_range(xp: Any, x: AnyArray, known: Format) -> None:
    """None, or ValueError where numbers are not finite, or too large for the scales of their blocks."""
    if not all_finite(xp, x):
        raise ValueError(f"cannot round to '{known}': the array holds NaN or infinity")
    if (
        known.scale == "e8m0"
        and x.dtype == xp.float64
        and bool(xp.max(xp.abs(x)) >= known.max * 2.0**127)
    ):
        raise ValueError(
            f"cannot round to '{known}': its scales end at 2^127, and the array holds larger numbers"
        )
