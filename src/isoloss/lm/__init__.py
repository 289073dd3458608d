"""Small language models with quantised parts: data, the model, training, quantising after it.

`train` takes a grid (sweeps), `train_one` one run (training) of a `Model` (model.py) on a ladder
of shapes (shape.py); a `TrainingTask` is a module of one's own in their place (tasks). A `Corpus`
hands out batches (data). Parts are rounded by a gradient rule in training (rounding), and by a
method when the model is quantised for serving (after), in one format or in one a layer
(allocating). `register_rule` and `register_method` add your own.
"""

from isoloss.formats.torch_twin import fake_quantise
from isoloss.lm.after import (
    Calibrated,
    Calibration,
    CalibrationWarning,
    Degradation,
    Moments,
    MomentsWarning,
    PostMethod,
    Predictions,
    RoundedTwiceWarning,
    Scaled,
    Windows,
    checkpoints_of,
    degradation,
    load_hub,
    post_key,
    post_precision,
    post_run,
    quantise,
    quantised,
    register_method,
    windows,
)
from isoloss.lm.allocating import (
    BitAllocation,
    Sensitivity,
    allocate_bits,
    gguf_arguments,
    llmcompressor_recipe,
    sensitivity,
)
from isoloss.lm.data import (
    Corpus,
    Entropy,
    Language,
    LanguageError,
    Text,
    TextError,
    TextWarning,
    corpus_of,
)
from isoloss.lm.measured_errors import RoundingErrors, rounding_errors
from isoloss.lm.model import Model
from isoloss.lm.own_source import UntoldWarning
from isoloss.lm.rounding import GradientRule, register_rule
from isoloss.lm.shape import ModelError, model_of
from isoloss.lm.sweeps import foreseen, train
from isoloss.lm.tasks import TrainedModule, TrainingTask, hub_task, next_token_loss, train_task
from isoloss.lm.torchrun import leads
from isoloss.lm.training import (
    Checkpoint,
    CheckpointError,
    Evaluation,
    Recipe,
    Trained,
    evaluate,
    load_checkpoint,
    train_one,
)

# fmt: off
__all__ = [
    "BitAllocation", "Calibrated", "Calibration", "CalibrationWarning", "Checkpoint",
    "CheckpointError", "Corpus", "Degradation", "Entropy", "Evaluation", "GradientRule", "Language",
    "LanguageError", "Model", "ModelError", "Moments", "MomentsWarning", "PostMethod",
    "Predictions", "Recipe", "RoundedTwiceWarning", "RoundingErrors", "Scaled", "Sensitivity",
    "Text", "TextError", "TextWarning", "Trained", "TrainedModule", "TrainingTask", "UntoldWarning",
    "Windows", "allocate_bits", "checkpoints_of", "corpus_of", "degradation", "evaluate",
    "fake_quantise", "foreseen", "gguf_arguments", "hub_task", "leads", "llmcompressor_recipe",
    "load_checkpoint", "load_hub", "model_of", "next_token_loss", "post_key", "post_precision",
    "post_run", "quantise", "quantised", "register_method", "register_rule", "rounding_errors",
    "sensitivity", "train", "train_one", "train_task", "windows",
]
# fmt: on
