"""How large the error of a format is: relative error for three distributions and any block, and its
structure on an array."""

from isoloss.formats.errors.relative import has_absmax_scale, integer_bits, relative_error
from isoloss.formats.errors.rows import row_error
from isoloss.formats.errors.structure import ErrorStructure, error_structure

# fmt: off
__all__ = [
    "ErrorStructure", "error_structure", "has_absmax_scale", "integer_bits", "relative_error",
    "row_error",
]
# fmt: on
