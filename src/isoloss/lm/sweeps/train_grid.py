"""The verb ``train``: a grid of models, trained and quantised by a resumable sweep."""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from isoloss.lm.arguments import Posts, check_kind, check_path, check_store, check_whole
from isoloss.lm.data import Corpus
from isoloss.lm.shape import ModelError
from isoloss.lm.sweeps.jobs import Grids, checked_tasks, jobs_of, tasks_of
from isoloss.lm.sweeps.kinds import AnyJob
from isoloss.lm.sweeps.task_jobs import task_jobs_of
from isoloss.lm.tasks import TrainingTask
from isoloss.lm.torchrun import leads
from isoloss.lm.training import Parallel, Recipe, device_of, parallel_of
from isoloss.runs import (
    Engine,
    Outlook,
    Runs,
    RunsWarning,
    StoreError,
    Submits,
    Swept,
    Task,
    cores,
    engine_for,
    outlook,
    shard_of,
    sweep,
)


def train(
    grid: Grids,
    *,
    corpus: str | Path | Corpus = "synthetic",
    task: TrainingTask | None = None,
    post: Posts = (),
    store: str | Path | None = None,
    recipe: Recipe | None = None,
    keep: str | Path | None = None,
    workers: int | None = None,
    executor: Submits | Engine | str | None = None,
    folder: str | Path | None = None,
    shard: str | None = None,
    cells: bool = False,
    parallel: str | None = None,
    micro_batches: int | None = None,
    show: bool = True,
) -> Runs:
    """Train every model of a grid, evaluate it, and quantise it to each precision of `post`.

    Runs that are equal but for precision see the same batches. With schedule "wsd" or "constant"
    and a number of warm-up steps, token counts share their first steps, which are trained once.

    Parameters
    ----------
    grid
        Its lists are params (of the ladder, "0.1M"), tokens or tokens_per_param, precision, seed,
        tied, and any setting of the recipe (lr, schedule, sequences ...); several grids are run as
        one, equal runs once.
    corpus
        "synthetic", a path of your own text, or any `Corpus`; a task has its own.
    task
        A module of your own in place of the decoder, with its batches and loss: a `TrainingTask`,
        such as `hub_task(config, corpus)`. `params` is then what its `build` is given.
    post
        Precisions that every model is quantised to after training, as "w4" or ["w4", "w3/32@gptq"].
    store
        A file that keeps every run (".db"). Rerunning resumes; finished runs are skipped. Without
        it nothing is kept, so that engines whose jobs go on need one.
    recipe
        Settings that the grid does not vary.
    keep
        A folder for the trained models.
    workers
        Processes of one thread; one a core, or one for a GPU, unless given.
    executor
        What works in place of them: an executor of concurrent.futures, or anything with submit,
        whose calls have result and done; an engine, as `il.runs.Ray(gpus_per_task=0.25)` or
        `il.runs.Slurm("gpu", time="4h")`; or its name, as "ray". Of these, `workers` are the calls
        under way at once. No worker of theirs opens the store.
    folder
        Where an executor's workers, or ranks, keep checkpoints: one that all of them share; beside
        the store unless given.
    shard
        A part of the sweep, as "3/16", in a store of its own, for machines that share nothing;
        `il.runs.join_stores` joins them.
    cells
        Train all precisions and seeds of one size and the same token counts as one batched model (a
        batched sweep), which keeps a GPU busy with small models; a CPU gains nothing. Losses are
        those of the run alone but for rounding errors of sums, and the other members are part of a
        run's key. `@lsq` is not supported with cells=True.
    parallel
        "ddp" or "fsdp": each run is trained by all processes that `torchrun` started, one run after
        the other; "fsdp" shares out weights, gradients and moments too (docs/large_runs.md).
    micro_batches
        With `parallel`: parts of a batch, taken one after the other; 1 unless given.
    show
        Whether progress and a summary go to stderr.

    Returns
    -------
    Runs
        A row for each trained model and one for each model after training.

    Raises
    ------
    ModelError, ValueError
        Something cannot be trained or quantised, before anything is.

    Warns
    -----
    RunsWarning
        A run failed, with its reason; the others are there.
    """
    check_path("keep", keep)
    if workers is not None:
        check_whole("workers", workers, 1)
    check_path("folder", folder)
    engine = None if executor is None else engine_for(executor, workers)
    check_kind("cells", cells, bool, "True or False")
    check_store(store)
    if store is None and engine is not None and engine.stays:
        raise StoreError(
            f"jobs of {engine.name} go on when this process ends, and there is no store to which "
            "they belong; give one, such as store='runs.db'"
        )
    shared = parallel_of(
        parallel, micro_batches, workers=workers, executor=executor, shard=shard, cells=cells
    )
    jobs = _jobs(grid, corpus, task, recipe, post, cells, shared)
    if shared is not None:
        return _told(_on_ranks(jobs, post, keep, store, folder, show), show)
    tasks = _tasks(jobs, post, keep, workers, cells, engine, shard)
    with tempfile.TemporaryDirectory() as own:
        swept = sweep(
            tasks,
            Path(own) / "runs.db" if store is None else store,
            workers=_workers(jobs, workers) if engine is None else workers,
            executor=engine,
            folder=folder,
            show=show,
        )
    return _told(swept, show)


