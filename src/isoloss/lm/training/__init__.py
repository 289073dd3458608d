"""Training of one run, alone or in a batched sweep: its recipe, its steps, its checkpoints.

A job is all that determines a run, and so its key (one_job.py); a `Job` is one of the decoder
(job.py). A `Trainer` takes its steps of AdamW and can be stopped and restored anywhere
(trainer.py); several jobs that differ in precision and seed alone are one batched model
(batched_model.py, batched_trainer.py). `train_one` trains a job and evaluates it (one_run.py);
checkpoints.py keeps it.
"""

from isoloss.lm.training.batched_trainer import trainer_of
from isoloss.lm.training.checkpoints import (
    Checkpoint,
    CheckpointError,
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
    save_model,
)
from isoloss.lm.training.job import Job, in_batches
from isoloss.lm.training.one_job import OneJob, by_prefix, key_of, own_of, steps_of
from isoloss.lm.training.one_run import (
    EVALUATED_TOGETHER,
    Evaluation,
    Trained,
    divergence,
    ended_row,
    evaluate,
    finished,
    losses_of,
    train_one,
)
from isoloss.lm.training.parallel import KINDS, Parallel, parallel_of
from isoloss.lm.training.recipe import Recipe
from isoloss.lm.training.trainer import (
    MOMENTS,
    Each,
    Ended,
    Trainer,
    batch_of,
    device_of,
    products_in,
)

# fmt: off
__all__ = [
    "EVALUATED_TOGETHER", "KINDS", "MOMENTS", "Checkpoint", "CheckpointError", "Each", "Ended",
    "Evaluation", "Job", "OneJob", "Parallel", "Recipe", "Trained", "Trainer", "batch_of",
    "by_prefix", "device_of", "divergence", "ended_row", "evaluate", "finished", "in_batches",
    "key_of", "load_checkpoint", "losses_of", "own_of", "parallel_of", "products_in",
    "read_checkpoint", "save_checkpoint", "save_model", "steps_of", "train_one", "trainer_of",
]
# fmt: on
