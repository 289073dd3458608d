"""What the runs can tell: loose constants followed along their ridge, and answers asked there."""

from isoloss.fits.identify.identified import COUNT, EXPONENT, NOISES, Along, Identified
from isoloss.fits.identify.identifying import identify
from isoloss.fits.identify.telling import widened

__all__ = ["COUNT", "EXPONENT", "NOISES", "Along", "Identified", "identify", "widened"]
