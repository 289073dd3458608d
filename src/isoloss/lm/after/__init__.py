"""After training: a trained model rounded for serving, by any method, and what that costs.

A method is a value in an open set (post_method.py; methods/ holds one file each). ``quantised``
reads what serving names, gives every matrix its format and method, and rounds: a model of ours part
by part (post_training.py), any other (any_model.py) by what tokens meet in it, with all its weights
accounted for (accounting.py). Methods that are calibrated look at what seen/ gathers of inputs;
those that scale inputs have activations rounded by their scale (rounded_inputs.py). The residual
stream may be rotated before (rotation/).
``degradation`` measures the loss and the divergence of predictions, ``post_run`` makes a row of it,
``quantise`` a table.
"""

from isoloss.lm.after.degrading import Degradation, Predictions, degradation
from isoloss.lm.after.hub import Windows, load_hub, windows
from isoloss.lm.after.post_method import (
    PostMethod,
    Scaled,
    calibrated_methods,
    know_methods,
    own_methods,
    register_method,
)
from isoloss.lm.after.post_rows import Calibration, post_key, post_precision, post_run
from isoloss.lm.after.post_training import quantised
from isoloss.lm.after.quantising import quantise
from isoloss.lm.after.seen import Calibrated, CalibrationWarning, Moments
from isoloss.lm.after.serving_weights import RoundedTwiceWarning

# fmt: off
__all__ = [
    "Calibrated", "Calibration", "CalibrationWarning", "Degradation", "Moments", "PostMethod",
    "Predictions", "RoundedTwiceWarning", "Scaled", "Windows", "calibrated_methods", "degradation",
    "know_methods", "load_hub", "own_methods", "post_key", "post_precision", "post_run", "quantise",
    "quantised", "register_method", "windows",
]
# fmt: on
