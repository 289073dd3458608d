"""A quantiser as twelve numbers, the form in which compiled code reads it; behind them the table
that noise is drawn from where it is not normal.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import DISTRIBUTIONS, Format, Modifiers, NoiseLevels, noise_model
from isoloss.linear.moments import noise_levels
from isoloss.linear.quantisers import default_step

#: What a quantiser does: nothing; noise added, by one factor a vector, by one factor an element, by
#: more than one of these; whole numbers, to the nearest or at random; floats likewise; a grid finer
#: than the numbers it is given, which only clips; whole numbers with subtractive dither.
(
    NONE,
    ADD,
    VEC,
    COORD,
    MIXED,
    NEAREST_EQUAL,
    RANDOM_EQUAL,
    NEAREST_FLOAT,
    RANDOM_FLOAT,
    CLIP,
    DITHER_EQUAL,
) = range(11)
#: Places in a rule: what it does, the deviation of its noise, what one unit of its grid stands for,
#: the ends of the grid, a float's smallest normal number, 2^-mantissa; where scales follow what is
#: rounded, how many neighbours share one, the rule it follows, and the step of an integer's grid;
#: of mixed noise the deviations of an element's own factor and of the vector's.
CODE, SPREAD, SCALE, LOW, TOP, SMALLEST, UNIT, GROUP, SCALING, STEP, OWN, COMMON = range(12)
#: Where the table of quantiles begins (formats/distributions.py), in rules that have one.
PLACES = 12
#: The scale of a group: its largest magnitude over the largest number; the power of two below that
#: (MX); that rounded to e4m3 in units of one number of the row (NV).
LARGEST, POWER, TWO_LEVELS = range(3)


def rule_of(
    known: Format | None,
    scale: float | None,
    size: float,
    dtype: Any = np.float32,
    low: float | None = None,
) -> NDArray[Any]:
    """The rule (12,) of a format for numbers of a type; `size` is what an integer's default step is
    made from. Noise that is not normal has its table behind it.

    `low` is the lower end of the grid in its own units; None is minus the upper end, as this room
    has it.
    """
    rule = np.array([NONE, 0, 1, -math.inf, math.inf, 0, 0, 0, 0, 1, 0, 0], dtype)
    if known is None or known.is_exact:
        return rule
    noise = noise_levels(known)
    if noise is not None:
        rule[[CODE, SPREAD, OWN, COMMON]] = _noise_places(noise)
        table = DISTRIBUTIONS[noise_model(str(known.noise)).distribution].table
        return rule if table is None else np.concatenate([rule, table.astype(dtype)])
    # The ends of the grid in its own units, as numbers of the type that compiled code rounds in.
    at_random, top = known.rounding == "sr", _within(known.max, dtype)
    rule[LOW], rule[TOP] = -top if low is None else -_within(-low, dtype), top
    if known.mantissa is None or known.lowest_exponent is None:
        rule[CODE] = RANDOM_EQUAL if at_random else NEAREST_EQUAL
        if known.rounding == "dither":
            rule[CODE] = DITHER_EQUAL
        rule[SCALE] = scale or default_step(known, size)
        return rule
    rule[SMALLEST], rule[UNIT], rule[SCALE] = (
        2.0**known.lowest_exponent,
        2.0**-known.mantissa,
        scale or 1.0,
    )
    # A float finer than the numbers it is given rounds none of them; it can only clip.
    bits, lowest = (23, -126) if dtype == np.float32 else (52, -1022)
    if known.mantissa >= bits and known.lowest_exponent <= lowest:
        rule[CODE] = CLIP
    else:
        rule[CODE] = RANDOM_FLOAT if at_random else NEAREST_FLOAT
    return rule


def _noise_places(noise: NoiseLevels) -> tuple[float, ...]:
    """What an ideal noise does, and its deviations: the quick loops for one source, a slower one
    for more.
    """
    if noise.only_added:
        return ADD, math.sqrt(noise.add), 0.0, 0.0
    if noise.one_factor:
        return VEC, math.sqrt(noise.mul), 0.0, 0.0
    if not (noise.add or noise.shared):
        return COORD, math.sqrt(noise.mul), 0.0, 0.0
    own = math.sqrt(noise.mul - noise.shared)
    return MIXED, math.sqrt(noise.add), own, math.sqrt(noise.shared)


def scaled_rule(known: Format, length: int, dtype: Any = np.float32) -> NDArray[Any]:
    """The rule of a format whose groups share scales, for rows of a length.

    Raises ValueError where groups do not divide the row.
    """
    group = known.granularity if isinstance(known.granularity, int) else known.block
    group = length if known.granularity == "row" or group is None else group
    if length % group:
        raise ValueError(
            f"groups of {group} in '{known}' do not divide a row of {length} numbers; accepted are "
            f"groups that do, or features (rows of a sketch) in a multiple of {group}"
        )
    # Integers are divided by their step before the grid of whole numbers; their scale covers half a
    # step more.
    step = 1.0 if known.exponent is not None else known.smallest_step
    end = known.max if known.exponent is not None else known.max + step
    rule = rule_of(known.modified(Modifiers(rounding=known.rounding)), 1.0, 1.0, dtype, -end)
    rule[LOW], rule[TOP] = rule[LOW] / step, rule[TOP] / step
    rule[GROUP], rule[STEP], rule[SCALE] = group, step, np.finfo(dtype).tiny  # the least scale
    rule[SCALING] = {"e8m0": POWER, "e4m3": TWO_LEVELS}.get(known.scale or "", LARGEST)
    return rule


def _within(value: float, dtype: Any) -> float:
    """The largest number of a type that is not above a positive value."""
    with np.errstate(over="ignore"):
        near = dtype(value)
    return float(near if float(near) <= value else np.nextafter(near, dtype(0)))
