"""What counts as one piece of evidence in a table, and rows and columns that need a word."""

from isoloss.fits.units.along_runs import Lines
from isoloss.fits.units.finding import of_rows, units_of, with_units
from isoloss.fits.units.plausible import check_splits
from isoloss.fits.units.standard_errors import weighted
from isoloss.fits.units.value import Units

__all__ = ["Lines", "Units", "check_splits", "of_rows", "units_of", "weighted", "with_units"]
