"""The contract of a module of one's own in training: how it is built, its batches, its loss."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._pytree import tree_map

from isoloss.files import shown_value
from isoloss.lm.after import logits_of
from isoloss.lm.arguments import check_kind, check_whole, token_table
from isoloss.lm.data import Corpus, corpus_of
from isoloss.lm.own_source import source_of
from isoloss.lm.shape import ModelError
from isoloss.lm.training import EVALUATED_TOGETHER

#: What `build` gets for params where a grid has none, and what `settings` may be a function of.
Size = float | None
_OWN = ("batches", "held_out", "context")
#: The family of the decoder that isoloss has itself.
_TAKEN = "isoloss"


def next_token_loss(module: nn.Module, batch: Tensor) -> Tensor:
    """The mean nats a token of what a module says of tokens (sequences, context + 1), summed up in
    float32 at least; it takes tokens (sequences, context) and gives logits, or has `.logits`.
    """
    logits = logits_of(module, batch[:, :-1]).flatten(0, 1)
    wide = torch.promote_types(logits.dtype, torch.float32)
    return functional.cross_entropy(logits.to(wide), batch[:, 1:].flatten().to(logits.device))


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """A module of one's own with its data and its loss, which `train(task=...)` trains.

    Its rows stand beside those of the decoder: same store, pairing, recipe, checkpoints, `post`.
    Functions are sent to other processes by reference, so they stand at the top level of a module.

    Parameters
    ----------
    name
        What rows call it, in the column `family`.
    build
        A function of (params, seed) that gives the module, its weights float32 on the CPU: params
        as the grid says, None where it has no such list. torch is seeded before, so that layers
        start alike in every precision. A layer named `head`, or what `get_output_embeddings()`
        gives, is its head.
    corpus
        Where batches come from: tokens (sequences, context + 1). "synthetic", a path of text, or a
        `Corpus`.
    loss
        A function of (module, batch) that gives the mean nats a token, a scalar; cross entropy of
        the next token unless given. Numbers that it draws from torch are seeded by run and step.
    batches, held_out, context
        In place of a corpus: a function of (step, sequences, seed) that gives the batch of a step,
        the same whenever it is asked; one of (sequences) that gives two batches or more that no run
        trains on; and the tokens that a sequence predicts. A batch is a tensor, an array, or a
        tuple, list or dictionary of these.
    version
        Changed whenever any of these functions computes something else. Where it is None, the
        source of the functions and of what they call beside them stands for it.
    settings
        What the functions depend on beside their source, as JSON can hold it, or a function of
        params that gives it; part of a run's key.

    Attributes
    ----------
    code
        The version, or the hash of the source: what the key of a run knows of the functions.

    Raises
    ------
    ModelError
        An argument is of another kind, or there are neither a corpus nor batches.
    """

    name: str
    build: Callable[[Size, int], nn.Module]
    corpus: Corpus | str | Path | None = None
    loss: Callable[[nn.Module, Any], Tensor] = next_token_loss
    batches: Callable[[int, int, int], Any] | None = None
    held_out: Callable[[int], Sequence[Any]] | None = None
    context: int | None = None
    version: str | None = None
    settings: Mapping[str, Any] | Callable[[Size], Mapping[str, Any]] = field(default_factory=dict)
    code: Mapping[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_kind("name", self.name, str, "the name of a model family, such as 'tiny'")
        if not self.name.isprintable() or not self.name.strip() or self.name == _TAKEN:
            raise ModelError(
                f"the name of a task is {self.name!r}; accepted is printable text other than "
                f"'{_TAKEN}', the family of its own decoder"
            )
        for what in ("build", "loss", *(("batches", "held_out") if self.corpus is None else ())):
            if not callable(getattr(self, what)):
                raise ModelError(
                    f"{what} of the task '{self.name}' is {shown_value(getattr(self, what))}; "
                    "accepted is a function" + ("" if what in ("build", "loss") else _OR_CORPUS)
                )
        if self.corpus is not None:
            self._check_alone()
            object.__setattr__(self, "corpus", corpus_of(self.corpus))
        else:
            check_whole(f"context (tokens a sequence) of the task '{self.name}'", self.context, 1)
        check_kind("version", self.version, (str, type(None)), "text such as '1', or None")
        if isinstance(self.build, nn.Module):
            raise ModelError(
                f"build of the task '{self.name}' is a {type(self.build).__name__}; accepted is a "
                "function of (params, seed) that makes one, so that every run has its own"
            )
        if not callable(self.settings):
            check_kind("settings", self.settings, Mapping, "a dictionary of JSON values")
        # Told once: a source may change while workers have the task.
        object.__setattr__(self, "code", self._code())

    def _check_alone(self) -> None:
        both = [name for name in _OWN if getattr(self, name) is not None]
        if both:
            raise ModelError(
                f"the task '{self.name}' has a corpus and {', '.join(both)}; accepted is either a "
                f"corpus or {', '.join(_OWN)}"
            )

    @property
    def of_tokens(self) -> Corpus | None:
        """The corpus, where there is one."""
        assert not isinstance(self.corpus, str | Path)
        return self.corpus

    @property
    def predicts(self) -> bool:
        """Whether its loss is that of the next token of a corpus, sequence by sequence."""
        return self.corpus is not None and self.loss is next_token_loss

    @property
    def length(self) -> int:
        """Tokens that a sequence predicts."""
        found = self.context if self.of_tokens is None else self.of_tokens.context
        assert found is not None
        return found

    def batch(self, step: int, sequences: int, seed: int) -> Any:
        """The batch of a step as tensors."""
        if self.of_tokens is not None:
            return torch.from_numpy(self.of_tokens.batch(step, sequences, seed).copy())
        assert self.batches is not None
        return as_tensors(self.batches(step, sequences, seed))

    def validation(self, sequences: int) -> list[Any]:
        """The batches that no run trains on, as tensors.

        Raises
        ------
        ModelError
            There are fewer than two, which have no standard error.
        """
        if self.of_tokens is not None:
            table = token_table(self.of_tokens.validation(sequences), rows=2)
            # A loss of one's own is a number a batch, so that there have to be several.
            together = min(EVALUATED_TOGETHER, max(1, len(table) // 8))
            many = EVALUATED_TOGETHER if self.predicts else together
            return list(table.split(many))  # type: ignore[no-untyped-call]
        assert self.held_out is not None
        found = self.held_out(sequences)
        if not isinstance(found, Sequence) or len(found) < 2:
            gave = f"{len(found)} of them" if isinstance(found, Sequence) else shown_value(found)
            raise ModelError(
                f"held_out of the task '{self.name}' gave {gave}; accepted are two "
                "batches or more in a list, for a standard error"
            )
        return [as_tensors(each) for each in found]

    def known_by(self, params: Size) -> dict[str, Any]:
        """What tells the task from others at a size, as JSON can hold it.

        Raises
        ------
        ModelError
            Settings are nothing that JSON can hold.
        """
        given = self.settings(params) if callable(self.settings) else self.settings
        try:
            settings = json.loads(json.dumps(dict(given), sort_keys=True, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"settings of the task '{self.name}' are {shown_value(given)}; accepted are values "
                f"that JSON can hold ({error})"
            ) from None
        corpus = None if self.of_tokens is None else self.of_tokens.settings()
        told = {"name": self.name, "settings": settings, "corpus": corpus, "context": self.length}
        return told | dict(self.code)

    def _code(self) -> dict[str, str]:
        if self.version is not None:
            return {"version": self.version}
        parts: dict[str, Any] = {
            "build": self.build, "loss": self.loss, "batches": self.batches,
            "held_out": self.held_out,
        }  # fmt: skip
        own = {k: f for k, f in parts.items() if f is not None and f is not next_token_loss}
        return {"source": source_of(self.name, own)}


_OR_CORPUS = " (or a corpus in its place)"


def as_tensors(batch: Any) -> Any:
    """A batch with its arrays as tensors."""

    def taken(each: Any) -> Any:
        return torch.from_numpy(each.copy()) if isinstance(each, np.ndarray) else each

    return tree_map(taken, batch)


def on_device(batch: Any, device: torch.device) -> Any:
    """A batch with its tensors on a device."""
    return tree_map(lambda each: each.to(device) if isinstance(each, Tensor) else each, batch)


def check_task(task: object) -> TrainingTask:
    """The task itself; ModelError for anything else, which says how a task is made."""
    if not isinstance(task, TrainingTask):
        what = "a class" if isinstance(task, type) else shown_value(task)
        raise ModelError(
            f"task is {what}; accepted is a TrainingTask(name, build, corpus), or hub_task(config, "
            "corpus) for a model of Hugging Face"
        )
    return task
