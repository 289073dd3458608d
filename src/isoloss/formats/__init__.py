"""How a number is rounded (Format), and which part of a model uses which format (Precision)."""

from isoloss.formats.custom import custom_format
from isoloss.formats.distributions import DISTRIBUTIONS, Distribution
from isoloss.formats.doors import as_format, as_precision
from isoloss.formats.errors import (
    ErrorStructure,
    error_structure,
    has_absmax_scale,
    integer_bits,
    relative_error,
    row_error,
)
from isoloss.formats.gguf_types import GGUF_TYPES
from isoloss.formats.modifiers import Modifiers
from isoloss.formats.named import catalogue, float_format, int_format, noise_format
from isoloss.formats.names import FORMATS, INT_BITS
from isoloss.formats.noises import NOISES, NoiseLevels, NoiseModel, noise_model
from isoloss.formats.number import Format
from isoloss.formats.parts import OPERANDS, PARTS, is_operand, outer_scopes, unexecuted
from isoloss.formats.precision import Precision
from isoloss.formats.rounding import (
    Cuts,
    FixedGrid,
    RoundedTwice,
    cuts_of,
    fake_quantise,
    fills_up,
    frozen,
    hadamard,
    power_of_two,
    round_elements,
    rounded,
    scales,
)

# fmt: off
__all__ = [
    "DISTRIBUTIONS", "FORMATS", "GGUF_TYPES", "INT_BITS", "NOISES", "OPERANDS", "PARTS", "Cuts",
    "Distribution", "ErrorStructure", "FixedGrid", "Format", "Modifiers", "NoiseLevels",
    "NoiseModel", "Precision", "RoundedTwice", "as_format", "as_precision", "catalogue",
    "custom_format", "cuts_of", "error_structure", "fake_quantise", "fills_up", "float_format",
    "frozen", "hadamard", "has_absmax_scale", "int_format", "integer_bits", "is_operand",
    "noise_format", "noise_model", "outer_scopes", "power_of_two", "relative_error",
    "round_elements", "rounded", "row_error", "scales", "unexecuted",
]
# fmt: on
