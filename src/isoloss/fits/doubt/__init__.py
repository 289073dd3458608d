"""How sure a fit is: bootstrap replicates, profiles, predictive intervals, misfit."""

from isoloss.fits.doubt.at_points import (
    NO_REPEATS,
    as_seen,
    in_parts,
    joined,
    not_defined,
    not_far,
    nothing,
    of_rows,
    placed,
    prediction_of_law,
    untold,
    views_at,
    where_told,
)
from isoloss.fits.doubt.compute_split import ComputeSplit, exponent_by_form, split_compute
from isoloss.fits.doubt.discrepancy import Discrepancy, waves
from isoloss.fits.doubt.discrepancy_of_fit import discrepancy_of
from isoloss.fits.doubt.efficiency import Efficiencies, efficiencies
from isoloss.fits.doubt.hidden_bend import HiddenBend
from isoloss.fits.doubt.in_words import (
    ends_in_words,
    interval_in_words,
    loss_in_words,
    share_in_words,
)
from isoloss.fits.doubt.left_out import LeftOut, log_errors
from isoloss.fits.doubt.misfit import LackOfFit, Noise, design_effect, lack_of_fit, noise
from isoloss.fits.doubt.prediction import (
    FAR,
    Prediction,
    counts,
    hidden_beyond,
    loss_draws,
    outside_runs,
    points,
    summarise,
    with_discrepancy,
)
from isoloss.fits.doubt.profiles import (
    Profile,
    likelihood_scale,
    profile_of_constant,
    profile_of_loss,
)
from isoloss.fits.doubt.repetition import (
    most_epochs,
    repeating,
    repeating_where_able,
    repetition_warnings,
    too_many_epochs,
    warnings_at,
)
from isoloss.fits.doubt.resampling import Resample, check_resample
from isoloss.fits.doubt.shares import share_of
from isoloss.fits.doubt.uncertainty import Draws, resample

# fmt: off
__all__ = [
    "FAR", "NO_REPEATS", "ComputeSplit", "Discrepancy", "Draws", "Efficiencies", "HiddenBend",
    "LackOfFit", "LeftOut", "Noise", "Prediction", "Profile", "Resample", "as_seen",
    "check_resample", "counts", "design_effect", "discrepancy_of", "efficiencies", "ends_in_words",
    "exponent_by_form", "hidden_beyond", "in_parts", "interval_in_words", "joined", "lack_of_fit",
    "likelihood_scale", "log_errors", "loss_draws", "loss_in_words", "most_epochs", "noise",
    "not_defined", "not_far", "nothing", "of_rows", "outside_runs", "placed", "points",
    "prediction_of_law", "profile_of_constant", "profile_of_loss", "repeating",
    "repeating_where_able", "repetition_warnings", "resample", "share_in_words", "share_of",
    "split_compute", "summarise", "too_many_epochs", "untold", "views_at", "warnings_at", "waves",
    "where_told", "with_discrepancy",
]
# fmt: on
