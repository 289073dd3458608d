"""Small language models with quantised parts: a language of known entropy, the model, the trainer, rounding in torch."""

from isoloss.lm.corpus import Corpus
from isoloss.lm.fake_quant import fake_quantise
from isoloss.lm.language import Entropy, Language, LanguageError
from isoloss.lm.model import Model
from isoloss.lm.shape import ModelError, model_of
from isoloss.lm.training import Evaluation, Recipe, Trained, evaluate, train

__all__ = [
    "Corpus",
    "Entropy",
    "Evaluation",
    "Language",
    "LanguageError",
    "Model",
    "ModelError",
    "Recipe",
    "Trained",
    "evaluate",
    "fake_quantise",
    "model_of",
    "train",
]
