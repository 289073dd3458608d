"""Rounding to nearest in machine code, for loops of which arrays would make a dozen passes: a door
of its own, since not every user of formats has numba.
"""

from isoloss.formats.numba_twin.loops import fed_columns, least_ratios

__all__ = ["fed_columns", "least_ratios"]
