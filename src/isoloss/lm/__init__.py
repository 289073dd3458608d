"""Small language models with quantised parts: what they learn from, the model, training, and what is kept of it."""

from isoloss.lm.checkpoints import Checkpoint, CheckpointError, load_checkpoint
from isoloss.lm.corpus import Corpus
from isoloss.lm.degrading import Degradation, Predictions, degradation
from isoloss.lm.documents import TextError
from isoloss.lm.fake_quant import fake_quantise
from isoloss.lm.hub import Windows, load_hub, windows
from isoloss.lm.language import Entropy, Language, LanguageError
from isoloss.lm.model import Model
from isoloss.lm.post_rows import Calibration, post_key, post_precision, post_run
from isoloss.lm.post_training import quantised
from isoloss.lm.quantising import quantise
from isoloss.lm.recipe import Recipe
from isoloss.lm.shape import ModelError, model_of
from isoloss.lm.sweeps import corpus_of, foreseen, train
from isoloss.lm.text import Text, TextWarning
from isoloss.lm.training import Evaluation, Trained, evaluate, train_one

# fmt: off
__all__ = [
    "Calibration", "Checkpoint", "CheckpointError", "Corpus", "Degradation", "Entropy", "Evaluation",
    "Language", "LanguageError", "Model", "ModelError", "Predictions", "Recipe", "Text", "TextError",
    "TextWarning", "Trained", "Windows", "corpus_of", "degradation", "evaluate", "fake_quantise", "foreseen",
    "load_checkpoint", "load_hub", "model_of", "post_key", "post_precision", "post_run", "quantise",
    "quantised", "train", "train_one", "windows",
]
# fmt: on
