"""What `torchrun` told this process; looked up in its environment, before processes meet."""

from __future__ import annotations

import os

import torch.distributed as dist


def started_by_torchrun() -> int:
    """How many processes `torchrun` started for this command, 0 where it did not."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 0


def leads() -> bool:
    """Whether this process writes and speaks: the first of those that `torchrun` started, or one
    by itself.
    """
    return not started_by_torchrun() or int(os.environ["RANK"]) == 0


def rank_count() -> int:
    """How many processes train a run together."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size()
    return max(1, started_by_torchrun())
