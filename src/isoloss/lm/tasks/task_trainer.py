"""A task's module in training: the steps of the decoder's trainer, its state with buffers and the
steps that each parameter took.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from isoloss.formats import Precision
from isoloss.lm.after import weights_of_model
from isoloss.lm.shape import ModelError
from isoloss.lm.tasks.draws import seeded
from isoloss.lm.tasks.looking_over import Probing, module_of
from isoloss.lm.tasks.rounded_module import RoundedModule, roundings_of
from isoloss.lm.tasks.task_job import TaskJob
from isoloss.lm.tasks.training_task import on_device
from isoloss.lm.training import Each, Recipe, Trainer


class TaskTrainer(Trainer):
    """Trainer of a task's job."""

    model: RoundedModule
    jobs: tuple[TaskJob, ...]

    def _model(self) -> RoundedModule:
        (job,) = self.jobs
        # Moved before roundings take hold of its weights.
        module = module_of(job.task, job.params, job.seed).to(self.device).train()
        self.weights = weights_of_model(module, probe=Probing(job.task))
        roundings = roundings_of(module, job.precision.stages[0], self.weights, job.compiled)
        return RoundedModule(job.task, module, roundings, self.random[0])

    def _round_as(self, stage: Precision) -> None:
        (job,) = self.jobs
        found = roundings_of(self.model.module, stage, self.weights, job.compiled)
        self.model.round_as(found)

    def _loss(self, step: int, recipe: Recipe) -> Tensor:
        (job,) = self.jobs
        batch = on_device(job.task.batch(step, recipe.sequences, job.seed), self.device)
        self.model.round_weights()
        with seeded(job.seed, step):
            loss: Tensor = self.model(batch)
        if loss.dim():
            raise ModelError(
                f"the loss of the task '{job.task.name}' has the shape {tuple(loss.shape)} at step "
                f"{step}; accepted is a tensor of one number"
            )
        return loss

    def _backward(self, loss: Tensor) -> None:
        super()._backward(loss)
        self.model.unround_weights()

    def advance(self, until: int, steps: int, recipe: Recipe, each: Each | None = None) -> None:
        """As the decoder's, with the weights behind it as the optimiser holds them."""
        try:
            super().advance(until, steps, recipe, each)
        finally:  # a loss that is no number has no way back
            self.model.unround_weights()

    def _trained(self, k: int) -> RoundedModule:
        return self.model

    def tensors(self) -> dict[str, Tensor]:
        """What the state of the decoder has, and buffers and the steps of each parameter."""
        kept = super().tensors()
        for name, buffer in self.model.named_buffers():
            kept[f"buffer.{name}"] = buffer.detach().cpu().clone()
        taken = [
            float(self.optimiser.state.get(p, {}).get("step", 0)) for p in self.model.parameters()
        ]
        kept["steps"] = torch.tensor(taken, dtype=torch.float64)
        return kept

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to the step at which `tensors` were taken."""
        super().restore(tensors)
        for name, buffer in self.model.named_buffers():
            buffer.copy_(tensors[f"buffer.{name}"])
        # An expert that no token came to has taken fewer steps than others.
        for p, taken in zip(self.model.parameters(), tensors["steps"].tolist(), strict=True):
            state = self.optimiser.state[p]
            self.optimiser.state[p] = {**state, "step": torch.tensor(taken)} if taken else {}
