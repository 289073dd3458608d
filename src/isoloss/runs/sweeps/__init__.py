"""Sweeps: tasks, the store that keeps their rows, workers, progress."""

from isoloss.runs.sweeps.crew import Crew, cores
from isoloss.runs.sweeps.store import Store, TaskState
from isoloss.runs.sweeps.sweeping import sweep
from isoloss.runs.sweeps.swept import Outlook, Swept, outlook
from isoloss.runs.sweeps.task import Task
from isoloss.runs.sweeps.watch import ClaimLost, Watch

# fmt: off
__all__ = [
    "ClaimLost", "Crew", "Outlook", "Store", "Swept", "Task", "TaskState", "Watch", "cores",
    "outlook", "sweep",
]
# fmt: on
