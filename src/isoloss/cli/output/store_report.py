"""How far the sweep of a store is, in sections and as data: tasks done, running, failed, and
what workers said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from isoloss.fits import Section
from isoloss.runs import STORES, Store, TaskState, is_source

#: Notes that are listed, the newest.
MOST_NOTES = 10
STATES = ("done", "running", "stopped", "waiting", "failed")


def nothing_finished(tables: Sequence[str]) -> bool:
    """Whether the tables are all stores, and none has a finished row yet."""
    stores = _stores(tables)
    return len(stores) == len(tables) and not any(len(store.runs()) for store in stores)


def task_sections(tables: Sequence[str]) -> list[Section]:
    """The tasks of every store among the tables: how many there are, those under way, those that
    failed, notes.
    """
    return [section for store in _stores(tables) for section in _sections(store)]


def tasks_as_data(tables: Sequence[str]) -> dict[str, Any]:
    """The same facts for programs; nothing where no table is a store."""
    stores = _stores(tables)
    if not stores:
        return {}
    hidden = ("claim", "traceback", "memory")
    tasks = [asdict(task) | {"state": _state(task)} for store in stores for task in store.tasks()]
    notes = [{"task": task, "said": said} for store in stores for _, task, said in store.notes()]
    return {
        "tasks": [{k: v for k, v in task.items() if k not in hidden} for task in tasks],
        "notes": notes,
    }


def _stores(tables: Sequence[str]) -> list[Store]:
    files = [name for name in tables if not is_source(name)]
    return [Store(name) for name in files if Path(name).suffix.lower() in STORES]


def _state(task: TaskState) -> str:
    """The state in words; a claim whose owner is gone is called stopped."""
    return "stopped" if task.state == "running" and not task.live else task.state


def _sections(store: Store) -> list[Section]:
    tasks = store.tasks()
    states = [_state(task) for task in tasks]
    counted = Counter(states)
    counts = ", ".join(f"{counted[state]} {state}" for state in STATES if counted[state]) or "none"
    rows = [
        (task.label, state, f"{task.share:.0%}", "" if task.loss is None else f"{task.loss:.4f}")
        for task, state in zip(tasks, states, strict=True)
        if state in ("running", "stopped")
    ]
    lines = ("the next sweep goes on with what stopped",) if counted["stopped"] else ()
    head = ("task", "state", "done", "loss then")
    out = [
        Section(f"Tasks of {store.path.name}: {counts}", lines, head if rows else (), tuple(rows))
    ]
    if failed := tuple(f"{task.label}: {task.reason}" for task in tasks if task.state == "failed"):
        out.append(Section("Failed tasks, tried again by the next sweep", failed))
    labels = {task.key: task.label for task in tasks}
    notes = [f"{labels.get(key, key)}: {said}" for _, key, said in store.notes()]
    if notes:
        more = [f"{len(notes) - MOST_NOTES} earlier ones"] if len(notes) > MOST_NOTES else []
        out.append(Section("Notes", (*more, *notes[-MOST_NOTES:])))
    return out
