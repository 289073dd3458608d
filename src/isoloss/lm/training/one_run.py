"""Training one model on one stream of batches, to one row of a table of runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from isoloss.formats import Precision
from isoloss.lm.arguments import check_kind, check_tokens, token_table
from isoloss.lm.data import Corpus, Language
from isoloss.lm.model import Model
from isoloss.lm.training.job import Job
from isoloss.lm.training.recipe import Recipe
from isoloss.lm.training.trainer import Ended, Trainer, products_in
from isoloss.runs import Decoder, Run, Runs

#: A loss this far above that of a uniform guess has diverged.
DIVERGED_ABOVE = 2.0
EVALUATED_TOGETHER = 32


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The loss of a model on held-out sequences.

    Attributes
    ----------
    loss
        Mean cross entropy, nats a token.
    se
        Its standard error over sequences.
    each
        The mean of each sequence, shape (rows,).
    """

    loss: float
    se: float
    each: np.ndarray


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished run with the model that it left.

    Attributes
    ----------
    run
        The row of the run, its loss and status filled in.
    model
        The model after its last step.
    losses
        Training loss of each step, nats a token, shape (steps,); NaN after the step at which it
        diverged.
    evaluation
        The loss on the validation set.
    job
        What was trained: shape, steps, precision, corpus, recipe and seed.
    """

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
    """Train one model and evaluate it on the validation set of its corpus.

    Batches depend on seed and step alone, and so do the first weights: runs that differ in
    precision only are paired.

    Parameters
    ----------
    shape
        The decoder, as `model_of("0.1M")` gives it.
    tokens
        Tokens seen, as 20_000 or "20k", rounded to whole batches; at least one.
    precision
        What is rounded in training, as "w4 a8 kv8"; "fp" rounds nothing.
    corpus
        What it is trained on; the synthetic language unless given.
    recipe
        Learning rate, schedule, batch and the like; the defaults of `Recipe` unless given.
    seed
        Of the first weights and the order of batches.

    Returns
    -------
    Trained
        The run, its model and its losses. A run whose loss is no number, or ends far above a
        uniform guess, has the status "diverged".

    Raises
    ------
    ModelError
        An argument is of another kind, or the shape, precision or memory does not allow the
        training.
    ValueError
        The corpus has too few tokens, or a number cannot be read.
    """
    job = Job.of(shape, tokens, precision, corpus or Language(), recipe or Recipe(), seed)
    trainer = Trainer(job)
    trainer.advance(job.steps, job.steps, job.recipe)
    (ended,) = trainer.ended()
    return finished(ended, job)


def finished(ended: Ended[Model], job: Job) -> Trained:
    """The run of a job whose training has ended."""
    found = evaluate(ended.model, job.corpus.validation(job.recipe.validation), job.recipe)
    reason = (
        f"{ended.broken} of {job.steps}" if ended.broken else divergence(found.loss, job.corpus)
    )
    run = ended_row(job.row, found, reason, ended.seconds)
    return Trained(run, ended.model, losses_of(ended, job.steps), found, job)


def ended_row(row: Run, found: Evaluation, reason: str | None, seconds: float) -> Run:
    """The row of a run with how it ended; reason: why it diverged, None where it did not."""
    return replace(
        row,
        loss=found.loss,
        loss_se=found.se if math.isfinite(found.se) else None,
        status="diverged" if reason else "ok",
        reason=reason,
        cost=seconds,
    )


def losses_of(ended: Ended[Any], steps: int) -> np.ndarray:
    """The loss of every step, NaN behind the one at which a run broke."""
    losses = np.full(steps, np.nan)
    losses[: len(ended.losses)] = ended.losses
    return losses


@torch.no_grad()
def evaluate(model: Model, tokens: np.ndarray, recipe: Recipe | None = None) -> Evaluation:
    """Loss of a model on held-out sequences.

    They are taken 32 at a time, whatever the batch in training: activations that share one scale a
    tensor have a loss that depends on what stands beside them.

    Parameters
    ----------
    model
        A model of this package; for others, `degradation` gives the loss.
    tokens
        Sequences, shape (rows, context + 1); the synthetic language begins each with START.
    recipe
        The recipe of training, for the dtype of products; float32 unless given.

    Returns
    -------
    Evaluation
        The mean in nats a token, its standard error over sequences, and the mean of each sequence.

    Raises
    ------
    ModelError
        An argument is of another kind, or tokens are not in the vocabulary.
    """
    check_kind("model", model, Model, "a Model, such as train_one(...).model")
    check_kind("recipe", recipe, (Recipe, type(None)), "a Recipe, or None")
    table = token_table(tokens)
    check_tokens(model, table)
    each, device = [], model.embedding.device
    for part in table.to(device).split(EVALUATED_TOGETHER):  # type: ignore[no-untyped-call]
        with products_in(recipe or Recipe(), device):
            logits = model(part[:, :-1]).transpose(1, 2)
            losses = functional.cross_entropy(logits, part[:, 1:], reduction="none")
        each.append(losses.double().mean(1))
    # Sequences are independent, tokens of one are not: the error is that over sequences.
    found = torch.cat(each).cpu().numpy()
    return Evaluation(float(found.mean()), float(found.std(ddof=1) / math.sqrt(len(found))), found)


def divergence(loss: float, corpus: Corpus) -> str | None:
    """Why a final loss is that of a run that diverged, None where it is not."""
    guess = math.log(corpus.vocab)
    if loss <= guess + DIVERGED_ABOVE:
        return None
    return f"the final loss is {loss:.4g}, and a uniform guess has {guess:.4g}"
