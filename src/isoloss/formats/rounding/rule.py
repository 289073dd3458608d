"""Rounding: the one rule by which isoloss turns numbers into the numbers of a format, for numpy and
torch.

This file is the specification, elements.py and scaling.py its two halves. What computes faster
(torch's compiled twin in torch_twin, numba's in `linear` and in `lm.after.columns`) is tested equal
to it on every code, every midpoint and their neighbours.

1. The grid. A format is a set of numbers (`Format.grid`): equal steps for integers, a step for each
   binade for floats, a list for NF4 and grids of a user's own. At a number x the step of a float
   with M mantissa bits is 2^(e - M), where e is the exponent of x but at least that of the smallest
   normal number: below it steps stay equal, and these are the subnormals. So

       step(x) = max(2^floor(log2 |x|), 2^lowest) * 2^-M

   and 2^floor(log2 |x|) is read off the exponent bits of x: no logarithm, no table, no error.
2. Nearest, the default: round(x / step) * step, ties to the even multiple, as IEEE 754 has it. A
   number that rounds up over the top of its binade lands on the first number of the next one, as it
   should. Dividing by a power of two is exact, so the only rounding that happens is the one asked
   for. In a list of numbers no multiple is even: a midpoint goes to the lower number, as in
   bitsandbytes, and midpoints are compared in float64, where they are exact for numbers of float32.
3. Stochastic ('~sr'): with u uniform on [0, 1), the magnitude goes up to the next multiple of its
   step where u < |x| / step - floor(|x| / step), else down; in a list of numbers, to its upper
   neighbour likewise. Inside the range the mean is x: E Q(x) = x, Var Q(x) = step^2 f (1 - f) with
   f that fraction; numbers on the grid stay. Beyond it no draw helps: where the scale clips (MX
   rounds it down, NV to the nearest e4m3, full-range integers end half a step short, the zero
   point of shifted ones is rounded) the mean lacks what is clipped: of normal numbers 1% in mxfp4,
   .3% in nvfp4.
4. Subtractive dither ('~dither', equal steps only): round(x / step + u - 1/2) - (u - 1/2), times
   the step. The error is uniform on half a step to either side whatever x is, so its variance is
   step^2 / 12 exactly: this is the additive model of the theory made real. The result does not lie
   on the grid.
5. Saturation: what lies beyond the largest number becomes the largest number, infinities too. With
   `saturate=False` the standard of the format speaks: IEEE formats (e5m2, fp16, bf16, ...) give
   infinities, e4m3 gives its NaN, FNUZ formats theirs, and formats all of whose codes are numbers
   saturate (OCP OFP8 and MX 1.0). NaN stays NaN: an element of e2m1 cannot hold one, but hiding it
   would.
6. Scales (scaling.py) come before, one for each scale group (scale_groups.py): Q(x) = s * grid(x /
   s). A shifted integer adds its zero point between the two.

Arithmetic is done in the type of the array, 16-bit types in float32, and each operation is one that
IEEE 754 rounds correctly: the same input gives the same bits in numpy and in torch, on any
processor, and on a GPU (not measured; where torch would multiply by the reciprocal of a number, it
divides by an array). Where a sum decides (the mean magnitude of ternary and binary, the clip
search) it is taken in float64, since its order is not fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from isoloss.formats.number import Format
from isoloss.formats.rounding.arrays import (
    AnyArray,
    all_finite,
    checked,
    draws,
    dtype_name,
    widened,
    working_type,
)
from isoloss.formats.rounding.elements import to_grid
from isoloss.formats.rounding.noise import with_noise
from isoloss.formats.rounding.scale_groups import (
    check_groups,
    granularity_of,
    grouped,
    rotated,
    rotated_size,
    ungrouped,
)
from isoloss.formats.rounding.scaling import Scale, rounded_at, scale_of

#: `rounded` or a compiled twin of it: (namespace, x, format, uniform numbers or None, scale or
#: None) to an array.
Arithmetic = Callable[[Any, AnyArray, Format, AnyArray | None, AnyArray | None], AnyArray]


#: The modifiers '@method' that rounding to nearest is.
NEAREST = ("rtn",)


class RoundedTwice(ValueError):
    """A result on the grid of a format would be rounded once more, to the 16-bit type of x."""


def fake_quantise(
    x: AnyArray,
    format: Format | str,
    *,
    random: Any = None,
    scale: Any = None,
    check: bool = True,
    by: Arithmetic | None = None,
) -> AnyArray:
    """x with every number replaced by what a format makes of it: same shape, type and device.

    Scales are shared as the modifiers of the format say ('/row' is the last axis, '/128' groups
    along it, '/128x128' tiles of the last two), in blocks for block formats, else by the whole
    tensor; a last group may be smaller. There is no gradient;
    `isoloss.lm.fake_quantise` has one.

    Parameters
    ----------
    x
        A numpy array or torch tensor of float16, bfloat16, float32 or float64, any shape.
    format
        The format or its spelling.
    random
        Needed by '~sr', '~dither' and ideal noise: a seed (the same numbers for numpy and torch), a
        generator, or the numbers themselves, uniform on [0, 1), normal for noise.
    scale
        Replaces the scales: a positive number, or an array that broadcasts against x.
    check
        False leaves out the passes that look for numbers that are not finite, and for those that
        are rounded twice: a NaN then makes its whole scale group NaN, and 16-bit types are
        rounded in float32 and cast back. A scale that is given is not looked at either.
    by
        Does the arithmetic in place of `rounded`: a compiled twin of it, which takes 16-bit types
        as they are where nothing is checked.

    Returns
    -------
    array
        Like x.

    Raises
    ------
    ValueError
        x or the arguments cannot be used: other types, empty arrays, groups of '+had' or of means
        that do not divide the last axis, numbers that are not finite, a method other than '@rtn'.
    RoundedTwice
        A 16-bit type cannot hold the numbers of the grid times their scale, so that the result
        would be rounded twice.
    """
    known = Format.parse(format)
    check_nearest(known, NEAREST)
    xp = checked(x)
    x = x.detach() if hasattr(x, "detach") else x
    if scale is not None and known.is_ideal:
        raise ValueError(f"'{known}' has no scale; leave scale out")
    if known.is_exact:
        return xp.asarray(x, copy=True)
    # A compiled twin casts inside, so that 16-bit types pass through memory once.
    inside = by is not None and not check and not known.is_noise
    wide = x if inside else widened(xp, x)
    if known.is_noise:
        if check:
            _check_range(xp, wide, known)
        with np.errstate(over="ignore", invalid="ignore"):  # looked for below
            return _narrowed(xp, with_noise(xp, wide, known, random), x, known, check)
    if scale is None or known.hadamard:
        check_groups(x, known)
    # Scales of what is not finite make NaN, so the result shows it; where no scale is made, x must.
    if check and (scale is not None or not known.is_scaled or wide.dtype == xp.float64):
        _check_range(xp, wide, known)
    uniform = (
        draws(xp, wide, "uniform", random, tuple(x.shape), str(known)) if known.rounding else None
    )
    step = None if scale is None else _given_scale(xp, wide, known, scale, check)
    with np.errstate(over="ignore", invalid="ignore"):  # looked for below
        out = (by or rounded)(xp, wide, known, uniform, step)
    return _narrowed(xp, out, x, known, check)


def check_nearest(known: Format, methods: tuple[str, ...]) -> None:
    """Raise ValueError where a format asks for a method that rounding to nearest is not."""
    if known.method is not None and known.method not in methods:
        named = " or ".join(f"@{each}" for each in methods)
        raise ValueError(
            f"fake_quantise rounds to nearest ({named}), not by '@{known.method}' as '{known}' "
            "says; "
            "methods belong to training and to quantise"
        )


def round_elements(
    x: AnyArray, format: Format | str, *, random: Any = None, saturate: bool = True
) -> AnyArray:
    """x rounded to the grid of a format as it stands, without a scale: what a cast does.

    Parameters
    ----------
    x, known, random
        As for `fake_quantise`.
    saturate
        Whether what lies beyond the largest number becomes that number; else what the standard of
        the format says, infinity or NaN. On a CPU torch 2.13 saturates in e4m3 and gives infinity
        in e5m2.

    Raises
    ------
    ValueError
        x cannot be rounded, or the format has no grid.
    """
    known = Format.parse(format)
    xp = checked(x)
    x = x.detach() if hasattr(x, "detach") else x
    check_nearest(known, NEAREST)
    if not known.has_grid:
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


def hadamard(x: AnyArray, format: Format | str) -> AnyArray:
    """x rotated along its last axis as '+had' of a format rotates it before rounding; its own
    inverse."""
    known = Format.parse(format)
    check_groups(x, known)
    return rotated(checked(x), x, rotated_size(x.shape, granularity_of(known)))


def scales(x: AnyArray, format: Format | str) -> AnyArray:
    """What each number of x is divided by before it is rounded, an array that broadcasts against x.

    fake_quantise(x, known, scale=scales(x, known)) is fake_quantise(x, known).

    Raises
    ------
    ValueError
        The format has no scale, or a zero point beside it, which a scale alone does not say.
    """
    known = Format.parse(format)
    xp = checked(x)
    if not known.is_scaled or known.span == "shifted":
        why = "has a zero point" if known.span == "shifted" else "has no scale"
        raise ValueError(f"'{known}' {why}; scales() supports scaled grids around zero")
    check_groups(x, known)
    y, share = widened(xp, x.detach() if hasattr(x, "detach") else x), granularity_of(known)
    y = rotated(xp, y, rotated_size(x.shape, share)) if known.hadamard else y
    y = grouped(xp, y, share)
    step = scale_of(xp, y, known, lambda z, tried: rounded_at(xp, z, known, tried, None)).step
    if share == "tensor":
        return step.reshape((1,) * len(x.shape))
    return step if share == "row" else ungrouped(xp, xp.broadcast_to(step, y.shape), x.shape, share)


def rounded(
    xp: Any,
    x: AnyArray,
    known: Format,
    uniform: AnyArray | None = None,
    step: AnyArray | None = None,
) -> AnyArray:
    """`fake_quantise` without its checks: arithmetic alone, which a compiler can trace.

    x is float32 or float64, `uniform` of its shape, `step` broadcasts against it.
    """
    share = granularity_of(known)
    # The rotation is its own inverse, so the same call turns the result back.
    size = rotated_size(x.shape, share) if known.hadamard else 1
    y = rotated(xp, x, size) if known.hadamard else x
    if step is not None:
        out = rounded_at(xp, y, known, Scale(step, _middle(xp, step, known)), uniform)
    elif known.function or known.is_scaled:
        y = grouped(xp, y, share)
        out = _in_groups(xp, y, known, None if uniform is None else grouped(xp, uniform, share))
        out = ungrouped(xp, out, x.shape, share)
    else:
        out = to_grid(xp, y, known, uniform)
    return rotated(xp, out, size) if known.hadamard else out


def _in_groups(xp: Any, y: AnyArray, known: Format, uniform: AnyArray | None) -> AnyArray:
    if known.function is not None:
        # A copy, since the function of a user may work in place.
        return _as_given(known.function(xp.asarray(y, copy=True)), y, known)
    scale = scale_of(xp, y, known, lambda z, tried: rounded_at(xp, z, known, tried, None))
    return rounded_at(xp, y, known, scale, uniform)


def _middle(xp: Any, step: AnyArray, known: Format) -> AnyArray | None:
    """The zero point that goes with a step given from outside: the middle code of shifted
    integers."""
    return xp.ones_like(step) * 2.0 ** (known.bits - 1) if known.span == "shifted" else None


def _given_scale(xp: Any, x: AnyArray, known: Format, scale: Any, check: bool) -> AnyArray:
    if known.function:
        raise ValueError(f"'{known}' scales by its own function; leave scale out")
    try:
        step = xp.asarray(scale, dtype=working_type(xp, x), device=x.device)
        fits = np.broadcast_shapes(tuple(step.shape), tuple(x.shape)) == tuple(x.shape)
    except (ValueError, TypeError, RuntimeError):
        fits = False
    if not fits:
        raise ValueError(
            f"the scale of '{known}' must be a number or an array that broadcasts to shape "
            f"{tuple(x.shape)}"
        )
    # Looking at it waits for the device, which training does not.
    if check and not bool(xp.all(xp.isfinite(step) & (step > 0))):
        raise ValueError(
            f"the scale of '{known}' must be finite and above 0, and some of it is not"
        )
    return step


def _as_given(out: AnyArray, y: AnyArray, known: Format) -> AnyArray:
    """What a quantiser of the user returned, once it is known to be an array like the one it
    got."""
    if not hasattr(out, "dtype") or tuple(out.shape) != tuple(y.shape) or out.dtype != y.dtype:
        got = (
            f"{out.dtype} of shape {tuple(out.shape)}"
            if hasattr(out, "dtype")
            else f"a {type(out).__name__}"
        )
        raise ValueError(
            f"the function of '{known.name}' returned {got}; it must return {y.dtype} of shape "
            f"{tuple(y.shape)}"
        )
    return out


def _narrowed(xp: Any, wide: AnyArray, x: AnyArray, known: Format, check: bool) -> AnyArray:
    """The result in the type of x, once it is known to have stayed finite where that is to be
    checked."""
    with np.errstate(over="ignore"):
        out = xp.astype(wide, x.dtype, copy=False)
    if check and not all_finite(xp, out):
        _check_range(xp, x, known)
        raise ValueError(
            f"rounding to '{known}' left the range of {dtype_name(x)}; scale the array down first"
        )
    is_grid = known.has_grid and known.rounding != "dither"
    if check and is_grid and out is not wide and bool(xp.any(xp.astype(out, wide.dtype) != wide)):
        raise RoundedTwice(
            f"numbers of '{known}' times their scale are no numbers of {dtype_name(x)}, so the "
            "result would be rounded twice; pass a float32 array, or check=False to have it cast"
        )
    return out


def _check_range(xp: Any, x: AnyArray, known: Format) -> None:
    """Raise ValueError where numbers are not finite, or too large for the scales of their
    blocks."""
    if not all_finite(xp, x):
        raise ValueError(f"cannot round to '{known}': the array holds NaN or infinity")
    if (
        known.scale == "e8m0"
        and x.dtype == xp.float64
        and bool(xp.max(xp.abs(x)) >= known.max * 2.0**127)
    ):
        raise ValueError(
            f"cannot round to '{known}': its scales end at 2^127, and the array holds larger "
            "numbers"
        )
