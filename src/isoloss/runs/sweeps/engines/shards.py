"""Shards: a sweep in parts without an engine, each with a store of its own; stores joined.

For whoever has a batch system and nothing else: job 3 of 16 runs ``--shard 3/16``.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

from isoloss.files import check_target, shown, shown_value
from isoloss.runs.database import TABLES, logs, quoted, replace_store, writing
from isoloss.runs.problems import StoreError
from isoloss.runs.stored import STORES, insert, packed_rows
from isoloss.runs.sweeps.store import Store, TaskState
from isoloss.runs.sweeps.task import Task

_BEST = ("done", "failed", "waiting")


def shard_of(tasks: Sequence[Task], shard: str) -> list[Task]:
    """The tasks of one shard, as "3/16", whatever the stores hold: one after the other, those of
    most FLOPs first and by key where they are equal, each goes to the shard of least work so far.

    Raises
    ------
    StoreError
        It is no shard, or there are more shards than tasks.
    """
    number, count = shard_numbers(shard)
    if count > len(tasks):
        raise StoreError(
            f"shard is {shown_value(shard)} and there {_are(len(tasks))}; accepted are at most "
            "as many shards as tasks"
        )
    shards = [(0.0, 0, each) for each in range(1, count + 1)]  # FLOPs, tasks, number
    dealt = set()
    for task in sorted(tasks, key=lambda task: (-task.flops, task.key)):
        flops, size, least = shards[0]
        heapq.heapreplace(shards, (flops + task.flops, size + 1, least))
        dealt |= {task.key} if least == number else set()
    return [task for task in tasks if task.key in dealt]


def shard_numbers(shard: str) -> tuple[int, int]:
    """The two numbers of "3/16"; StoreError where they are not from 1/1 on."""
    found = re.fullmatch(r"([0-9]+)/([0-9]+)", str(shard))
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise StoreError(
            f"shard is {shown_value(shard)}; accepted is a number of a count, such as 3/16"
        )
    return int(found[1]), int(found[2])


def join_stores(stores: Sequence[str | Path], path: str | Path, force: bool = False) -> Store:
    """Join stores, as those of shards, in a new one.

    Parameters
    ----------
    stores
        Their files; they stay as they are. A task that is in several is taken where it is furthest,
        one that is under way waits.
    path
        The new store (.db, .sqlite).
    force
        Replace a file that exists.

    Returns
    -------
    Store
        All rows, tasks and notes, every number with the bits that it had.

    Raises
    ------
    StoreError
        One is no store, two have a row with other values, or the new one cannot be written.
    """
    target = Path(path)
    check_target(target, force, endings=STORES, problem=StoreError)
    places = [Path(each) for each in stores]
    if any(each.exists() and target.exists() and each.samefile(target) for each in places):
        raise StoreError(f"{shown(target)} is one of the stores to join; give another name")
    tasks, notes = _tasks(places), [note for each in places for note in Store(each).notes()]
    rows = [row for each in places for row in packed_rows(each)]
    part = target.with_name(f".{target.name}.part{target.suffix}")
    _remove(part)
    try:
        with writing(part) as base:
            names = ", ".join(quoted(name) for name in TABLES["tasks"] if name != "checksum")
            marks = ", ".join("?" for name in TABLES["tasks"] if name != "checksum")
            base.executemany(
                f"INSERT INTO tasks ({names}) VALUES ({marks})", [astuple(each) for each in tasks]
            )
            for task, row in rows:
                insert(base, task, row, target)
            said = [(task, sentence) for _, task, sentence in notes]
            base.executemany("INSERT INTO notes (task, said) VALUES (?, ?)", said)
        replace_store(part, target)
    finally:
        _remove(part)
    return Store(target)


def _are(count: int) -> str:
    return "is 1 task" if count == 1 else f"are {count} tasks"


def _tasks(places: Sequence[Path]) -> list[TaskState]:
    """The tasks of all, each once, in the order of their labels."""
    found: dict[str, TaskState] = {}
    for state in (state for each in places for state in Store(each).tasks()):
        if state.state == "running":
            state = replace(state, state="waiting", claim=None, owner=None)
        there = found.get(state.key)
        if there is None or _BEST.index(state.state) < _BEST.index(there.state):
            found[state.key] = state
    return sorted(found.values(), key=lambda state: (state.label, state.key))


def _remove(part: Path) -> None:
    for file in (part, *logs(part)):
        file.unlink(missing_ok=True)
