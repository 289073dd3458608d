"""Stores: their finished rows, read where they are, as a sweep may be writing there."""

from __future__ import annotations

from pathlib import Path

from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.problems import RunsError
from isoloss.runs.stored import STORES, stored_frame


def open_store(path: Path) -> Opened:
    """The finished rows of a store; RunsError where there are none yet."""
    frame = stored_frame(path)
    if frame.height == 0:
        raise RunsError(
            f"{path.name} has no finished rows yet; 'isoloss runs {path.name}' shows its tasks"
        )
    return Opened(frame, Origin(path.name))


for ending in STORES:
    READERS.register(ending, Reader(in_place=open_store))
