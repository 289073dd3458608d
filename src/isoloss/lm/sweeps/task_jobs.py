"""From grids to the jobs of a task: its module built and looked over once for each size."""

from __future__ import annotations

from isoloss.lm.arguments import Posts, check_kind, posts_of
from isoloss.lm.sweeps.jobs import Grids, check_lists, grids_of, recipe_of
from isoloss.lm.tasks import LookedOver, TaskJob, TrainingTask, check_task
from isoloss.lm.training import Recipe
from isoloss.runs import number


def task_jobs_of(
    grid: Grids, task: TrainingTask, recipe: Recipe | None = None, post: Posts = ()
) -> list[TaskJob]:
    """The different jobs of a task on one or more grids, in their order.

    Raises
    ------
    ModelError, ValueError
        As `train` does, for what cannot be trained, and rounded to `post` after it.
    """
    check_kind("recipe", recipe, (Recipe, type(None)), "a Recipe, or None")
    check_task(task)
    recipe, posts = recipe or Recipe(), posts_of(post)
    looked: dict[object, LookedOver] = {}
    found: dict[str, TaskJob] = {}
    for each in grids_of(grid):
        check_lists(each, ("params",), ())
        for values in each:
            size = values.get("params")
            if size not in looked:
                looked[size] = LookedOver.of(task, size)
            module = looked[size]
            tokens = (
                values.get("tokens") or values["tokens_per_param"] * module.non_embedding_params
            )
            job = TaskJob.of(
                module,
                number(tokens),
                values.get("precision", "fp"),
                recipe_of(values, recipe),
                values.get("seed", 0),
            )
            found.setdefault(job.key, job)
    for size, precision in dict.fromkeys((job.params, job.precision) for job in found.values()):
        for after in posts:
            looked[size].check_post(precision, after)
    return list(found.values())
