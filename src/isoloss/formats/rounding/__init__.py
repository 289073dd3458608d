"""Rounding itself, the specification: arrays, scale groups, scales, elements, ideal noise."""

from isoloss.formats.rounding.arrays import AnyArray, checked, divided, power_of_two, widened
from isoloss.formats.rounding.rule import (
    NEAREST,
    RoundedTwice,
    check_nearest,
    fake_quantise,
    frozen,
    hadamard,
    round_elements,
    rounded,
    scales,
)
from isoloss.formats.rounding.scale_groups import filled, fills_up, granularity_of

# fmt: off
__all__ = [
    "NEAREST", "AnyArray", "RoundedTwice", "check_nearest", "checked", "divided", "fake_quantise",
    "filled", "fills_up", "frozen", "granularity_of", "hadamard", "power_of_two", "round_elements",
    "rounded", "scales", "widened",
]
# fmt: on
