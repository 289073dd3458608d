"""What every job is, whatever it trains: steps of a recipe on the batches of a seed."""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from isoloss.formats import Precision
from isoloss.lm.own_source import own_sources
from isoloss.lm.rounding import method_of, own_rules
from isoloss.lm.shape import ModelError
from isoloss.lm.training.recipe import Recipe
from isoloss.runs import Run, compact, number

#: FLOPs of training (some seconds of a core) from which the seconds that fused rounding takes to
#: compile are worth it.
WORTH_COMPILING = 3e11
#: Settings of the recipe in which runs on one shared prefix differ.
_BRANCH = ("schedule", "decay", "lr_end", "validation")
#: A job of a decoder or of a task.
AnyJob = TypeVar("AnyJob", bound="OneJob")


class OneJob(ABC):
    """A job: everything that determines the result of one run.

    Attributes
    ----------
    steps
        Steps of the optimiser, one batch each.
    precision
        What training rounds.
    recipe
        Learning rate, schedule, batch and the like.
    seed
        Of first weights, batches and random numbers.
    cell
        The key of the batched sweep that it is trained in, None where it is trained alone.
    """

    steps: int
    precision: Precision
    recipe: Recipe
    seed: int
    cell: str | None = None

    @property
    @abstractmethod
    def context(self) -> int:
        """Tokens that a sequence predicts."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """All that determines the result, as JSON can hold it."""

    @property
    @abstractmethod
    def size(self) -> str:
        """Params and tokens, for people."""

    @abstractmethod
    def flops(self, steps: int) -> float:
        """FLOPs of so many steps."""

    @property
    def batch(self) -> int:
        """Tokens of a step."""
        return self.recipe.sequences * self.context

    @property
    def tokens(self) -> int:
        """Tokens seen."""
        return self.steps * self.batch

    @property
    def compiled(self) -> bool:
        """Whether rounding is fused: as the recipe says, else where the run is long enough."""
        if self.recipe.compiled is not None:
            return self.recipe.compiled
        return self.flops(self.steps) >= WORTH_COMPILING

    @property
    def key(self) -> str:
        """The content hash of the settings."""
        return key_of(self.settings)

    @property
    def apart(self) -> str:
        """A key of all but precision and seed: members of a batched sweep that end together have it
        in common.
        """
        known = self.settings | {"precision": "fp", "seed": 0}
        return key_of({name: value for name, value in known.items() if name != "cell"})

    @property
    def shared(self) -> int:
        """Steps that it shares with the other runs on its prefix: those before its decay, and
        before its precision changes.
        """
        _, *changes = self.precision.begins(self.steps)
        return min([self.recipe.shared(self.steps), *changes])

    @property
    def prefix(self) -> str:
        """Key of the shared prefix: runs on one prefix differ in how long it is and how they
        end.
        """
        if not self.shared:
            return self.key
        kept = {name: value for name, value in self.settings.items() if name != "steps"}
        recipe = {name: value for name, value in kept["recipe"].items() if name not in _BRANCH}
        first = str(self.precision.stages[0])
        return key_of(kept | {"recipe": recipe, "precision": first})

    def __str__(self) -> str:
        return f"{self.size}, {self.precision}, seed {self.seed}, {self.recipe.schedule}"

    def _row(self, optimizer: str = "", **own: Any) -> Run:
        """What is known of the run before it starts, with what is its kind's own; optimizer: what
        it says of that behind AdamW's settings.
        """
        recipe = self.recipe
        adamw = f"adamw beta {recipe.beta1:g} {recipe.beta2:g} decay {recipe.weight_decay:g}"
        return Run(
            tokens=self.tokens,
            precision=str(self.precision),
            loss=math.nan,
            status="unfinished",
            seed=self.seed,
            params_kind="non_embedding",
            flops=self.flops(self.steps),
            method=method_of(self.precision),
            kernels="simulated" if any(each.train for each in self.precision.stages) else "real",
            optimizer=adamw + optimizer,
            batch_tokens=self.batch,
            lr_peak=recipe.lr,
            lr_final=recipe.lr * recipe.rate(self.steps - 1, self.steps),
            schedule=recipe.schedule,
            group=self.prefix,
            key=self.key,
            **own,
        )


def own_of(precision: Precision) -> dict[str, Any]:
    """What settings hold of the formats and gradient rules of one's own in training; nothing where
    isoloss ships all of them.
    """
    formats = [known for stage in precision.stages for known in stage.train.values()]
    rules = {f"method {rule.name}": rule.apply or rule.module for rule in own_rules(formats)}
    found = own_sources(formats, {name: each for name, each in rules.items() if each})
    return {"own": found} if found else {}


def steps_of(tokens: float | str, batch: int) -> int:
    """The steps that see about so many tokens; ModelError for less than half a batch."""
    wanted = number(tokens)
    steps = round(wanted / batch)
    if steps < 1:
        raise ModelError(
            f"{compact(wanted)} tokens are less than half a batch of {batch}; ask for more"
        )
    return steps


def by_prefix(jobs: Sequence[AnyJob]) -> list[list[AnyJob]]:
    """The jobs of each shared prefix."""
    prefixes: dict[str, list[AnyJob]] = {}
    for job in jobs:
        prefixes.setdefault(job.prefix, []).append(job)
    return list(prefixes.values())


def key_of(settings: Mapping[str, Any]) -> str:
    """The hash of settings, 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
