"""How a number is rounded (Format), and which part of a model uses which format (Precision)."""

from isoloss.formats.errors import ErrorStructure, error_structure, integer_bits, relative_error
from isoloss.formats.marks import Marks
from isoloss.formats.names import catalogue, float_format, int_format, noise_format
from isoloss.formats.noises import NOISES, NoiseLevels, NoiseModel
from isoloss.formats.number import Format
from isoloss.formats.own import own_format
from isoloss.formats.parts import PARTS
from isoloss.formats.precision import Precision
from isoloss.formats.rounding import (
    fake_quantise,
    frozen,
    hadamard,
    power_of_two,
    round_elements,
    rounded,
    scales,
)

__all__ = [
    "NOISES",
    "PARTS",
    "ErrorStructure",
    "Format",
    "Marks",
    "NoiseLevels",
    "NoiseModel",
    "Precision",
    "catalogue",
    "error_structure",
    "fake_quantise",
    "float_format",
    "frozen",
    "hadamard",
    "int_format",
    "integer_bits",
    "noise_format",
    "own_format",
    "power_of_two",
    "relative_error",
    "round_elements",
    "rounded",
    "scales",
]
