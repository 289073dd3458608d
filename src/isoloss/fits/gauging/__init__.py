"""A run under way beside its control: as predicted, worse than rounding explains, or better."""

from isoloss.fits.gauging.expectation import Expectation
from isoloss.fits.gauging.gauge_values import Found, Gauge
from isoloss.fits.gauging.gauging import gauge
from isoloss.fits.gauging.paired_logs import PairedLogs
from isoloss.fits.gauging.trend import Crossing

# fmt: off
__all__ = [
    "Crossing", "Expectation", "Found", "Gauge", "PairedLogs", "gauge",
]
# fmt: on
