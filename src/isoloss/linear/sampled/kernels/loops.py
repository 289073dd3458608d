"""The compiled loops over replicates and over random targets, kept in numba's cache on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from isoloss.linear.sampled.kernels.replicate import replicate, target_row
from isoloss.linear.sampled.kernels.task import PURPOSES


class Loops(NamedTuple):
    """The compiled loops over replicates and over targets, and how many threads to call the first
    from.
    """

    replicates: Callable[..., None]
    targets: Callable[..., None]
    threads: int


def streams_of(seed: int) -> NDArray[np.uint64]:
    """The keys of all purposes under a seed."""
    return np.random.SeedSequence(seed).generate_state(PURPOSES, np.uint64).astype(np.uint64)


@cache
def loops() -> Loops:
    """The compiled loops, from numba's cache on disk where there is one."""
    try:
        # numba's cache sees changes of this file only, so the stamp of all files is a part of its
        # key.
        made = _compiled(_stamp(), True)
    except RuntimeError:  # no folder to keep it in
        made = _compiled("", False)
    return Loops(*made, numba.get_num_threads())


def _stamp() -> str:
    """What tells numba's cache that a file of compiled code has changed: by itself it looks at this
    one only.
    """
    found = [each.stat() for each in sorted(Path(__file__).parent.glob("*.py"))]
    return " ".join(f"{each.st_mtime_ns}:{each.st_size}" for each in found)


def _compiled(stamp: str, kept: bool) -> tuple[Callable[..., None], Callable[..., None]]:
    @numba.njit(nogil=True, cache=kept)
    def replicates(
        low: int, task: Any, slopes: Any, noise_sds: Any, out: Any, rounded: Any
    ) -> None:
        stamp  # noqa: B018  part of the key of the cache
        for r in range(out.shape[0]):
            # One row of slopes serves all replicates where the target is fixed.
            row = min(r, slopes.shape[0] - 1)
            replicate(low + r, task, slopes[row], noise_sds[row], out[r], rounded[r])

    @numba.njit(nogil=True, cache=kept)
    def targets(low: int, stream: Any, out: Any) -> None:
        stamp  # noqa: B018
        noise = np.empty(out.shape[1], np.float32)
        for r in range(out.shape[0]):
            target_row(out[r], low + r, stream, noise)

    return replicates, targets
