"""Fits that isoloss ships with their evidence, and what of one's own runs does to them."""

from isoloss.fits.presets.leaving_out import leave_out
from isoloss.fits.presets.shipped import SHIPPED, shipped_fit

__all__ = ["SHIPPED", "leave_out", "shipped_fit"]
