"""Engines: who works on the tasks of a sweep, on this machine or on others."""

from isoloss.runs.sweeps.engines.driver import Driver
from isoloss.runs.sweeps.engines.engine import AnyExecutor, Engine, Handle, Submits, engine_for
from isoloss.runs.sweeps.engines.errand import Errand
from isoloss.runs.sweeps.engines.hands import Hands, Landed, Pool
from isoloss.runs.sweeps.engines.letters import FolderPost, Letter, Post

# fmt: off
__all__ = [
    "AnyExecutor", "Driver", "Engine", "Errand", "FolderPost", "Handle", "Hands", "Landed",
    "Letter", "Pool", "Post", "Submits", "engine_for",
]
# fmt: on
