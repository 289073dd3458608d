"""Elements: a number, already scaled, rounded to the grid of a format."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from isoloss.formats.number import Format
from isoloss.formats.rounding.arrays import AnyArray, below_or_at, power_of_two


def to_grid(
    xp: Any, x: AnyArray, known: Format, uniform: AnyArray | None = None, saturate: bool = True
) -> AnyArray:
    """x rounded to the grid of a format, by the rules of the essay in rule.py.

    x is float32 or float64 of any shape, `uniform` of the same; with `saturate=False` what lies
    beyond the grid becomes what the standard of the format says.
    """
    if known.numbers is not None:
        return _listed(xp, x, known.numbers, uniform)
    if known.kind == "binary":
        return _binary(xp, x, uniform)
    top = below_or_at(xp, known.max, x)
    bottom = -below_or_at(xp, -known.min, x) if known.min else 0.0
    if known.rounding == "dither" and uniform is not None:
        step, shift = known.smallest_step, uniform - 0.5
        return xp.clip(xp.round(x / step + shift) * step, bottom, top) - shift * step
    # Both ends lie on the grid, so clipping first gives the same as clipping last, and cannot
    # overflow.
    if saturate:
        x = xp.clip(x, bottom, top)
    out = _on_steps(xp, x, _step_at(xp, x, known), uniform)
    if known.special == "fnuz":
        out = out + 0.0  # its only zero is positive
    return out if saturate else _unsaturated(xp, x, out, known, bottom, top)


def _on_steps(
    xp: Any, x: AnyArray, step: AnyArray | float | None, uniform: AnyArray | None
) -> AnyArray:
    """x as a multiple of its step: the nearest, or the one above or below it at random."""
    if step is None:
        return x
    # The step is a power of two (or one), so the division is exact: the only rounding is the one
    # asked for.
    if uniform is None:
        whole = isinstance(step, float) and step == 1.0  # integers, which need no division
        return xp.round(x) if whole else xp.round(x / step) * step
    multiple = xp.abs(x) / step
    down = xp.floor(multiple)
    up = xp.astype(uniform < multiple - down, x.dtype, copy=False)
    return xp.where(x < 0, -(down + up), down + up) * step


def _listed(xp: Any, x: AnyArray, numbers: tuple[float, ...], uniform: AnyArray | None) -> AnyArray:
    """x as one of a list of numbers: the nearest, at a midpoint the lower; or a neighbour at
    random."""
    levels = xp.asarray(numbers, dtype=xp.float64, device=x.device)
    # In float64 the midpoint of two float32 numbers is exact, and so is every comparison with it.
    wide = xp.astype(x, xp.float64)
    if uniform is None:
        middles = [(low + high) / 2 for low, high in pairwise(numbers)]
        cuts = xp.asarray(middles, dtype=xp.float64, device=x.device)
        nearest = xp.searchsorted(cuts, wide)
    else:
        wide = xp.clip(wide, numbers[0], numbers[-1])
        below = xp.clip(xp.searchsorted(levels, wide, side="right") - 1, 0, len(numbers) - 2)
        low, high = levels[below], levels[below + 1]
        # Magnitudes go up with the probability of their fraction, as those of floats do.
        up = xp.where(
            wide < 0,
            uniform >= (high - wide) / (high - low),
            uniform < (wide - low) / (high - low),
        )
        nearest = below + xp.astype(up, below.dtype)
    out = xp.astype(levels[nearest], x.dtype)
    return xp.where(xp.isnan(x), x, out)


def _binary(xp: Any, x: AnyArray, uniform: AnyArray | None) -> AnyArray:
    """-1 or 1: the sign (0 counts as positive), or at random with mean x where |x| <= 1."""
    down = x < 0 if uniform is None else uniform >= (x + 1) / 2
    # NaN is neither side of zero; it stays itself.
    one = xp.ones_like(x)
    return xp.where(xp.isnan(x), x, xp.where(down, -one, one))


def _step_at(xp: Any, x: AnyArray, known: Format) -> AnyArray | float | None:
    """The distance of neighbours at x; None where the type of x is no finer than the format."""
    if known.mantissa is None or known.lowest_exponent is None:
        return known.smallest_step
    # A format at least as fine as the type of x changes nothing, and its step could be subnormal.
    width, lowest = (23, -126) if x.dtype == xp.float32 else (52, -1022)
    if known.mantissa >= width and known.lowest_exponent <= lowest:
        return None
    return xp.clip(power_of_two(xp, x), 2.0**known.lowest_exponent, None) * 2.0**-known.mantissa


def _unsaturated(
    xp: Any, x: AnyArray, out: AnyArray, known: Format, bottom: float, top: float
) -> AnyArray:
    """What a cast by the standard gives beyond the largest number, `out` being x rounded without an
    end."""
    # An infinity times its step is no number; it is set back before ends are looked at.
    out = xp.where(xp.isinf(x), x, out)
    if known.special == "none":
        return xp.clip(out, bottom, top)
    beyond = xp.abs(out) > top
    return xp.where(beyond, out * float("inf" if known.special == "ieee" else "nan"), out)
