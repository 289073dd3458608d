"""Rounding itself, the specification: arrays, scale groups, scales, elements, ideal noise."""

from isoloss.formats.rounding.arrays import AnyArray, checked, divided, power_of_two, widened
from isoloss.formats.rounding.cuts import Cuts, cuts_of
from isoloss.formats.rounding.fixed import FixedGrid, frozen
from isoloss.formats.rounding.rule import (
    NEAREST,
    RoundedTwice,
    check_nearest,
    fake_quantise,
    hadamard,
    round_elements,
    rounded,
    scales,
)
from isoloss.formats.rounding.scale_groups import filled, fills_up, granularity_of

# fmt: off
__all__ = [
    "NEAREST", "AnyArray", "Cuts", "FixedGrid", "RoundedTwice", "check_nearest", "checked",
    "cuts_of", "divided", "fake_quantise", "filled", "fills_up", "frozen", "granularity_of",
    "hadamard", "power_of_two", "round_elements", "rounded", "scales", "widened",
]
# fmt: on
