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

from isoloss.lm.after.accounting import Weights, ends_of, weights_of_model
from isoloss.lm.after.any_model import asked_of
from isoloss.lm.after.degrading import Degradation, Predictions, degradation, logits_of, pooled
from isoloss.lm.after.hub import Windows, load_hub, windows
from isoloss.lm.after.options import Options
from isoloss.lm.after.post_method import (
    PostMethod,
    Scaled,
    calibrated_methods,
    know_methods,
    own_methods,
    register_method,
)
from isoloss.lm.after.post_rows import (
    Calibration,
    draws_of,
    post_key,
    post_precision,
    post_row,
    post_run,
)
from isoloss.lm.after.post_training import quantised, rounded_share
from isoloss.lm.after.quantising import checkpoints_of, quantise
from isoloss.lm.after.resting import at_rest
from isoloss.lm.after.scopes import ALONE, apart_from, blocks_of, names_of, scope_of
from isoloss.lm.after.seen import (
    Calibrated,
    CalibrationWarning,
    Matrix,
    Moments,
    MomentsWarning,
    weights_hash,
)
from isoloss.lm.after.serving_weights import RoundedTwiceWarning, check_scope, served

# fmt: off
__all__ = [
    "ALONE", "Calibrated", "Calibration", "CalibrationWarning", "Degradation", "Matrix", "Moments",
    "MomentsWarning", "Options", "PostMethod", "Predictions", "RoundedTwiceWarning", "Scaled",
    "Weights", "Windows",
    "apart_from", "asked_of", "at_rest", "blocks_of", "calibrated_methods", "check_scope",
    "checkpoints_of",
    "degradation", "draws_of", "ends_of", "know_methods", "load_hub", "logits_of", "names_of",
    "own_methods", "pooled", "post_key", "post_precision", "post_row", "post_run", "quantise",
    "quantised", "register_method", "rounded_share", "scope_of", "served", "weights_hash",
    "weights_of_model", "windows",
]
# fmt: on
