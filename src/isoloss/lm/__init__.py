"""Small language models with quantised parts: what they learn from, the model, training, and what is kept of it."""

from isoloss.lm.checkpoints import Checkpoint, CheckpointError, load_checkpoint
from isoloss.lm.corpus import Corpus
from isoloss.lm.fake_quant import fake_quantise
from isoloss.lm.language import Entropy, Language, LanguageError
from isoloss.lm.model import Model
from isoloss.lm.recipe import Recipe
from isoloss.lm.shape import ModelError, model_of
from isoloss.lm.training import Evaluation, Trained, evaluate, train_one

__all__ = [
    "Checkpoint",
    "CheckpointError",
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
    "load_checkpoint",
    "model_of",
    "train_one",
]
