"""Engines: who works on the tasks of a sweep, on this machine or on others, or in shards."""

from isoloss.runs.sweeps.engines.driver import Driver
from isoloss.runs.sweeps.engines.engine import AnyExecutor, Engine, Handle, Submits
from isoloss.runs.sweeps.engines.errand import Errand
from isoloss.runs.sweeps.engines.hands import Hands, Landed, Pool
from isoloss.runs.sweeps.engines.letters import FolderPost, Letter, Post
from isoloss.runs.sweeps.engines.named import (
    ENGINES,
    Asked,
    engine_for,
    engine_named,
    register_engine,
)
from isoloss.runs.sweeps.engines.ray_cluster import Ray
from isoloss.runs.sweeps.engines.shards import join_stores, shard_numbers, shard_of
from isoloss.runs.sweeps.engines.sized import ENOUGH, Sizing, sizing
from isoloss.runs.sweeps.engines.slurm import Slurm

# fmt: off
__all__ = [
    "ENGINES", "ENOUGH", "AnyExecutor", "Asked", "Driver", "Engine", "Errand", "FolderPost",
    "Handle", "Hands", "Landed", "Letter", "Pool", "Post", "Ray", "Sizing", "Slurm", "Submits",
    "engine_for", "engine_named", "join_stores", "register_engine", "shard_numbers", "shard_of",
    "sizing",
]
# fmt: on
