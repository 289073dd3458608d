"""Random numbers that a user's functions draw from torch, seeded each time they are called."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

#: torch has one source of random numbers for all threads, so that one at a time is seeded.
_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def seeded(*seeds: int) -> Iterator[None]:
    """A context in which torch draws the numbers of these seeds, and behind which it goes on as
    before.
    """
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    seed = int(np.random.SeedSequence(seeds).generate_state(1, np.uint64)[0]) >> 1
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
