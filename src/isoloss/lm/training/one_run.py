"""Training one model on one stream of batches, to one row of a table of runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from isoloss.formats import Precision
from isoloss.lm.data import Corpus, Language
from isoloss.lm.model import Model
from isoloss.lm.training.job import Job
from isoloss.lm.training.recipe import Recipe
from isoloss.lm.training.trainer import Ended, Trainer, numbers_of
from isoloss.runs import Decoder, Run, Runs

#: A loss this far above that of a uniform guess has diverged.
DIVERGED_ABOVE = 2.0
EVALUATED_TOGETHER = 32


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Nats a token on held-out sequences, standard error over sequences, and the mean of each, shape (rows,)."""

    loss: float
    se: float
    each: np.ndarray


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished run, the model it left, and the training loss of each step, shape (steps,)."""

    run: Run
    model: Model
    losses: np.ndarray
    evaluation: Evaluation
    job: Job

    @property
    def runs(self) -> Runs:
        """The run as a table of one row."""
        return Runs([self.run])


def train_one(
    shape: Decoder,
    tokens: float | str,
    precision: str | Precision = "fp",
    *,
    corpus: Corpus | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
) -> Trained:
    """The model of a shape trained on `tokens` tokens of a corpus (the synthetic language), evaluated on its validation set.

    Batches depend on seed and step alone, and so do the first weights: runs that differ in precision only are paired.
    A run whose loss is no number, or ends far above a uniform guess, has the status "diverged". Tokens are rounded to
    whole batches; at least one. Raises ModelError for shapes, precisions and numbers that cannot be trained.
    """
    job = Job.of(shape, tokens, precision, corpus or Language(), recipe or Recipe(), seed)
    trainer = Trainer(job)
    trainer.advance(job.steps, job.steps, job.recipe)
    (ended,) = trainer.ended()
    return finished(ended, job)


def finished(ended: Ended, job: Job) -> Trained:
    """The run of a job whose training has ended."""
    found = evaluate(ended.model, job.corpus.validation(job.recipe.validation), job.recipe)
    reason = (
        f"{ended.broken} of {job.steps}" if ended.broken else _divergence(found.loss, job.corpus)
    )
    run = replace(
        job.row,
        loss=found.loss,
        loss_se=found.se if math.isfinite(found.se) else None,
        status="diverged" if reason else "ok",
        reason=reason,
        cost=ended.seconds,
    )
    losses = np.full(job.steps, np.nan)
    losses[: len(ended.losses)] = ended.losses
    return Trained(run, ended.model, losses, found, job)


@torch.no_grad()
def evaluate(model: Model, tokens: np.ndarray, recipe: Recipe | None = None) -> Evaluation:
    """The loss of a model on sequences that begin with START, shape (rows, context + 1).

    They are taken 32 at a time, whatever the batch in training: activations that share one scale a tensor have
    a loss that depends on what stands beside them.
    """
    each, device = [], model.embedding.device
    for part in torch.from_numpy(tokens.copy()).to(device).split(EVALUATED_TOGETHER):  # type: ignore[no-untyped-call]
        with numbers_of(recipe or Recipe(), device):
            logits = model(part[:, :-1]).transpose(1, 2)
            losses = functional.cross_entropy(logits, part[:, 1:], reduction="none")
        each.append(losses.double().mean(1))
    found = torch.cat(each).cpu().numpy()
    return Evaluation(float(found.mean()), float(found.std(ddof=1) / math.sqrt(len(found))), found)


def _divergence(loss: float, corpus: Corpus) -> str | None:
    guess = math.log(corpus.vocab)
    if loss <= guess + DIVERGED_ABOVE:
        return None
    return f"the final loss is {loss:.4g}, and a uniform guess has {guess:.4g}"
