"""Scale groups (blocks): the numbers that share a scale, brought to the last axis and back, and
their rotation."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

from isoloss.formats.number import Format
from isoloss.formats.parts import unexecuted
from isoloss.formats.rounding.arrays import AnyArray, divided


def granularity_of(known: Format) -> str | int:
    """What shares a scale where no part of a model says: the modifier, else the block, else the
    tensor.

    Raises
    ------
    ValueError
        Tiles, channels and tokens, which need to know what the axes of an array are.
    """
    if why := unexecuted(known):
        raise ValueError(f"'{known}' cannot be rounded: {why}")
    return known.granularity or known.block or "tensor"


def check_groups(x: AnyArray, known: Format) -> None:
    """Raise ValueError where x cannot be cut into the scale groups of a format, or these not be
    rotated."""
    share = granularity_of(known)
    if share != "tensor" and len(x.shape) == 0:
        raise ValueError(
            f"'{known}' shares a scale along the last axis, and a single number has none"
        )
    if isinstance(share, int) and x.shape[-1] % share:
        raise ValueError(
            f"groups of {share} in '{known}' do not divide the last axis of shape "
            f"{tuple(x.shape)}; "
            f"its length {x.shape[-1]} must be a multiple of {share}"
        )
    if known.hadamard and rotated_size(x.shape, share) < 2:
        raise ValueError(
            f"'{known}' rotates groups whose size is a power of two; the last axis of shape "
            f"{tuple(x.shape)} "
            "holds none"
        )


def grouped(x: AnyArray, share: str | int) -> AnyArray:
    """x with the numbers that share a scale along its last axis: shape (1, all), x's own, or (...,
    groups, size)."""
    if share == "tensor":
        return x.reshape((1, prod(x.shape)))
    return (
        x if share == "row" else x.reshape((*x.shape[:-1], x.shape[-1] // int(share), int(share)))
    )


def rotated_size(shape: tuple[int, ...], share: str | int) -> int:
    """How many neighbours a Hadamard rotation mixes: the largest power of two that divides the
    group or last axis."""
    length = share if isinstance(share, int) else (shape[-1] if shape else 1)
    # The lowest set bit of a whole number is its largest factor that is a power of two.
    return length & -length


def rotated(xp: Any, x: AnyArray, size: int) -> AnyArray:
    """The orthonormal Walsh-Hadamard transform of every `size` neighbours along the last axis; its
    own inverse.

    Sylvester's order, by butterflies: H_2n = [[H_n, H_n], [H_n, -H_n]], divided by sqrt(size) at
    the end.
    """
    shape, width = x.shape, 1
    while width < size:
        pairs = x.reshape((*shape[:-1], shape[-1] // (2 * width), 2, width))
        first, second = pairs[..., 0, :], pairs[..., 1, :]
        x = xp.stack([first + second, first - second], axis=-2).reshape(shape)
        width *= 2
    # One division at the end rounds once; dividing by sqrt(2) in each step would round log2(size)
    # times.
    return divided(xp, x, sqrt(size))
