"""Modules of one's own in training: the contract, rounding inside of any module, jobs, their rows.

A `TrainingTask` is a module, its batches and its loss (training_task.py), told by a version or its
source (source.py); `hub_task` makes one of a configuration of Hugging Face (from_config.py). Before
anything is trained the module is looked over (looking_over.py), with torch seeded (draws.py). Its
matrices are those that `quantise` finds, rounded in training by rounded_module.py. A `TaskJob`
determines a run (task_job.py), a `TaskTrainer` takes its steps, `train_task` gives its row
(task_run.py), measured on held-out batches (evaluating.py) as it was trained and rounded for
serving (serving.py); keeping.py has its module in a file.
"""

from isoloss.lm.tasks.from_config import hub_task
from isoloss.lm.tasks.keeping import read_module, save_module
from isoloss.lm.tasks.looking_over import LookedOver
from isoloss.lm.tasks.rounded_module import RoundedModule
from isoloss.lm.tasks.task_job import TaskJob, check_room
from isoloss.lm.tasks.task_run import (
    TrainedModule,
    finished_run,
    post_key_of,
    post_rows_of,
    train_task,
)
from isoloss.lm.tasks.task_trainer import TaskTrainer
from isoloss.lm.tasks.training_task import TrainingTask, check_task, next_token_loss

# fmt: off
__all__ = [
    "LookedOver", "RoundedModule", "TaskJob", "TaskTrainer", "TrainedModule", "TrainingTask",
    "check_room", "check_task", "finished_run", "hub_task", "next_token_loss", "post_key_of",
    "post_rows_of", "read_module", "save_module", "train_task",
]
# fmt: on
