"""Arrays of numpy and tensors of torch under one set of words, without importing torch."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from array_api_compat import array_namespace, is_numpy_array, is_torch_array

#: An array of numpy or a tensor of torch; what is returned is of the kind that came in.
AnyArray = Any
_STREAM = 0x150_1055
_FLOATS = ("float16", "bfloat16", "float32", "float64")


def checked(x: AnyArray) -> Any:
    """The namespace whose functions act on x, an array that can be rounded.

    Raises ValueError for anything but a non-empty array of floats.
    """
    if not (is_numpy_array(x) or is_torch_array(x)) or isinstance(x, np.matrix):
        raise ValueError(f"cannot round a {type(x).__name__}; pass a numpy array or a torch tensor")
    if getattr(x, "is_sparse", False) or getattr(getattr(x, "device", None), "type", "") == "meta":
        raise ValueError(
            "cannot round a sparse tensor or one without numbers; pass a dense tensor on a device"
        )
    if dtype_name(x) not in _FLOATS:
        raise ValueError(
            f"cannot round numbers of type {dtype_name(x)}; types are {', '.join(_FLOATS)}"
        )
    if 0 in x.shape:
        raise ValueError(f"cannot round an array without elements, of shape {tuple(x.shape)}")
    return array_namespace(x)


def dtype_name(x: AnyArray) -> str:
    """The type of the numbers: 'float32' for numpy and torch alike."""
    return str(x.dtype).removeprefix("torch.")


def is_short(x: AnyArray) -> bool:
    """Whether the numbers have 16 bits."""
    return dtype_name(x) in ("float16", "bfloat16")


def working_type(xp: Any, x: AnyArray) -> Any:
    """The type that arithmetic is done in: that of x, but float32 for the 16-bit types."""
    return xp.float32 if is_short(x) else x.dtype


def widened(xp: Any, x: AnyArray) -> AnyArray:
    """x in the type that arithmetic is done in."""
    return xp.astype(x, working_type(xp, x), copy=False)


def on_processor(x: AnyArray) -> bool:
    """Whether x is an array of numpy or lies in the memory of the processor."""
    return bool(getattr(x.device, "type", "cpu") == "cpu")


def divided(xp: Any, x: AnyArray, by: float) -> AnyArray:
    """x / by, rounded once: on a GPU torch multiplies by the reciprocal of a number, which rounds
    twice, and divides by an array."""
    if on_processor(x):
        return x / by
    # Made of x, or a compiler would see a constant in the array and take its reciprocal again.
    return x / xp.where(x == x, by, x)


def power_of_two(xp: Any, x: AnyArray) -> AnyArray:
    """The largest power of two not above |x|, read off the exponent bits; 0 below the normal
    numbers."""
    # The mask keeps the eight (eleven) exponent bits: a power of two without a logarithm.
    if x.dtype == xp.float32:
        return (x.view(xp.int32) & 0x7F800000).view(xp.float32)
    return (x.view(xp.int64) & 0x7FF0000000000000).view(xp.float64)


def all_finite(xp: Any, x: AnyArray) -> bool:
    """Whether no number is NaN or infinite; a finite sum, which takes one pass and no memory, says
    so already."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(xp.isfinite(xp.sum(x))) or bool(xp.all(xp.isfinite(x)))


def below_or_at(xp: Any, value: float, x: AnyArray) -> float:
    """The largest number of x's type that is not above a positive value: a whole number, or one of
    24 bits."""
    if x.dtype == xp.float64 or value < 2**24:
        return value
    if value >= 2.0**128:
        return 2.0**128 - 2.0**104
    # Python's whole numbers are exact, so the bits that float32 lacks are cut off, not rounded up.
    whole = int(value)
    spare = whole.bit_length() - 24
    return float(whole >> spare << spare)


def smallest_normal(xp: Any, x: AnyArray) -> float:
    """The smallest positive number of x's type that has full precision."""
    return 2.0**-1022 if x.dtype == xp.float64 else 2.0**-126


def draws(
    xp: Any,
    x: AnyArray,
    kind: Literal["uniform", "normal"],
    random: Any,
    shape: tuple[int, ...],
    why: str,
) -> AnyArray:
    """Random numbers of the type that x is rounded in: uniform on [0, 1) or standard normal.

    `random` is a seed (the same numbers for numpy and torch), a generator of either library, or the
    numbers themselves. Raises ValueError where there is none, or where numbers do not fit.
    """
    if random is None:
        raise ValueError(
            f"'{why}' draws random numbers; pass random= a seed, a generator or the {kind} numbers"
        )
    if isinstance(random, bool) or (isinstance(random, int | np.integer) and random < 0):
        raise ValueError(
            f"'{why}' cannot draw from the seed {random!r}; a seed is a whole number, 0 or more"
        )
    if isinstance(random, int | np.integer | np.random.Generator):
        # A seed opens a stream of its own, or x drawn from the same seed would be the very same
        # numbers.
        own = random if isinstance(random, np.random.Generator) else [int(random), _STREAM]
        source = np.random.default_rng(own)
        draw = source.random if kind == "uniform" else source.standard_normal
        # Drawn by numpy for torch too, so that one seed is the same numbers in both.
        made = draw(shape, dtype=np.float64 if x.dtype == xp.float64 else np.float32)
        return made if is_numpy_array(x) else xp.asarray(made, device=x.device)
    if is_torch_array(x) and hasattr(random, "manual_seed"):
        empty = xp.empty(shape, dtype=working_type(xp, x), device=x.device)
        return (
            empty.uniform_(generator=random)
            if kind == "uniform"
            else empty.normal_(generator=random)
        )
    return _given(xp, x, kind, random, shape, why)


def _given(
    xp: Any, x: AnyArray, kind: str, random: Any, shape: tuple[int, ...], why: str
) -> AnyArray:
    """The caller's own numbers, once their kind, shape and range are known to be right."""
    if not (is_numpy_array(random) or is_torch_array(random)) or array_namespace(random) is not xp:
        raise ValueError(
            f"'{why}' cannot draw from a {type(random).__name__}; pass a seed, a generator or an "
            "array like x"
        )
    if tuple(random.shape) != shape:
        raise ValueError(
            f"'{why}' needs {kind} numbers of shape {shape}, not {tuple(random.shape)}"
        )
    if dtype_name(random) not in _FLOATS:
        raise ValueError(f"'{why}' needs {kind} numbers of a float type, not {dtype_name(random)}")
    numbers = xp.astype(random, working_type(xp, x), copy=False)
    if kind == "uniform" and not bool(xp.all((numbers >= 0) & (numbers < 1))):
        raise ValueError(
            f"'{why}' needs uniform numbers in [0, 1) as {dtype_name(numbers)}; some lie outside"
        )
    return numbers
