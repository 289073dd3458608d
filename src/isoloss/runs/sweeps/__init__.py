"""Sweeps: tasks, the store that keeps their rows, workers, progress."""

from isoloss.runs.sweeps.crew import Crew, cores
from isoloss.runs.sweeps.engines import (
    ENGINES,
    AnyExecutor,
    Asked,
    Engine,
    Errand,
    FolderPost,
    Handle,
    Letter,
    Post,
    Ray,
    Slurm,
    Submits,
    engine_for,
    engine_named,
    join_stores,
    register_engine,
    shard_numbers,
    shard_of,
)
from isoloss.runs.sweeps.store import Store, TaskState
from isoloss.runs.sweeps.sweeping import sweep
from isoloss.runs.sweeps.swept import Outlook, Swept, outlook
from isoloss.runs.sweeps.task import Task
from isoloss.runs.sweeps.watch import ClaimLost, Watch

# fmt: off
__all__ = [
    "ENGINES", "AnyExecutor", "Asked", "ClaimLost", "Crew", "Engine", "Errand", "FolderPost",
    "Handle", "Letter", "Outlook", "Post", "Ray", "Slurm", "Store", "Submits", "Swept", "Task",
    "TaskState", "Watch", "cores", "engine_for", "engine_named", "join_stores", "outlook",
    "register_engine", "shard_numbers", "shard_of", "sweep",
]
# fmt: on
