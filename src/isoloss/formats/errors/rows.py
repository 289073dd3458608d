"""The error of a format on rows of normal numbers, as a matrix of a given width has them: by
quadrature where the largest magnitude makes the scale, else of numbers that are drawn.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from isoloss.formats.errors.relative import has_absmax_scale, relative_error
from isoloss.formats.number import Format
from isoloss.formats.rounding import fake_quantise

#: Numbers that are drawn: the error is known to about half a percent.
_DRAWN = 2**20
#: Rows at least, so that the mean is not that of a few scales.
_ROWS = 64


def row_error(format: Format | str, width: int = 4096) -> float:
    """The mean squared error of rounding over the variance, of rows of normal numbers.

    Unlike `relative_error` it knows what shares a scale: rows, groups, tiles, blocks, clip search
    and rotation enter as `fake_quantise` rounds, so that '/128' is better than '/row', and '+clip'
    than neither. A format without a granularity shares one scale in all rows; methods after
    training are left out.

    Parameters
    ----------
    format
        The format or its spelling.
    width
        Numbers in a row: inputs of a matrix.

    Returns
    -------
    float
        E(Q(x) - x)^2 / E x^2.

    Raises
    ------
    ValueError
        The format does not round rows of this width, or that is no whole number above 1.
    """
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 2:
        raise ValueError(f"a row of {width!r} numbers is none; its width is a whole number above 1")
    return _row_error(replace(Format.parse(format), method=None), int(width))


@lru_cache(maxsize=4096)
def _row_error(known: Format, width: int) -> float:
    if known.is_exact:
        return 0.0
    block = width if known.granularity == "row" else known.group
    if has_absmax_scale(known) and known.scale is None and block and not (
        known.is_random or known.pow2 or known.function or known.hadamard
    ):  # fmt: skip
        return relative_error(known, block=min(block, width))
    rows = max(_ROWS, _DRAWN // width)
    x = np.random.default_rng(width).normal(size=(rows, width))
    random = 0 if known.is_random else None
    return float(np.mean((fake_quantise(x, known, random=random) - x) ** 2) / np.mean(x**2))
