"""Training of a batched model: each job with the batches, clipping and draws it has alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from isoloss.lm.model import Model
from isoloss.lm.training.batched_model import BatchedModel
from isoloss.lm.training.job import Job
from isoloss.lm.training.recipe import Recipe
from isoloss.lm.training.trainer import Trainer, batch_of

#: What `clip_grad_norm_` adds to a norm before it divides by it.
CLIP_EPS = 1e-6


class BatchedTrainer(Trainer):
    """Trainer of jobs that differ in precision and seed, as one batched model.

    A member whose loss is no number stays as it is from then on; the others learn on. Seconds are
    shared out evenly.
    """

    model: BatchedModel

    def _model(self) -> BatchedModel:
        model = BatchedModel(
            [Model(job.shape, job.precision, job.seed, job.compiled) for job in self.jobs]
        )
        model.draw_from(self.random)
        return model

    def _loss(self, step: int, recipe: Recipe) -> Tensor:
        by_seed = {job.seed: batch_of(job.corpus, step, recipe, job.seed) for job in self.jobs}
        inputs, targets = zip(*(by_seed[job.seed] for job in self.jobs), strict=True)
        return self.model.losses(
            torch.stack(inputs).to(self.device), torch.stack(targets).to(self.device)
        )

    def _update(self, clip: float) -> None:
        params, still = list(self.model.parameters()), self.broken
        # A member that diverged stays as it is: its parameters are put back after the step of all.
        before = [p[still].detach() for p in params] if still else []
        self._clip(params, clip)
        self.optimiser.step()
        with torch.no_grad():
            for p, old in zip(params, before, strict=bool(still)):
                p[still] = old

    def _clip(self, params: Sequence[Tensor], limit: float) -> None:
        """Scale the gradients of each member down to a norm of `limit`."""
        # One norm for each member, over all its parameters, as `clip_grad_norm_` takes it alone.
        gradients = [p.grad for p in params if p.grad is not None]
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
        shares = (limit / (norms + CLIP_EPS)).clamp(max=1.0)
        for g in gradients:
            g.mul_(shares.reshape(-1, *[1] * (g.dim() - 1)))

    def _trained(self, k: int) -> Model:
        return self.model.member(k)


def trainer_of(jobs: tuple[Job, ...]) -> Trainer:
    """The trainer of one job, or of several that differ in precision and seed alone."""
    return Trainer(*jobs) if len(jobs) == 1 else BatchedTrainer(*jobs)
