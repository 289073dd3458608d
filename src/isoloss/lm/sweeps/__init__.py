"""Sweeps of training: grids become jobs, jobs that share steps a task, tasks rows of a table.

``train`` and ``foreseen`` read a grid (jobs.py; of a module of one's own, task_jobs.py); jobs that
share a prefix, or stand side by side in one batched model, are the work of one task
(shared_prefix.py), which trains them, quantises each model and leaves every row in the store; what
the kinds of jobs do in their own ways is in kinds.py.
"""

from isoloss.lm.sweeps.jobs import jobs_of, tasks_of
from isoloss.lm.sweeps.task_jobs import task_jobs_of
from isoloss.lm.sweeps.train_grid import foreseen, train

__all__ = ["foreseen", "jobs_of", "task_jobs_of", "tasks_of", "train"]
