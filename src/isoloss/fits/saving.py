"""Fits and comparisons as kinds of files: whatever imports this room can load them."""

from isoloss.files import KINDS, Kind
from isoloss.files import load as load
from isoloss.files import save as save
from isoloss.fits.compare_laws import Comparison
from isoloss.fits.result import Fit

KINDS.register("fit", Kind(Fit))
KINDS.register("comparison", Kind(Comparison))