def foreseen(
    grid: Grids,
    *,
    corpus: str | Path | Corpus = "synthetic",
    task: TrainingTask | None = None,
    post: Posts = (),
    store: str | Path = "runs.db",
    recipe: Recipe | None = None,
    workers: int | None = None,
    executor: Submits | Engine | str | None = None,
    shard: str | None = None,
    cells: bool = False,
    parallel: str | None = None,
    micro_batches: int | None = None,
    price: float | None = None,
) -> Outlook:
    """Foresee a sweep without training: runs, FLOPs, memory, and the time where the store tells it.

    Parameters
    ----------
    grid, corpus, task, post, store, recipe, workers, executor, shard, cells, parallel,
    micro_batches
        As `train` takes them; of an executor, `workers` are the places that it has.
    price
        Money for a worker and hour; with `parallel` all ranks together are one worker.

    Returns
    -------
    Outlook
        Rows in all and those there already, FLOPs, memory, and seconds or None.

    Raises
    ------
    ModelError, ValueError
        As `train` does.
    """
    if workers is not None:
        check_whole("workers", workers, 1)
    check_kind("cells", cells, bool, "True or False")
    check_store(store)
    shared = parallel_of(
        parallel, micro_batches, workers=workers, executor=executor, shard=shard, cells=cells
    )
    jobs = _jobs(grid, corpus, task, recipe, post, cells, shared)
    if shared is not None:
        from isoloss.lm.sweeps.parallel_sweep import runs_of, tasks_on_ranks

        return outlook(tasks_on_ranks(runs_of(jobs, post, None)), store, price=price)
    engine = None if executor is None else engine_for(executor, workers)
    tasks = _tasks(jobs, post, None, workers, cells, engine, shard)
    places = _workers(jobs, workers) if engine is None else workers
    return outlook(tasks, store, places, price)


def _tasks(
    jobs: Sequence[AnyJob],
    post: Posts,
    keep: str | Path | None,
    workers: int | None,
    cells: bool,
    engine: Engine | None,
    shard: str | None,
) -> list[Task]:
    """The tasks, or those of a shard; where they run on this machine, they must fit into it."""
    if engine is None:
        tasks = checked_tasks(jobs, post, keep, _workers(jobs, workers), cells)
    elif engine.here:
        tasks = checked_tasks(jobs, post, keep, workers, cells)
    else:
        tasks = tasks_of(jobs, post, keep, cells)
    return tasks if shard is None else shard_of(tasks, shard)


def _on_ranks(
    jobs: Sequence[AnyJob],
    post: Posts,
    keep: str | Path | None,
    store: str | Path | None,
    folder: str | Path | None,
    show: bool,
) -> Swept:
    """Train each run on all ranks."""
    # Loaded when asked: it needs torch's own ways of sharing out, which take a second to load.
    from isoloss.lm.sweeps.parallel_sweep import parallel_sweep, runs_of

    runs = runs_of(jobs, post, keep)
    if store is not None:
        return parallel_sweep(runs, store, folder=folder, show=show)
    with tempfile.TemporaryDirectory() as own:
        return parallel_sweep(runs, Path(own) / "runs.db", folder=folder, show=show)


def _told(swept: Swept, show: bool) -> Runs:
    """The rows of a sweep, once a person has heard how it went, from the first rank."""
    if leads():
        if show:
            print(swept, file=sys.stderr)
        for label, reason in swept.failures:
            warnings.warn(RunsWarning(f"{label} failed: {reason}"), stacklevel=3)
    return swept.runs


def _jobs(
    grid: Grids,
    corpus: str | Path | Corpus,
    task: TrainingTask | None,
    recipe: Recipe | None,
    post: Posts,
    cells: bool,
    parallel: Parallel | None,
) -> Sequence[AnyJob]:
    """The jobs of the decoder, or of a task."""
    if task is None:
        return jobs_of(grid, corpus, recipe, parallel)
    if corpus != "synthetic":
        raise ModelError("a task has batches of its own; give the corpus to the task")
    if cells:
        raise ModelError(
            "cells=True trains decoders side by side, and a task has a module; leave it out"
        )
    if parallel is not None:
        raise ModelError(
            "ranks train decoders together, and a task has a module of its own; leave parallel out"
        )
    return task_jobs_of(grid, task, recipe, post)


def _workers(jobs: Sequence[AnyJob], workers: int | None) -> int:
    """Workers of this machine, where none are given one a core, or one for a device that they would
    wait for.

    Raises ModelError where the device is not there.
    """
    devices = {device_of(name).type for name in {job.recipe.device for job in jobs}}
    if workers is not None:
        return workers
    return cores() if devices == {"cpu"} else 1
