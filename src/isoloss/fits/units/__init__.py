"""What counts as one piece of evidence in a table, and rows and columns that need a word."""

from isoloss.fits.units.along_runs import Lines
from isoloss.fits.units.finding import undeclared, units_of, with_units
from isoloss.fits.units.outlying import odd_rows
from isoloss.fits.units.plausible import check_splits, counts, rising, split_cells
from isoloss.fits.units.standard_errors import relative_errors, scatter_beyond, with_weights
from isoloss.fits.units.value import Units

# fmt: off
__all__ = [
    "Lines", "Units", "check_splits", "counts", "odd_rows", "relative_errors", "rising",
    "scatter_beyond", "split_cells", "undeclared", "units_of", "with_units", "with_weights",
]
# fmt: on
