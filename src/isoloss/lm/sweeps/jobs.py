"""From grids to the work of a sweep: the jobs of every combination, and one task for each shared prefix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from isoloss.formats import Precision
from isoloss.lm.after import Calibration, calibrated_methods, own_methods, post_precision
from isoloss.lm.data import Corpus, corpus_of
from isoloss.lm.rounding import own_rules
from isoloss.lm.shape import ModelError, check_memory, model_of
from isoloss.lm.sweeps.shared_prefix import Trunk
from isoloss.lm.training import Job, Recipe, by_trunk, in_cells
from isoloss.runs import Grid, Task, cores, number

Posts = str | Precision | Sequence[str | Precision]
Grids = Grid | Mapping[str, Any] | Iterable[Grid | Mapping[str, Any]]
#: What a grid may vary beside the settings of the recipe.
OF_MODEL = ("params", "tied")
OF_RUN = ("tokens", "tokens_per_param", "precision", "seed")
OF_RECIPE = tuple(
    field.name for field in fields(Recipe) if field.name not in ("compiled", "device")
)


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
    if calibrated_methods(known for after in wanted for known in after.train.values()):
        for corpus in {id(job.corpus): job.corpus for job in jobs}.values():
            Calibration().tokens(corpus)  # a text may be too short for it
    folder = None if keep is None else Path(keep).absolute()
    together = in_cells(jobs) if cells else by_trunk(jobs)
    methods = own_methods(known for after in wanted for known in after.train.values())
    rules = own_rules(known for job in jobs for known in job.precision.train.values())
    return [
        Trunk(tuple(of_one), wanted, folder, methods=methods, rules=rules) for of_one in together
    ]


def checked_tasks(
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
