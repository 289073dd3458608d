"""The verb ``train``: a grid of models, trained and quantised by a sweep that never loses a run, as a table of runs."""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from isoloss.formats import Precision
from isoloss.lm.after import Calibration, post_precision, uses_gptq
from isoloss.lm.data import Corpus, corpus_of
from isoloss.lm.shape import ModelError, check_memory, model_of
from isoloss.lm.training import Job, Recipe, by_trunk, device_of, in_cells
from isoloss.lm.trunk import Trunk
from isoloss.runs import (
    STORES,
    Grid,
    Outlook,
    Runs,
    RunsWarning,
    StoreError,
    Task,
    cores,
    number,
    outlook,
    sweep,
)

Posts = str | Precision | Sequence[str | Precision]
Grids = Grid | Mapping[str, Any] | Iterable[Grid | Mapping[str, Any]]
#: What a grid may vary beside the settings of the recipe.
OF_MODEL = ("params", "tied")
OF_RUN = ("tokens", "tokens_per_param", "precision", "seed")
OF_RECIPE = tuple(
    field.name for field in fields(Recipe) if field.name not in ("compiled", "device")
)


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
    tasks = _checked(jobs, post, keep, workers, cells)
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
    return outlook(_checked(jobs, post, None, workers, cells), store, workers)


def jobs_of(
    grid: Grids, corpus: str | Path | Corpus = "synthetic", recipe: Recipe | None = None
) -> list[Job]:
    """The different jobs of one or more grids, in their order. Raises as `train` does."""
    from_where = corpus_of(corpus)
    found: dict[str, Job] = {}
    for cells in _grids(grid):
        _check_lists(cells)
        for cell in cells:
            job = _job(cell, from_where, recipe or Recipe())
            found.setdefault(job.key, job)
    return list(found.values())


def tasks_of(
    jobs: Sequence[Job], post: Posts = (), keep: str | Path | None = None, cells: bool = False
) -> list[Task]:
    """The tasks of a sweep: one for each trunk, or cell of trunks, with its branches and what they are quantised to."""
    return [_task(trunk) for trunk in _trunks(jobs, post, keep, cells)]


def _trunks(jobs: Sequence[Job], post: Posts, keep: str | Path | None, cells: bool) -> list[Trunk]:
    listed = [post] if isinstance(post, str | Precision) else list(post)
    wanted = tuple(Precision.parse(each) for each in listed)
    for job in jobs:
        for after in wanted:
            post_precision(job.precision, after)  # refused before anything is trained
    if any(uses_gptq(known) for after in wanted for known in after.train.values()):
        for corpus in {id(job.corpus): job.corpus for job in jobs}.values():
            Calibration().tokens(corpus)  # a text may be too short for it
    folder = None if keep is None else Path(keep).absolute()
    together = in_cells(jobs) if cells else by_trunk(jobs)
    return [Trunk(tuple(of_one), wanted, folder) for of_one in together]


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


def _checked(
    jobs: Sequence[Job], post: Posts, keep: str | Path | None, workers: int | None, cells: bool
) -> list[Task]:
    """The tasks of jobs that fit into memory side by side."""
    trunks = _trunks(jobs, post, keep, cells)
    largest = max(trunks, key=lambda trunk: trunk.memory)
    first = largest.jobs[0]
    check_memory(first.shape, first.batch, min(workers or cores(), len(trunks)), largest.members)
    return [_task(trunk) for trunk in trunks]


def _task(trunk: Trunk) -> Task:
    longest = max(trunk.jobs, key=lambda job: job.steps)
    what = (
        f"{longest.size}, cell of {trunk.members}, {longest.recipe.schedule}"
        if trunk.members > 1
        else str(longest)
    )
    ends = "" if len(trunk.branches) == 1 else f" ({len(trunk.branches)} token counts on one trunk)"
    return Task(
        key=trunk.key,
        rows=tuple(key for job in trunk.jobs for key in trunk.rows(job)),
        work=trunk,
        label=f"{what}{ends}",
        flops=trunk.flops,
        memory=trunk.memory,
    )


def _grids(grid: Grids) -> list[Grid]:
    if isinstance(grid, Grid):
        return [grid]
    if isinstance(grid, Mapping):
        return [Grid(**grid)]
    return [each if isinstance(each, Grid) else Grid(**each) for each in grid]


def _check_lists(grid: Grid) -> None:
    known = (*OF_MODEL, *OF_RUN, *OF_RECIPE)
    for name in grid.axes:
        if name not in known:
            raise ModelError(
                f"a grid cannot vary '{name}' in training; lists are {', '.join(known)}"
            )
    for one, other in (("params", ""), ("tokens", "tokens_per_param")):
        if (one in grid.axes) + (other in grid.axes) != 1:
            wanted = f"either {one} or {other}" if other else one
            raise ModelError(
                f"a grid of training needs {wanted}; its lists are {', '.join(grid.axes)}"
            )


def _job(cell: Mapping[str, Any], corpus: Corpus, recipe: Recipe) -> Job:
    shape = model_of(cell["params"], corpus.vocab, bool(cell.get("tied", False)))
    tokens = cell.get("tokens") or cell["tokens_per_param"] * shape.non_embedding_params
    settings = {name: _as_in(recipe, name, cell[name]) for name in OF_RECIPE if name in cell}
    used = replace(recipe, **settings) if settings else recipe
    return Job.of(
        shape, number(tokens), cell.get("precision", "fp"), corpus, used, cell.get("seed", 0)
    )


def _as_in(recipe: Recipe, name: str, value: Any) -> Any:
    """A grid's number as the recipe has it: whole where it is whole there."""
    if not isinstance(getattr(recipe, name), int) or isinstance(value, str):
        return value
    if value != int(value):
        raise ModelError(f"{name} is {value:g}; accepted is a whole number")
    return int(value)
