"""One run: its recipe, its steps alone or in a cell, its checkpoints."""

from isoloss.lm.training.batched_trainer import trainer_of
from isoloss.lm.training.checkpoints import (
    Checkpoint,
    CheckpointError,
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
    save_model,
)
from isoloss.lm.training.job import Job, by_trunk, in_cells, key_of
from isoloss.lm.training.one_run import (
    EVALUATED_TOGETHER,
    Evaluation,
    Trained,
    evaluate,
    finished,
    train_one,
)
from isoloss.lm.training.recipe import Recipe
from isoloss.lm.training.trainer import Ended, Trainer, device_of, numbers_of

# fmt: off
__all__ = [
    "EVALUATED_TOGETHER", "Checkpoint", "CheckpointError", "Ended", "Evaluation", "Job", "Recipe",
    "Trained", "Trainer", "by_trunk", "device_of", "evaluate", "finished", "in_cells", "key_of",
    "load_checkpoint", "numbers_of", "read_checkpoint", "save_checkpoint", "save_model",
    "train_one", "trainer_of",
]
# fmt: on
