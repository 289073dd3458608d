"""A job of a task: everything that determines the result of one run of a module of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isoloss.formats import Precision
from isoloss.lm.arguments import check_kind, check_whole
from isoloss.lm.data import Corpus
from isoloss.lm.rounding import check_steps
from isoloss.lm.shape import TRAINING_BYTES, ModelError, free_memory
from isoloss.lm.tasks.looking_over import LookedOver
from isoloss.lm.tasks.training_task import Size, TrainingTask
from isoloss.lm.training import OneJob, Recipe, own_of, steps_of
from isoloss.runs import Run, compact

#: Raised when the trainer changes what it computes: runs of another trainer are other runs.
TRAINER = 1


@dataclass(frozen=True)
class TaskJob(OneJob):
    """A task's module of one size, trained for some steps of a recipe.

    Batches and first weights depend on the seed alone.

    Attributes
    ----------
    task
        What is trained: module, batches, loss.
    params
        What `build` is given.
    steps
        Steps of the optimiser, one batch each.
    precision
        What training rounds.
    recipe
        Learning rate, schedule, batch and the like.
    non_embedding, embedding
        Parameters of the module.
    rounded_share
        The share of the weights outside embedding and head that training rounds, None for none.
    seed
        Of first weights, batches and random numbers.
    """

    task: TrainingTask
    params: Size
    steps: int
    precision: Precision
    recipe: Recipe
    non_embedding: int
    embedding: int
    rounded_share: float | None
    seed: int = 0

    @classmethod
    def of(
        cls,
        looked: LookedOver,
        tokens: float | str,
        precision: str | Precision,
        recipe: Recipe,
        seed: int = 0,
    ) -> TaskJob:
        """The job that trains on `tokens` tokens, rounded to whole batches.

        Raises
        ------
        ModelError
            An argument is of another kind, or module, precision or memory do not allow the
            training.
        ValueError
            The corpus has too few tokens.
        """
        check_kind("recipe", recipe, Recipe, "a Recipe")
        check_kind("precision", precision, (str, Precision), "a precision, such as 'w4 a8'")
        check_whole("seed", seed)
        precision, task = Precision.parse(precision), looked.task
        share = looked.check_precision(precision)
        batch = recipe.sequences * task.length
        steps = steps_of(tokens, batch)
        check_steps(precision, steps)
        task.validation(recipe.validation)  # a text may be too short for it
        if task.of_tokens is not None:
            task.of_tokens.unique(steps * batch)
        job = cls(
            task, looked.params, steps, precision, recipe, looked.non_embedding_params,
            looked.embedding_params, share, seed,
        )  # fmt: skip
        check_room(job)
        return job

    @property
    def corpus(self) -> Corpus | None:
        """What it is trained on, None for batches of its own."""
        return self.task.of_tokens

    @property
    def context(self) -> int:
        """Tokens that a sequence predicts."""
        return self.task.length

    @property
    def settings(self) -> dict[str, Any]:
        """All that determines the result, as JSON can hold it."""
        return {
            "task trainer": TRAINER,
            "task": self.task.known_by(self.params),
            "params": self.params,
            "precision": str(self.precision),
            "recipe": self.recipe.settings(self.steps),
            "steps": self.steps,
            "seed": self.seed,
            **own_of(self.precision),
        }

    @property
    def memory(self) -> float:
        """The bytes of weights, gradients and moments; what a batch leaves is not known."""
        return float(TRAINING_BYTES * (self.non_embedding + self.embedding))

    def flops(self, steps: int) -> float:
        """6 N D, without embeddings: what is inside of the module is not known."""
        return 6.0 * self.non_embedding * steps * self.batch

    @property
    def row(self) -> Run:
        """All that is known of the run before it starts; the loss is unknown."""
        corpus = self.corpus
        held = f"{self.recipe.validation} sequences of {self.context}"
        return self._row(
            params=self.non_embedding,
            params_embedding=self.embedding,
            unique_tokens=None if corpus is None else corpus.unique(self.tokens),
            flop_rule="6ND",
            corpus=None if corpus is None else corpus.name,
            eval_set=f"{self.task.name} held out, {held}"
            if corpus is None or not self.task.predicts
            else f"{corpus.name} validation, {held}",
            family=self.task.name,
        )

    @property
    def size(self) -> str:
        """Name, params and tokens, for people."""
        return (
            f"{self.task.name} of {self.non_embedding / 1e6:.3g}M params, "
            f"{self.tokens / 1e6:.3g}M tokens"
        )


def check_room(job: TaskJob, workers: int = 1) -> None:
    """Raise ModelError where the weights of a module alone need more memory than is free."""
    needed, free = workers * job.memory, free_memory(job.recipe.device)
    if needed > free:
        many = f" in {workers} workers at once" if workers > 1 else ""
        raise ModelError(
            f"the module of '{job.task.name}' of {compact(job.non_embedding + job.embedding)} "
            f"params needs {needed / 1e9:.3g} GB to train{many} and {free / 1e9:.3g} GB are free; "
            "choose a smaller one"
        )
