"""Fits that isoloss ships with their evidence, and what of one's own runs does to them."""

from isoloss.fits.presets.leaving_out import leave_out
from isoloss.fits.presets.shipped import SHIPPED, shipped_fit
from isoloss.fits.presets.updating import Update, update

__all__ = ["SHIPPED", "Update", "leave_out", "shipped_fit", "update"]
