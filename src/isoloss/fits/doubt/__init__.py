"""How sure a fit is: resampling, profiles, predictive intervals, misfit."""

from isoloss.fits.doubt.compute_split import Allocation, allocation
from isoloss.fits.doubt.efficiency import Efficiencies, efficiencies
from isoloss.fits.doubt.misfit import LackOfFit, Noise, lack_of_fit, noise
from isoloss.fits.doubt.prediction import (
    Of,
    Prediction,
    check_level,
    loss_draws,
    of_law,
    points,
    summarise,
    with_noise,
)
from isoloss.fits.doubt.profiles import Profile, profile, profile_prediction
from isoloss.fits.doubt.resampling import Resample
from isoloss.fits.doubt.uncertainty import Draws, resample

# fmt: off
__all__ = [
    "Allocation", "Draws", "Efficiencies", "LackOfFit", "Noise", "Of", "Prediction", "Profile",
    "Resample", "allocation", "check_level", "efficiencies", "lack_of_fit", "loss_draws", "noise",
    "of_law", "points", "profile", "profile_prediction", "resample", "summarise", "with_noise",
]
# fmt: on
