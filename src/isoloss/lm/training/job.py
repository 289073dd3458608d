"""A job of the decoder, and those that are trained as one batched model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from isoloss.formats import Precision
from isoloss.lm.arguments import check_kind, check_whole
from isoloss.lm.data import Corpus
from isoloss.lm.model import BASE_WIDTH
from isoloss.lm.rounding import (
    check_groups,
    check_precision,
    check_steps,
    check_tied,
    has_operands,
    rule_of,
)
from isoloss.lm.shape import ModelError, check_memory
from isoloss.lm.training.one_job import OneJob, by_prefix, key_of, own_of, steps_of
from isoloss.lm.training.parallel import Parallel
from isoloss.lm.training.recipe import Recipe
from isoloss.runs import Decoder, Run, number

#: Raised when the trainer changes what it computes: runs of another trainer are other runs.
TRAINER = 1


@dataclass(frozen=True)
class Job(OneJob):
    """A shape trained for some steps of a recipe on a corpus.

    Batches and first weights depend on the seed alone.

    Attributes
    ----------
    shape
        The decoder.
    steps
        Steps of the optimiser, one batch each.
    precision
        What training rounds.
    corpus
        What it is trained on.
    recipe
        Learning rate, schedule, batch and the like.
    seed
        Of first weights, batches and random numbers.
    cell
        The key of the batched sweep that it is trained in, None where it is trained alone. Products
        of a batched model are added up in another order, so a run in one is another run than the
        one alone.
    parallel
        How it is shared out among ranks, None where one process trains it; for the same reason part
        of its key.
    """

    shape: Decoder
    steps: int
    precision: Precision
    corpus: Corpus
    recipe: Recipe
    seed: int = 0
    cell: str | None = None
    parallel: Parallel | None = None

    @classmethod
    def of(
        cls,
        shape: Decoder,
        tokens: float | str,
        precision: str | Precision,
        corpus: Corpus,
        recipe: Recipe,
        seed: int = 0,
        parallel: Parallel | None = None,
    ) -> Job:
        """The job that trains on `tokens` tokens, rounded to whole batches.

        Raises
        ------
        ModelError
            An argument is of another kind, or the shape, precision or memory does not allow the
            training.
        ValueError
            The corpus has too few tokens.
        """
        accepted = (
            "a Decoder, as model_of('0.1M') gives it; train_task trains a module of one's own, a "
            "TrainingTask"
        )
        check_kind("shape", shape, Decoder, accepted)
        check_kind("corpus", corpus, Corpus, "a Corpus, such as Language() or Text('texts/')")
        check_kind("recipe", recipe, Recipe, "a Recipe")
        check_kind("precision", precision, (str, Precision), "a precision, such as 'w4 a8'")
        check_whole("seed", seed)
        precision = Precision.parse(precision)
        check_precision(precision)
        check_groups(precision, shape, recipe.sequences * corpus.context)
        check_tied(precision, shape)
        if shape.vocab != corpus.vocab:
            raise ModelError(
                f"the model has {shape.vocab} tokens and the corpus {corpus.vocab}; make them equal"
            )
        batch, wanted = recipe.sequences * corpus.context, number(tokens)
        if parallel is None:  # else that of each rank is looked at where they meet
            check_memory(shape, batch, device=recipe.device, dtype=recipe.dtype)
        steps = steps_of(wanted, batch)
        check_steps(precision, steps)
        corpus.unique(steps * batch)
        corpus.validation(recipe.validation)  # a text may be too short for it
        return cls(shape, steps, precision, corpus, recipe, seed, parallel=parallel)

    @property
    def context(self) -> int:
        """Tokens that a sequence predicts."""
        return self.corpus.context

    def flops(self, steps: int) -> float:
        """Exact FLOPs of so many steps."""
        return self.shape.training_flops(steps * self.batch, self.context)

    @property
    def settings(self) -> dict[str, Any]:
        """All that determines the result, as JSON can hold it; "cell" is the batched sweep."""
        return {
            "trainer": TRAINER,
            "shape": _settings_of(self.shape),
            "precision": str(self.precision),
            "corpus": self.corpus.settings(),
            "recipe": self.recipe.settings(self.steps),
            "steps": self.steps,
            "seed": self.seed,
            **own_of(self.precision),
            **({"cell": self.cell} if self.cell else {}),
            **({"parallel": self.parallel.settings} if self.parallel else {}),
        }

    @property
    def row(self) -> Run:
        """All that is known of the run before it starts; the loss is unknown."""
        held = f"{self.recipe.validation} sequences of {self.context}"
        return self._row(
            f" base width {BASE_WIDTH}",
            params=self.shape.non_embedding_params,
            params_embedding=self.shape.embedding_params,
            unique_tokens=self.corpus.unique(self.tokens),
            flop_rule="exact",
            corpus=self.corpus.name,
            eval_set=f"{self.corpus.name} validation, {held}",
            family="isoloss",
        )

    @property
    def size(self) -> str:
        """Params and tokens, for people."""
        return (
            f"{self.shape.non_embedding_params / 1e6:.3g}M params, {self.tokens / 1e6:.3g}M tokens"
        )


def in_batches(jobs: Sequence[Job]) -> list[list[Job]]:
    """The jobs of each batched sweep: prefixes that differ in precision and seed alone, and end
    alike.

    A prefix that stands alone stays as it is. The members, in whatever order they come, are the
    identity of the sweep.

    Raises
    ------
    ModelError
        A job has learned steps, which are parameters that not all members have, operands of
        backward products, or a precision that changes.
    """
    for job in jobs:
        if why := _alone(job.precision):
            raise ModelError(
                f"'{job.precision}' {why}, which cells=True does not have; train it without"
            )
    batches: dict[tuple[str, ...], list[list[Job]]] = {}
    for prefix in by_prefix(jobs):
        batches.setdefault(tuple(sorted(job.apart for job in prefix)), []).append(prefix)
    return [_batched(prefixes) for prefixes in batches.values()]


def _alone(precision: Precision) -> str | None:
    """What keeps a precision out of a batched model, None for nothing."""
    if precision.changes:
        return "changes during training"
    if has_operands(precision):
        return "rounds operands of backward products apart"
    if any(rule_of(known).learned for known in precision.train.values()):
        return "has learned steps"
    return None


def _batched(prefixes: list[list[Job]]) -> list[Job]:
    if len(prefixes) == 1:
        return prefixes[0]
    prefixes = sorted(prefixes, key=lambda prefix: (str(prefix[0].precision), prefix[0].seed))
    key = key_of({"cell": [prefix[0].prefix for prefix in prefixes]})
    return [replace(job, cell=key) for prefix in prefixes for job in prefix]


def _settings_of(shape: Decoder) -> dict[str, Any]:
    """The fields of a shape that tell models apart: none that is trained has extras in its blocks,
    and keys of runs from before there was the word stay as they are.
    """
    return {name: value for name, value in asdict(shape).items() if name != "block_extras"}
