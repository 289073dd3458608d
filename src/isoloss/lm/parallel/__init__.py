"""One run on several devices: ranks that each take a part of every batch (DDP), and of the weights
(FSDP2).

`torchrun` starts the ranks, which meet in `ranks_on` (ranks.py). part_rounding.py rounds a part of
a batch to what one process makes of the whole; `ParallelTrainer` takes the steps
(parallel_trainer.py); states.py keeps them as torch's distributed checkpoints, which another number
of ranks may take up.
"""

from isoloss.lm.parallel.parallel_trainer import ParallelTrainer, Stopped, check_parallel
from isoloss.lm.parallel.part_rounding import PartRounding, own_roundings, share_roundings
from isoloss.lm.parallel.ranks import Ranks, ranks_on
from isoloss.lm.parallel.states import forget_state, read_state, save_state

__all__ = [
    "ParallelTrainer",
    "PartRounding",
    "Ranks",
    "Stopped",
    "check_parallel",
    "forget_state",
    "own_roundings",
    "ranks_on",
    "read_state",
    "save_state",
    "share_roundings",
]
