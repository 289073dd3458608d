"""Rounding with scales that were taken before, of numbers that change meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from array_api_compat import array_namespace

from isoloss.formats.number import Format
from isoloss.formats.rounding.arrays import AnyArray, checked, widened
from isoloss.formats.rounding.elements import to_grid
from isoloss.formats.rounding.scaling import Scale, rounded_at, scale_of


@dataclass(frozen=True)
class FixedGrid:
    """A rule that rounds with scales taken before, of arrays that broadcast against them.

    Attributes
    ----------
    known
        The format, which rounds to nearest.
    step
        What numbers are divided by, (..., 1); None where the format has no scale.
    zero
        The code of zero where codes are shifted, like `step`.
    """

    known: Format
    step: AnyArray | None = None
    zero: AnyArray | None = None

    def __call__(self, x: AnyArray) -> AnyArray:
        """x rounded, in the type that arithmetic is done in."""
        xp = array_namespace(x)
        if self.known.is_exact:
            return xp.asarray(x, copy=True)
        if self.step is None:
            return to_grid(xp, x, self.known)
        return rounded_at(xp, x, self.known, Scale(self.step, self.zero), None)


def frozen(x: AnyArray, format: Format | str) -> FixedGrid:
    """The rule that rounds other numbers with the scales of x, one for each row along its last
    axis.

    frozen(x, known)(x) is x rounded a row at a time, whatever granularity the format says; the rule
    takes arrays that broadcast against those scales, such as one column of x after it changed: so a
    quantiser can round numbers one by one and keep them on one grid. The method of the format is
    the caller's own business.

    Raises
    ------
    ValueError
        Rounding is more than a grid and a scale: noise, custom functions, '+had', '~sr', '~dither'.
    """
    known = Format.parse(format)
    if known.is_random or known.function or known.hadamard:
        raise ValueError(
            f"'{known}' has no fixed grid; accepted are formats that round to nearest, without +had"
        )
    xp = checked(x)
    y = widened(xp, x.detach() if hasattr(x, "detach") else x)
    if not known.is_scaled:
        return FixedGrid(known)
    return FixedGrid(
        known, *scale_of(xp, y, known, lambda z, tried: rounded_at(xp, z, known, tried, None))
    )
