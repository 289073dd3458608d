"""After training: a trained model rounded for serving, by any method, and what that costs."""

from isoloss.lm.after.degrading import Degradation, Predictions, degradation
from isoloss.lm.after.hub import Windows, load_hub, windows
from isoloss.lm.after.post_rows import Calibration, post_key, post_precision, post_run
from isoloss.lm.after.post_training import quantised
from isoloss.lm.after.quantising import quantise
from isoloss.lm.after.serving_weights import uses_gptq

# fmt: off
__all__ = [
    "Calibration", "Degradation", "Predictions", "Windows", "degradation", "load_hub", "post_key",
    "post_precision", "post_run", "quantise", "quantised", "uses_gptq", "windows",
]
# fmt: on
