"""Small language models with quantised parts: a language of known entropy, the model, the trainer, rounding in torch."""

from isoloss.lm.documents import TextError
from isoloss.lm.fake_quant import fake_quantise
from isoloss.lm.language import Entropy, Language, LanguageError
from isoloss.lm.model import Model
from isoloss.lm.shape import ModelError, model_of
from isoloss.lm.text import Text, TextWarning
from isoloss.lm.training import Evaluation, Recipe, Trained, evaluate, train

__all__ = [
    "Entropy",
    "Evaluation",
    "Language",
    "LanguageError",
    "Model",
    "ModelError",
    "Recipe",
    "Text",
    "TextError",
    "TextWarning",
    "Trained",
    "evaluate",
    "fake_quantise",
    "model_of",
    "train",
]
