"""The verb ``train``: a grid of models, trained and quantised by a sweep that never loses a run, as a table of runs."""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

from isoloss.lm.data import Corpus
from isoloss.lm.sweeps.jobs import Grids, Posts, checked_tasks, jobs_of
from isoloss.lm.training import Job, Recipe, device_of
from isoloss.runs import STORES, Outlook, Runs, RunsWarning, StoreError, cores, outlook, sweep


def train(
    grid: Grids,
    *,
    corpus: str | Path | Corpus = "synthetic",
    post: Posts = (),
    store: str | Path | None = None,
    recipe: Recipe | None = None,
    keep: str | Path | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    cells: bool = False,
    show: bool = True,
) -> Runs:
    """The runs of a grid: every model trained, evaluated, quantised to each precision of `post` and evaluated again.

    The grid's lists are params (of the ladder, "0.1M"), tokens or tokens_per_param, precision, seed, tied, and any
    setting of the recipe (lr, schedule, sequences ...); several grids are run as one, equal runs once. Runs that are
    equal but for precision see the same batches; with schedule "wsd" or "constant" and a number of warm-up steps, token
    counts share one trunk.

    corpus: "synthetic", a path of your own text, or any `Corpus`.
    store: a file that keeps every run (".db"). The same call again goes on where it was, killed or not, and does nothing
    once all is there. keep: a folder for the trained models. workers: processes of one thread, one a core or one for a
    GPU; executor: any other of concurrent.futures. Runs that failed are warned of (RunsWarning), each with its reason.
    cells: train all precisions and seeds of one size and the same token counts as one batched model, which keeps a GPU busy
    with small models (a CPU gains nothing). A run's loss is that of the run alone but for rounding errors of its sums; the
    cell is part of what it is, so other members make other runs. Learned steps ("@lsq") have no cells.

    Raises ModelError and ValueError, in one sentence and before anything is trained, for what cannot be.
    """
    _check_store(store)
    jobs = jobs_of(grid, corpus, recipe)
    if executor is None:
        workers = _workers(jobs, workers)
    tasks = checked_tasks(jobs, post, keep, workers, cells)
    if store is None:
        with tempfile.TemporaryDirectory() as folder:
            swept = sweep(
                tasks, Path(folder) / "runs.db", workers=workers, executor=executor, show=show
            )
    else:
        swept = sweep(tasks, store, workers=workers, executor=executor, show=show)
    if show:
        print(swept, file=sys.stderr)
    for label, reason in swept.failures:
        warnings.warn(RunsWarning(f"{label} failed: {reason}"), stacklevel=2)
    return swept.runs


def foreseen(
    grid: Grids,
    *,
    corpus: str | Path | Corpus = "synthetic",
    post: Posts = (),
    store: str | Path = "runs.db",
    recipe: Recipe | None = None,
    workers: int | None = None,
    cells: bool = False,
) -> Outlook:
    """What `train` would do: runs, those there already, flop, memory, and the time where the store lets it be known."""
    _check_store(store)
    jobs = jobs_of(grid, corpus, recipe)
    workers = _workers(jobs, workers)
    return outlook(checked_tasks(jobs, post, None, workers, cells), store, workers)


def _check_store(store: str | Path | None) -> None:
    if store is not None and Path(store).suffix.lower() not in STORES:
        raise StoreError(f"cannot keep runs in '{store}': accepted endings are {', '.join(STORES)}")


def _workers(jobs: Sequence[Job], workers: int | None) -> int:
    """Workers of this machine, where none are given one a core, or one for a device that they would wait for.

    Raises ModelError where the device is not there.
    """
    devices = {device_of(name).type for name in {job.recipe.device for job in jobs}}
    if workers is not None:
        return workers
    return cores() if devices == {"cpu"} else 1
