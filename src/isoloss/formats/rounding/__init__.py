"""Rounding itself, the specification: arrays, scale groups, scales, elements, ideal noise."""

from isoloss.formats.rounding.arrays import AnyArray, checked, power_of_two
from isoloss.formats.rounding.rule import (
    fake_quantise,
    frozen,
    hadamard,
    round_elements,
    rounded,
    scales,
)

# fmt: off
__all__ = [
    "AnyArray", "checked", "fake_quantise", "frozen", "hadamard", "power_of_two", "round_elements",
    "rounded", "scales",
]
# fmt: on
