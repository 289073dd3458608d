"""Small language models with quantised parts: what they learn from, the model, training, and what is kept of it."""

from isoloss.formats.torch_twin import fake_quantise
from isoloss.lm.after import (
    Calibration,
    Degradation,
    Predictions,
    Windows,
    degradation,
    load_hub,
    post_key,
    post_precision,
    post_run,
    quantise,
    quantised,
    windows,
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
from isoloss.lm.model import Model
from isoloss.lm.shape import ModelError, model_of
from isoloss.lm.sweeps import foreseen, train
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
    "Calibration", "Checkpoint", "CheckpointError", "Corpus", "Degradation", "Entropy", "Evaluation",
    "Language", "LanguageError", "Model", "ModelError", "Predictions", "Recipe", "Text", "TextError",
    "TextWarning", "Trained", "Windows", "corpus_of", "degradation", "evaluate", "fake_quantise", "foreseen",
    "load_checkpoint", "load_hub", "model_of", "post_key", "post_precision", "post_run", "quantise",
    "quantised", "train", "train_one", "windows",
]
# fmt: on
