"""What the runs can tell: loose constants followed along their ridge, and answers asked there."""

from isoloss.fits.identify.identified import SHARE, Along, Identified, join_ridges
from isoloss.fits.identify.identifying import identify
from isoloss.fits.identify.telling import no_exponent, widened

__all__ = ["SHARE", "Along", "Identified", "identify", "join_ridges", "no_exponent", "widened"]
