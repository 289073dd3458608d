"""From grids to the work of a sweep: a job a combination, a task a shared prefix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from isoloss.files import shown_value
from isoloss.formats import Precision
from isoloss.lm.after import Calibration, calibrated_methods, own_methods, post_precision
from isoloss.lm.arguments import Posts, check_kind, posts_of
from isoloss.lm.data import Corpus, corpus_of
from isoloss.lm.rounding import own_rules
from isoloss.lm.shape import ModelError, ladder, model_of
from isoloss.lm.sweeps.kinds import AnyJob, kind_of
from isoloss.lm.sweeps.shared_prefix import SharedPrefix
from isoloss.lm.training import Job, Parallel, Recipe, by_prefix, in_batches
from isoloss.runs import Grid, Task, cores, number

Grids = Grid | Mapping[str, Any] | Iterable[Grid | Mapping[str, Any]]
_ACCEPTED = "accepted is a Grid, such as Grid(params='0.1M', tokens='1M'), or several in a list"
#: Lists that a grid may have beside the settings of the recipe.
OF_MODEL = ("params", "tied")
OF_RUN = ("tokens", "tokens_per_param", "precision", "seed")
OF_RECIPE = tuple(
    field.name for field in fields(Recipe) if field.name not in ("compiled", "device")
)


def jobs_of(
    grid: Grids,
    corpus: str | Path | Corpus = "synthetic",
    recipe: Recipe | None = None,
    parallel: Parallel | None = None,
) -> list[Job]:
    """The different jobs of one or more grids, in their order. Raises as `train` does."""
    check_kind("recipe", recipe, (Recipe, type(None)), "a Recipe, or None")
    from_where = corpus_of(corpus)
    found: dict[str, Job] = {}
    for each in grids_of(grid):
        check_lists(each, OF_MODEL, ("params",))
        for values in each:
            job = _job(values, from_where, recipe or Recipe(), parallel)
            found.setdefault(job.key, job)
    return list(found.values())


def tasks_of(
    jobs: Sequence[AnyJob], post: Posts = (), keep: str | Path | None = None, cells: bool = False
) -> list[Task]:
    """The tasks of a sweep: one for each shared prefix, or batched sweep of them, with its
    branches.
    """
    return [_task(prefix) for prefix in prefixes_of(jobs, post, keep, cells)]


def prefixes_of(
    jobs: Sequence[AnyJob], post: Posts, keep: str | Path | None, cells: bool
) -> list[SharedPrefix]:
    """The shared prefixes of jobs, or batched sweeps of them, with what their models are quantised
    to. Raises as `train` does.
    """
    wanted = tuple(posts_of(post))
    of_decoders = [job for job in jobs if isinstance(job, Job)]
    for job in of_decoders:  # refused before anything is trained, as those of a task have been
        for after in wanted:
            post_precision(job.precision, after, job.shape.layers)
    formats = [known for after in wanted for known in Precision.parse(after).train.values()]
    if calibrated_methods(formats):
        for corpus in {id(job.corpus): job.corpus for job in jobs if job.corpus}.values():
            Calibration().tokens(corpus)  # a text may be too short for it
    folder = None if keep is None else Path(keep).absolute()
    together = in_batches(of_decoders) if cells else by_prefix(jobs)
    methods = own_methods(formats)
    rules = own_rules(
        known for job in jobs for stage in job.precision.stages for known in stage.train.values()
    )
    return [
        SharedPrefix(tuple(of_one), wanted, folder, methods=methods, rules=rules)
        for of_one in together
    ]


def checked_tasks(
    jobs: Sequence[AnyJob], post: Posts, keep: str | Path | None, workers: int | None, cells: bool
) -> list[Task]:
    """The tasks of jobs that fit into memory side by side."""
    prefixes = prefixes_of(jobs, post, keep, cells)
    largest = max(prefixes, key=lambda prefix: prefix.memory)
    first = largest.jobs[0]
    at_once = min(workers or cores(), len(prefixes))
    kind_of(first).check_room(first, at_once, largest.members)
    return [_task(prefix) for prefix in prefixes]


def _task(prefix: SharedPrefix) -> Task:
    longest = max(prefix.jobs, key=lambda job: job.steps)
    what = (
        f"{longest.size}, batched sweep of {prefix.members}, {longest.recipe.schedule}"
        if prefix.members > 1
        else str(longest)
    )
    ends = (
        ""
        if len(prefix.branches) == 1
        else f" ({len(prefix.branches)} token counts share a prefix)"
    )
    return Task(
        key=prefix.key,
        rows=tuple(key for job in prefix.jobs for key in prefix.rows(job)),
        work=prefix,
        label=f"{what}{ends}",
        flops=prefix.flops,
        memory=prefix.memory,
    )


def grids_of(grid: Grids) -> list[Grid]:
    """The grids that were given as one, as dictionaries or several.

    Raises
    ------
    ModelError
        Something else was given.
    """
    listed = [grid] if isinstance(grid, Grid | Mapping) else grid
    if isinstance(listed, str) or not isinstance(listed, Iterable):
        raise ModelError(f"grid is {shown_value(grid)}; {_ACCEPTED}")
    found = []
    for each in listed:
        check_kind("grid", each, (Grid, Mapping), _ACCEPTED.removeprefix("accepted is "))
        found.append(each if isinstance(each, Grid) else Grid(**each))
    if not found:
        raise ModelError(f"grid is {shown_value(grid)}; {_ACCEPTED}")
    return found


def check_lists(grid: Grid, of_model: tuple[str, ...], needed: tuple[str, ...]) -> None:
    """Raise ModelError for lists that training cannot vary, or lacks: tokens and those needed."""
    known = (*of_model, *OF_RUN, *OF_RECIPE)
    for name in grid.axes:
        if name not in known:
            raise ModelError(
                f"a grid cannot vary '{name}' in training; lists are {', '.join(known)}"
            )
    for one, other in (*((name, "") for name in needed), ("tokens", "tokens_per_param")):
        if (one in grid.axes) + (other in grid.axes) != 1:
            wanted = f"either {one} or {other}" if other else one
            raise ModelError(
                f"a grid of training needs {wanted}; its lists are {', '.join(grid.axes)}"
            )


def _job(
    values: Mapping[str, Any], corpus: Corpus, recipe: Recipe, parallel: Parallel | None
) -> Job:
    # What does not fit on one device may fit on several.
    shape = (ladder if parallel else model_of)(
        values["params"], corpus.vocab, bool(values.get("tied", False))
    )
    tokens = values.get("tokens") or values["tokens_per_param"] * shape.non_embedding_params
    used = recipe_of(values, recipe)
    precision, seed = values.get("precision", "fp"), values.get("seed", 0)
    return Job.of(shape, number(tokens), precision, corpus, used, seed, parallel)


def recipe_of(values: Mapping[str, Any], recipe: Recipe) -> Recipe:
    """A recipe with what one combination of a grid's lists says of it."""
    settings = {name: _as_in(recipe, name, values[name]) for name in OF_RECIPE if name in values}
    return replace(recipe, **settings) if settings else recipe


def _as_in(recipe: Recipe, name: str, value: Any) -> Any:
    """A grid's number as the recipe has it: whole where it is whole there."""
    if not isinstance(getattr(recipe, name), int) or isinstance(value, str):
        return value
    if value != int(value):
        raise ModelError(f"{name} is {value:g}; accepted is a whole number")
    return int(value)
