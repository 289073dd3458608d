"""Laws compared on the same runs: held-out errors, weights, one report."""

from isoloss.fits.compare_laws.comparing import compare
from isoloss.fits.compare_laws.comparison import Comparison
from isoloss.fits.compare_laws.ranking import Entry

# fmt: off
__all__ = [
    "Comparison", "Entry", "compare",
]
# fmt: on
