"""Second and fourth moments of rounded features, for a full, compressed or sketched problem.

Read in this order: setting (what the engine knows of a problem), representation (which
coordinates), feature_moments (ideal noise), grid_moments (real grids), mixtures
(features that are not normal, dither), hermite (correlated
features), modes (few coordinates for all), sketching.
"""

from isoloss.linear.moments.feature_moments import data_moments, fine_noise, noise_levels
from isoloss.linear.moments.grid_moments import rounded_moments, symmetric_moments
from isoloss.linear.moments.hermite import rounded_covariance
from isoloss.linear.moments.mixtures import dithered_mean
from isoloss.linear.moments.modes import compressed_index
from isoloss.linear.moments.representation import setting_of
from isoloss.linear.moments.setting import Setting, stacked

# fmt: off
__all__ = [
    "Setting", "compressed_index", "data_moments", "dithered_mean", "fine_noise", "noise_levels",
    "rounded_covariance", "rounded_moments", "setting_of", "stacked", "symmetric_moments",
]
# fmt: on
