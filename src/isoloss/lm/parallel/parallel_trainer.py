"""A run in training on several ranks: each takes its part of every batch, and all take one step.

The loss of a rank is its share of the batch's mean, and gradients are summed: so a gradient that is
rounded has the size that it has on one process, whatever the number of ranks. What differs is the
order in which sums are taken. Every rank knows the loss of the batch, and so ends where the others
do; the first one's wishes (to keep the state, to stop) travel with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import GradBucket
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from isoloss.formats import Precision
from isoloss.lm.model import Model, loss_of
from isoloss.lm.parallel.part_rounding import own_roundings, share_roundings
from isoloss.lm.parallel.ranks import Ranks
from isoloss.lm.rounding import check_groups, rule_of
from isoloss.lm.shape import ModelError, check_memory
from isoloss.lm.training import Ended, Job, Recipe, Trainer, batch_of


class Stopped(Exception):
    """The first rank asked all to stop between two steps."""


class ParallelTrainer(Trainer):
    """Trainer of one job on several ranks.

    Attributes
    ----------
    taken
        Steps that were taken on so many ranks, in the order in which the run was resumed.
    wish
        What the first rank wants done after the next step: "keep", "stop", or nothing.
    asked
        What all ranks are to do after the step that they just took.
    """

    model: Model
    jobs: tuple[Job, ...]

    def __init__(self, job: Job, ranks: Ranks):
        check_parallel(job, ranks)
        self.ranks = ranks
        self.taken: list[tuple[int, int]] = []
        self.wish = self.asked = ""
        super().__init__(job)

    def _model(self) -> Model:
        self.device = self.ranks.device
        model: Model = super()._model()
        share_roundings(model, self.ranks)
        parallel = self.jobs[0].parallel
        assert parallel is not None  # checked
        self.called, self.summing = (_sharded if parallel.shards else _copied)(model, self.ranks)
        return model

    def _round_as(self, stage: Precision) -> None:
        super()._round_as(stage)
        share_roundings(self.model, self.ranks)

    def _loss(self, step: int, recipe: Recipe) -> Tensor:
        """The share of this rank in the loss of a batch, with the gradient of all micro-batches but
        the last left behind.
        """
        (job,) = self.jobs
        assert job.parallel is not None
        inputs, targets = batch_of(job.corpus, step, recipe, job.seed)
        count, before = job.parallel.micro_batches, torch.zeros((), device=self.device)
        parts = zip(inputs.chunk(count), targets.chunk(count), strict=True)
        for k, pair in enumerate(parts, 1):
            mine = [self.ranks.part(each).to(self.device) for each in pair]
            with self.summing(k == count):
                loss = loss_of(self.called, *mine) / (self.ranks.size * count)
                if k == count:
                    break
                # Outside of autocast, as the way back of the last one is.
                with torch.autocast(self.device.type, enabled=False):
                    loss.backward()  # type: ignore[no-untyped-call]
                before = before + loss.detach()
        return loss + before

    def _note(self, loss: Tensor) -> None:
        stop, keep = (self.ranks.leads and self.wish == word for word in ("stop", "keep"))
        whole, stopped, kept = self.ranks.sums(float(loss.detach()), stop, keep)
        self.asked, self.wish = "stop" if stopped else "keep" if kept else "", ""
        super()._note(torch.tensor(whole, dtype=torch.float64))
        if self.taken and self.taken[-1][0] == self.ranks.size:
            self.taken[-1] = self.ranks.size, self.taken[-1][1] + 1
        else:
            self.taken.append((self.ranks.size, 1))

    def ended(self) -> list[Ended[Any]]:
        """The end of the training, its model rounding as on one process."""
        found = super().ended()
        own_roundings(self.model)
        return found

    @torch.no_grad()
    def gathered(self) -> Model | None:
        """The whole model on the processor, for the first rank."""
        (job,) = self.jobs
        whole = None
        if self.ranks.leads:
            whole = Model(job.shape, job.precision, job.seed, compiled=False)
            if job.precision.changes:
                whole.round_as(job.precision.stages[-1])
            whole.draw_from(self.random[0])
        into = dict(whole.named_parameters()) if whole else {}
        for name, p in self.model.named_parameters():
            full = p.full_tensor() if isinstance(p, DTensor) else p
            if into:
                into[name].copy_(full)
        return whole


def check_parallel(job: Job, ranks: Ranks) -> None:
    """Raise ModelError for a job that these ranks cannot train together."""
    parallel, tokens = job.parallel, job.batch
    assert parallel is not None
    parallel.check_batch(job.recipe.sequences, ranks.size)
    check_groups(job.precision, job.shape, tokens // parallel.micro_batches)
    formats = (known for stage in job.precision.stages for known in stage.train.values())
    learned = any(rule_of(known).learned for known in formats)
    if parallel.shards and learned:
        raise ModelError(
            f"'{job.precision}' has learned steps, which the first batch sets and fsdp shares out; "
            "train it with parallel='ddp'"
        )
    check_memory(
        job.shape,
        tokens // (ranks.size * parallel.micro_batches),
        workers=ranks.beside if ranks.device.type == "cpu" else 1,
        shards=ranks.size if parallel.shards else 1,
        device=str(ranks.device),
        dtype=job.recipe.dtype,
    )


#: A model as it is called, and whether gradients are summed in a block.
_Called = tuple[
    Callable[[Tensor], Tensor], Callable[[bool], contextlib.AbstractContextManager[Any]]
]


def _copied(model: Model, ranks: Ranks) -> _Called:
    """DDP: every rank has the whole model."""
    called = DistributedDataParallel(model.to(ranks.device), gradient_as_bucket_view=True)
    # By a lambda, since torch takes annotations that are texts for wrong ones.
    called.register_comm_hook(None, lambda state, bucket: _summed(bucket))
    return called, lambda last: contextlib.nullcontext() if last else called.no_sync()


def _summed(bucket: GradBucket) -> torch.futures.Future[Tensor]:
    """The gradients of a bucket summed over ranks; torch's own hook takes their mean."""
    work = dist.all_reduce(bucket.buffer(), async_op=True)
    result: torch.futures.Future[Tensor] = work.get_future().then(lambda done: done.value()[0])
    return result


def _sharded(model: Model, ranks: Ranks) -> _Called:
    """FSDP2: every rank has its part of each weight, gathered block by block where it is used.

    Blocks come to the device one by one, so that no more than one of them is there whole.
    """
    mesh = init_device_mesh(ranks.device.type, (ranks.size,))
    for module in (*model.blocks, model):
        fully_shard(module, mesh=mesh)
        assert isinstance(module, FSDPModule)
        # Gradients are summed; by itself it takes their mean.
        module.set_gradient_divide_factor(1.0)
        module.set_force_sum_reduction_for_comms(True)
    # Summed after every micro-batch, since gradients that wait for others are whole.
    return model, lambda last: contextlib.nullcontext()
