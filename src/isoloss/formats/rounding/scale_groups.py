"""Scale groups (blocks): the numbers that share a scale, brought to the last axis and back, and
their rotation."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

from isoloss.formats.modifiers import tile_of
from isoloss.formats.number import Format
from isoloss.formats.parts import unexecuted
from isoloss.formats.rounding.arrays import AnyArray, divided


def granularity_of(known: Format) -> str | int:
    """What shares a scale where no part of a model says: the modifier, else the block, else the
    tensor.

    Raises
    ------
    ValueError
        Channels and tokens, which need to know what the axes of an array are.
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
    rows, columns = _sides(share)
    if rows > 1 and len(x.shape) < 2:
        raise ValueError(f"'{known}' shares a scale among rows, and an array of one axis has none")
    divided = rows == 1 or x.shape[-2] % rows == 0
    if columns and not (divided and x.shape[-1] % columns == 0) and not fills_up(known):
        what = f"groups of {columns}" if rows == 1 else f"tiles of {rows} x {columns}"
        axes = "last axis" if rows == 1 else "last two axes"
        ends = (
            f"its length {x.shape[-1]} must be a multiple of {columns}"
            if rows == 1
            else "both must be multiples"
        )
        raise ValueError(
            f"{what} in '{known}' do not divide the {axes} of shape {tuple(x.shape)}; {ends}"
        )
    if known.hadamard and rotated_size(x.shape, share) < 2:
        raise ValueError(
            f"'{known}' rotates groups whose size is a power of two; the last axis of shape "
            f"{tuple(x.shape)} "
            "holds none"
        )


def fills_up(known: Format) -> bool:
    """Whether the last group of a row may be smaller than the others: zeros fill it up, which
    change no largest magnitude, but would change a mean, and be rotated with the rest."""
    return known.is_scaled and not (known.hadamard or known.scales_by_mean)


def grouped(xp: Any, x: AnyArray, share: str | int) -> AnyArray:
    """x with the numbers that share a scale along its last axis: shape (1, all), x's own, or (...,
    groups, size), for tiles (..., tiles down, tiles across, size)."""
    rows, columns = _sides(share)
    if not columns:
        return x.reshape((1, prod(x.shape))) if share == "tensor" else x
    x = filled(xp, x, share)
    if rows == 1:
        return x.reshape((*x.shape[:-1], x.shape[-1] // columns, columns))
    down, across = x.shape[-2] // rows, x.shape[-1] // columns
    x = xp.moveaxis(x.reshape((*x.shape[:-2], down, rows, across, columns)), -3, -2)
    return x.reshape((*x.shape[:-2], rows * columns))


def ungrouped(xp: Any, y: AnyArray, shape: tuple[int, ...], share: str | int) -> AnyArray:
    """What `grouped` made of an array of a shape, as that array again."""
    rows, columns = _sides(share)
    if not columns:
        return y.reshape(shape)
    if rows == 1:
        y = y.reshape((*shape[:-1], -1))
        return y if y.shape[-1] == shape[-1] else xp.asarray(y[..., : shape[-1]], copy=True)
    y = xp.moveaxis(y.reshape((*y.shape[:-1], rows, columns)), -2, -3)
    y = y.reshape((*y.shape[:-4], y.shape[-4] * rows, y.shape[-2] * columns))
    return xp.asarray(y[..., : shape[-2], : shape[-1]], copy=True)


def _sides(share: str | int) -> tuple[int, int]:
    """Rows and columns of the numbers that share a scale; (1, 0) where a row or all do."""
    return (1, share) if isinstance(share, int) else tile_of(share) or (1, 0)


def filled(xp: Any, x: AnyArray, share: str | int) -> AnyArray:
    """x with zeros behind its rows and below them, until groups or tiles divide it."""
    rows, columns = _sides(share)
    for axis, size in ((-1, columns or 1), (-2, rows)):
        if size > 1 and x.shape[axis] % size:
            shape = list(x.shape)
            shape[axis] = -shape[axis] % size
            zeros = xp.zeros(tuple(shape), dtype=x.dtype, device=x.device)
            x = xp.concat([x, zeros], axis=axis)
    return x


def rotated_size(shape: tuple[int, ...], share: str | int) -> int:
    """How many neighbours a Hadamard rotation mixes: the largest power of two that divides the
    group or last axis."""
    length = _sides(share)[1] or (shape[-1] if shape else 1)
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
