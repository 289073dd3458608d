"""The held-out loss of a task's module, and what rounding it costs on the same batches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from isoloss.lm.after import Degradation, Predictions, at_rest, degradation, logits_of
from isoloss.lm.tasks.draws import seeded
from isoloss.lm.tasks.training_task import TrainingTask, on_device
from isoloss.lm.training import Evaluation, Recipe, products_in

#: The seed of what a loss draws on held-out batches: the same before and after rounding.
_HELD_OUT = 1 << 21


@torch.no_grad()
def evaluated(task: TrainingTask, module: nn.Module, recipe: Recipe) -> Evaluation:
    """The loss of a module on batches that no run trains on.

    That of the next token has a standard error over sequences, a loss of one's own over batches.
    """
    device, each = next(module.parameters()).device, []
    with at_rest(module), products_in(recipe, device):
        for k, batch in enumerate(task.validation(recipe.validation)):
            batch = on_device(batch, device)
            with seeded(_HELD_OUT, k):
                each += _losses(task, module, batch)
    found = np.array(each, np.float64)
    return Evaluation(float(found.mean()), _error(found), found)


@dataclass(frozen=True, eq=False)
class Before:
    """A trained module on its held-out batches, to compare others with.

    Attributes
    ----------
    losses
        Of each sequence or batch.
    predictions
        Of the next token, where that is its loss.
    """

    losses: np.ndarray
    predictions: Predictions | None

    @classmethod
    def of(cls, task: TrainingTask, module: nn.Module, recipe: Recipe) -> Before:
        """What a module gives."""
        if not task.predicts:
            return cls(evaluated(task, module, recipe).each, None)
        return cls(np.empty(0), Predictions.of(module, _table(task, recipe), recipe))

    def beside(self, task: TrainingTask, module: nn.Module, recipe: Recipe) -> Degradation:
        """What another module does on the same batches; without a divergence, which is then no
        number, where the loss is the task's own.
        """
        if self.predictions is not None:
            return degradation(self.predictions, module, _table(task, recipe), recipe)
        after = evaluated(task, module, recipe)
        apart = after.each - self.losses
        gap = float(apart.mean()), _error(apart)
        return Degradation(after.loss, after.se, *gap, math.nan, math.nan)


def _table(task: TrainingTask, recipe: Recipe) -> np.ndarray:
    assert task.of_tokens is not None
    return task.of_tokens.validation(recipe.validation)


def _losses(task: TrainingTask, module: nn.Module, batch: Any) -> list[float]:
    """The loss of each sequence of a batch, or of the batch where the loss is the task's own."""
    if not task.predicts:
        return [float(task.loss(module, batch))]
    logits = logits_of(module, batch[:, :-1]).float().transpose(1, 2)
    losses = functional.cross_entropy(logits, batch[:, 1:], reduction="none")
    found: list[float] = losses.double().mean(1).tolist()
    return found


def _error(each: np.ndarray) -> float:
    return float(each.std(ddof=1) / math.sqrt(len(each)))
