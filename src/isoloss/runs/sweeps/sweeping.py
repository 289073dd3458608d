"""The sweep: tasks shared out among workers and among sweeps, each done once, resumed after any
kind of death.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path

from isoloss.files import used
from isoloss.runs.problems import StoreError
from isoloss.runs.stored import STORES
from isoloss.runs.sweeps.crew import Crew, cores
from isoloss.runs.sweeps.engines import Driver, Engine, Pool, Submits, engine_for
from isoloss.runs.sweeps.progress import Progress
from isoloss.runs.sweeps.store import Store
from isoloss.runs.sweeps.swept import Swept
from isoloss.runs.sweeps.task import Task
from isoloss.runs.sweeps.under_way import UnderWay
from isoloss.runs.sweeps.working import Orders


def sweep(
    tasks: Iterable[Task],
    store: str | Path,
    *,
    workers: int | None = None,
    executor: Submits | Engine | str | None = None,
    folder: str | Path | None = None,
    show: bool = True,
    keep: bool = False,
) -> Swept:
    """Run tasks whose rows are not in a store yet, and give the rows of all.

    Any number of sweeps may share a store. A task that fails stops no other and is tried again by
    the next sweep; one whose worker died resumes from its checkpoint. Tasks of most FLOPs begin
    first.

    Parameters
    ----------
    tasks
        What is to be done; keys of tasks and rows are unique.
    store
        The file of the store (.db, .sqlite), made where there is none.
    workers
        Processes of one thread each; by default as many as the cores that this process may use. Of
        an executor, the calls under way at once.
    executor
        Takes the place of these processes: an executor of `concurrent.futures`, anything with
        ``submit`` whose calls have ``result`` and ``done``, or an engine, such as ``Ray()``, or the
        name of one ("ray"). Its workers may be on other machines: none of them opens the store.
    folder
        Where the tasks' folders are, if not beside the store: one that all workers of an executor
        share, so that another goes on where one died.
    show
        Show progress on stderr.
    keep
        Leave the tasks' folders.

    Returns
    -------
    Swept
        The rows of all tasks, and how many were done by whom.

    Raises
    ------
    StoreError
        A task cannot be run as it is, the store cannot be used, or its disk is full; what is
        finished is kept.
    """
    if executor is None and folder is not None:
        raise StoreError(
            f"folder is '{folder}' and there is no executor; leave it out: workers of this machine "
            "keep theirs beside the store"
        )
    path = Path(store).absolute()  # workers may work elsewhere
    listed = _checked(tasks, path, workers)
    engine = None if executor is None else engine_for(executor, workers)
    shared = None if folder is None else Path(folder).absolute()
    orders = Orders(path, uuid.uuid4().hex, keep, used(), shared)
    state = UnderWay(listed, Store(path), orders)
    already = state.begin(own=engine is None)
    if state.waiting:
        with Progress(show) as progress:
            if engine is None:
                size = min(workers or cores(), len(state.waiting))
                with Crew(size, state.needs_main) as crew:
                    state.run(Pool(crew, size, state.orders), progress)
            else:
                state.run(Driver(engine, state.store, state.orders, workers), progress)
    state.tidy()
    runs = state.store.runs(key for task in listed for key in task.rows)
    return Swept(
        runs, path, len(state.done), len(state.elsewhere), already, tuple(state.failures.values())
    )


def _checked(tasks: Iterable[Task], store: Path, workers: int | None) -> list[Task]:
    """The tasks; StoreError where there are none, two are the same, or one yields nothing."""
    listed = list(tasks)
    if not listed:
        raise StoreError("there are no tasks to sweep; give at least one")
    if store.suffix.lower() not in STORES:
        raise StoreError(
            f"cannot use the store '{store}': accepted endings are {', '.join(STORES)}"
        )
    if workers is not None and workers < 1:
        raise StoreError(f"workers is {workers}; accepted is a whole number above 0")
    keys: dict[str, str] = {}
    rows: dict[str, str] = {}
    for task in listed:
        if not task.rows:
            raise StoreError(
                f"task '{task.label}' lists no rows; give the key of every row it yields"
            )
        for key, seen, what in [
            (task.key, keys, "key"),
            *((key, rows, "row") for key in task.rows),
        ]:
            if key in seen:
                raise StoreError(
                    f"tasks '{seen[key]}' and '{task.label}' both have the {what} {key}"
                )
            seen[key] = task.label
    return listed
