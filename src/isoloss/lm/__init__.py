"""Small language models with quantised parts: a language of known entropy, the model, the trainer, rounding in torch."""

from isoloss.lm.degrading import Degradation, Predictions, degradation
from isoloss.lm.fake_quant import fake_quantise
from isoloss.lm.language import Entropy, Language, LanguageError
from isoloss.lm.model import Model
from isoloss.lm.post_rows import Calibration, post_key, post_precision, post_run
from isoloss.lm.post_training import quantised
from isoloss.lm.shape import ModelError, model_of
from isoloss.lm.training import Evaluation, Recipe, Trained, evaluate, train

__all__ = [
    "Calibration",
    "Degradation",
    "Entropy",
    "Evaluation",
    "Language",
    "LanguageError",
    "Model",
    "ModelError",
    "Predictions",
    "Recipe",
    "Trained",
    "degradation",
    "evaluate",
    "fake_quantise",
    "model_of",
    "post_key",
    "post_precision",
    "post_run",
    "quantised",
    "train",
]
