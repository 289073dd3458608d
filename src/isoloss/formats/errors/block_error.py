"""The error of numbers whose scale is made by the largest of their block."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from isoloss.formats.errors.distributions import Array, Distribution
from isoloss.formats.errors.quadrature import integral, two_sided_error
from isoloss.formats.named import E4M3
from isoloss.formats.number import Format


def block_error(known: Format, block: int, x: Distribution) -> float:
    """The error where the scale is one number for every maximum in an interval: MX, NV and '+pow2'.

    The scale is s for every maximum m in (low, high]; one element's share of the error there is
    I_s(high) F(high)^(block-1) - I_s(low) F(low)^(block-1), with F the distribution of |x| and
    I_s(m) = E[(Q_s(x) - x)^2; |x| <= m], because the maximum is below m when all elements are.
    """
    sides = sides_of(known)
    total = 0.0
    for low, high, scale in _scale_pieces(known, x):
        scaled = [levels * scale for levels in sides]
        for edge, sign in ((high, 1.0), (low, -1.0)):
            others = float(x.below(edge)) ** (block - 1)
            total += sign * two_sided_error(scaled, known.rounding, edge, x) * others
    return total


def absmax_error(known: Format, block: int, x: Distribution) -> float:
    """The error where the scale is in proportion to the maximum m of the block.

    The mean over m of the error of the others, I_m / F(m) each, and of the maximum itself. With f
    the density of |x|: the integral of F^(n-2) f ((n - 1) I_m + F e_m), e_m being the error of the
    maximum.
    """
    top = known.scaled_max
    sides = sides_of(known)

    def of(m: float) -> float:
        scaled = [levels * (m / top) for levels in sides]
        below = float(x.below(m))
        # All but the largest lie below it, and are distributed as the variable cut off there.
        others = (block - 1) * two_sided_error(scaled, known.rounding, m, x)
        own = below * _error_at_top(known, m / top)
        return below ** (block - 2) * float(x.density(np.array(m))) * (others + own)

    # Beyond these ends lie maxima so rare that they weigh nothing in double precision.
    low, high = _where_maxima_lie(block, x)
    return integral(of, low, high, 0.5)


def sides_of(known: Format) -> tuple[Array, Array]:
    """The numbers of a grid as seen from above zero, and the magnitudes as seen from below it.

    A grid of numbers without a zero shows each side its neighbour across zero too, as a negative
    number: a small positive number may be nearest to it.
    """
    grid = known.grid
    above, below = grid[grid >= 0], -grid[grid <= 0][::-1]
    if 0.0 in grid or known.numbers is None:
        return above, below
    positive, negative = above[:1], below[:1]
    return np.concatenate([-negative, above]), np.concatenate([-positive, below])


def _error_at_top(known: Format, step: float) -> float:
    """The squared error of the maximum itself, the mean of both signs.

    None where both ends reach it, half a step where the range is full, what an end of a grid of
    numbers lacks.
    """
    missed = 0.0
    if known.numbers is not None:
        ends = (known.max, -known.min)
        missed = sum((step * (known.scaled_max - end)) ** 2 for end in ends) / 2
    elif known.span == "full":
        missed = (step * known.smallest_step / 2) ** 2
    return missed + (step**2 / 12 if known.rounding == "dither" else 0.0)


def _where_maxima_lie(block: int, x: Distribution) -> tuple[float, float]:
    """Where the largest of a block lies but for a share of 1e-15 at either end, by bisection."""
    ends = []
    for share in (1e-15, 1 - 1e-15):
        low, high = 0.0, x.reach
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if float(x.below(middle)) ** block < share else (low, middle)
        ends.append((low + high) / 2)
    return ends[0], ends[1]


def _scale_pieces(known: Format, x: Distribution) -> Iterator[tuple[float, float, float]]:
    """Intervals of the block's largest magnitude, with the scale that each gives."""
    if known.scale == "e4m3":
        scales = E4M3.grid
        scales = scales[scales > 0]
        edges = np.concatenate([[0.0], (scales[1:] + scales[:-1]) / 2, [math.inf]]) * known.max
        for low, high, scale in zip(edges[:-1], edges[1:], scales, strict=True):
            if low < x.reach:
                yield float(low), min(float(high), x.reach), float(scale)
        return
    # MX takes the power of two below the maximum, '+pow2' the one above maximum / max.
    is_mx = known.scale == "e8m0"
    unit = 1.0 if is_mx else known.scaled_max
    # 36 octaves below the largest a maximum of a block is too rare and too small to weigh.
    last = math.ceil(math.log2(x.reach / unit))
    for power in range(last - 36, last + 1):
        low = 2.0**power * unit
        yield (
            low,
            2 * low,
            2.0 ** (power - math.floor(math.log2(known.max)) if is_mx else power + 1),
        )
