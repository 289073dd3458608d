"""A sweep whose runs are each trained on several ranks, one after the other.

Every rank reads the same grid. The first one sweeps, with a thread of its own in place of workers;
the others follow its orders until it has none, and end with the same table.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch

from isoloss.lm.arguments import Posts, posts_of
from isoloss.lm.parallel import Ranks, check_parallel, ranks_on
from isoloss.lm.shape import ModelError
from isoloss.lm.sweeps.jobs import prefixes_of
from isoloss.lm.sweeps.kinds import AnyJob
from isoloss.lm.sweeps.parallel_run import Company, Order, ParallelRun
from isoloss.lm.sweeps.shared_prefix import SharedPrefix
from isoloss.lm.torchrun import rank_count
from isoloss.lm.training import Job
from isoloss.runs import StoreError, Swept, Task, sweep


def runs_of(jobs: Sequence[AnyJob], post: Posts, keep: str | Path | None) -> list[SharedPrefix]:
    """The jobs on ranks, each by itself.

    Raises
    ------
    ModelError
        A batch is not parted evenly, or a model that is shared out is to be quantised.
    """
    for job in jobs:
        assert isinstance(job, Job)
        assert job.parallel is not None
        job.parallel.check_batch(job.recipe.sequences, rank_count())
        if job.parallel.shards and posts_of(post):
            raise ModelError(
                "post quantises a whole model on one device and fsdp shares it out; leave post out "
                "and give keep a folder for 'isoloss quantise', or train with parallel='ddp'"
            )
    prefixes = prefixes_of(jobs, post, keep, cells=False)
    return [replace(prefix, jobs=(job,)) for prefix in prefixes for job in prefix.jobs]


def tasks_on_ranks(runs: Sequence[SharedPrefix], company: Company | None = None) -> list[Task]:
    """A task for each run; company: those who do it, where it is to be done."""
    return [
        Task(
            key=run.jobs[0].key,
            rows=run.rows(run.jobs[0]),
            work=run if company is None else ParallelRun(run, company),
            label=str(run.jobs[0]),
            flops=run.flops,
            memory=run.memory,
        )
        for run in runs
    ]


def parallel_sweep(
    runs: Sequence[SharedPrefix],
    store: str | Path,
    *,
    folder: str | Path | None = None,
    show: bool = True,
) -> Swept:
    """Train runs on the ranks that torchrun started, or on this process alone.

    folder: where states are kept, a folder that all ranks see; beside the store where it is None.

    Raises
    ------
    ModelError
        These ranks cannot train a run, or lost each other.
    StoreError
        As `sweep`.
    """
    device = runs[0].jobs[0].recipe.device
    with ranks_on(device) as ranks:
        for run in runs:
            job = run.jobs[0]
            assert isinstance(job, Job)
            check_parallel(job, ranks)
        company = Company(ranks)
        tasks = tasks_on_ranks(runs, company)
        if not ranks.leads:
            return _followed(tasks, ranks)
        return _led(tasks, company, store, folder, show)


def _led(
    tasks: Sequence[Task],
    company: Company,
    store: str | Path,
    folder: str | Path | None,
    show: bool,
) -> Swept:
    ranks = company.ranks
    ends: Swept | StoreError

    def begin() -> None:  # a thread knows the device of its rank only when told
        if ranks.device.type == "cuda":
            torch.cuda.set_device(ranks.device)

    try:
        with ThreadPoolExecutor(1, initializer=begin) as thread:
            ends = sweep(tasks, store, executor=thread, folder=folder, show=show)
    except StoreError as error:
        ends = error
    if company.lost is not None:
        raise ModelError(
            f"the first rank failed alone ({company.lost}), and the others wait for it; the same "
            "command goes on from the last state"
        )
    ranks.told(ends)
    if isinstance(ends, StoreError):
        raise ends
    return ends


def _followed(tasks: Sequence[Task], ranks: Ranks) -> Swept:
    works = {task.key: task.work for task in tasks}
    while isinstance(said := ranks.told(), Order):
        work = works[said.key]
        assert isinstance(work, ParallelRun)
        work.follow(said)
    if isinstance(said, StoreError):
        raise said
    assert isinstance(said, Swept)
    return said
