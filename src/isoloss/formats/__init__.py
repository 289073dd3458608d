"""How a number is rounded (Format), and which part of a model uses which format (Precision)."""

from isoloss.formats.marks import Marks
from isoloss.formats.names import catalogue, float_format, int_format, noise_format
from isoloss.formats.number import Format
from isoloss.formats.parts import PARTS
from isoloss.formats.precision import Precision

__all__ = [
    "PARTS",
    "Format",
    "Marks",
    "Precision",
    "catalogue",
    "float_format",
    "int_format",
    "noise_format",
]
