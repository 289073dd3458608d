"""A task, the unit of claim and resume of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isoloss.files import checked_name
from isoloss.runs.problems import StoreError


@dataclass(frozen=True)
class Task:
    """What a worker does in one go.

    Attributes
    ----------
    key
        Hash of all that determines its results; it names the task's folder, so it must be a plain
        name.
    rows
        `Run.key` of every row it yields; the task is done when all are in the store.
    work
        Called with a `Watch`; picklable, as workers are other processes.
    label
        Its name for people.
    flops
        FLOPs of the work, for the time left; 0 where unknown.
    memory
        Bytes that a worker needs; 0 where unknown.

    Raises
    ------
    StoreError
        The key cannot name a folder.
    """

    key: str
    rows: tuple[str, ...]
    work: Callable[[Any], object]
    label: str
    flops: float = 0.0
    memory: float = 0.0

    def __post_init__(self) -> None:
        checked_name(self.key, "task key", StoreError)
