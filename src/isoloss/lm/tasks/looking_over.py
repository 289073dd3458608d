"""A task's module of one size, looked over before anything is trained: what it has, and that seeds
give the same module and the same batches again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from isoloss.files import shown_value
from isoloss.formats import Precision
from isoloss.lm.after import Weights, calibrated_methods, quantised, weights_hash, weights_of_model
from isoloss.lm.arguments import check_module
from isoloss.lm.rounding import without_method
from isoloss.lm.shape import ModelError
from isoloss.lm.tasks.draws import seeded
from isoloss.lm.tasks.rounded_module import check_in_training, roundings_of
from isoloss.lm.tasks.serving import as_served, check_served
from isoloss.lm.tasks.training_task import Size, TrainingTask, on_device

#: Sequences of the batch with which a module is looked over.
FEW = 2


def module_of(task: TrainingTask, params: Size, seed: int) -> nn.Module:
    """The module of a size and seed, as `build` gives it.

    Raises
    ------
    ModelError
        `build` fails, or gives something else than a module whose weights are float32 on the CPU.
    """
    with seeded(seed):
        try:
            module = task.build(params, seed)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(
                f"build of the task '{task.name}' failed for params {params} and seed {seed}: "
                f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            ) from error
    check_module(f"what build of the task '{task.name}' gave", module)
    for name, p in module.named_parameters():
        if p.dtype != torch.float32 or p.device.type != "cpu":
            raise ModelError(
                f"'{name}' of the module of '{task.name}' is {str(p.dtype)[6:]} on {p.device}; "
                "accepted is float32 on the CPU: the recipe says where it is trained, and the "
                "dtype of products"
            )
    return module


@dataclass(frozen=True, eq=False)
class LookedOver:
    """A task's module of one size, untrained.

    Attributes
    ----------
    task
        Whose it is.
    params
        What `build` was given.
    module
        The module.
    weights
        Its weights, accounted for.
    """

    task: TrainingTask
    params: Size
    module: nn.Module
    weights: Weights

    @classmethod
    def of(cls, task: TrainingTask, params: Size, seed: int = 0) -> LookedOver:
        """Build the module and check what training relies on.

        Raises
        ------
        ModelError
            The same seed gives other weights or another batch, the loss is no finite scalar that
            depends on the weights, or the weights cannot be told.
        """
        module = module_of(task, params, seed)
        if weights_hash(module) != weights_hash(module_of(task, params, seed)):
            raise ModelError(
                f"build of the task '{task.name}' gives other weights for the same seed {seed}; "
                "draw them from torch, which is seeded before, or by the seed it is given"
            )
        batch = task.batch(0, FEW, seed)
        if not _same(batch, task.batch(0, FEW, seed)):
            raise ModelError(
                f"batches of the task '{task.name}' gives another batch for the same step 0 and "
                f"seed {seed}; make it a function of step, sequences and seed alone"
            )
        _check_count(task, batch)
        check_loss(task, module, batch)
        return cls(task, params, module, weights_of_model(module, probe=Probing(task)))

    @cached_property
    def embedding_params(self) -> int:
        """Parameters that tokens look up, and those of the head."""
        tables = {id(self._tensor(name)) for name in self.weights.tables}
        heads = {id(m.weight) for m in self.weights.matrices if m.scope == "head"}
        return sum(p.numel() for p in self.module.parameters() if id(p) in tables | heads)

    @cached_property
    def non_embedding_params(self) -> int:
        """All others."""
        return sum(p.numel() for p in self.module.parameters()) - self.embedding_params

    def check_precision(self, precision: Precision) -> float | None:
        """The share of weights that training rounds, the least of the phases that round any part,
        None where none does; raises ModelError as `roundings_of` does.
        """
        check_in_training(precision, self.task.name)
        shares = [
            roundings_of(self.module, stage, self.weights).rounded_share
            for stage in precision.stages
            if stage.train
        ]
        return min(shares, default=None)

    def check_post(self, precision: Precision, post: str | Precision) -> None:
        """Raise ModelError for what cannot be rounded after training: the untrained module is
        rounded, without calibration.
        """
        whole = as_served(precision, post)
        if not whole.serve:
            return  # everything is lifted
        check_served(whole)
        methods = calibrated_methods(whole.serve.values())
        if methods and self.task.of_tokens is None:
            raise ModelError(
                f"@{methods[0].name} looks at tokens of a corpus, and the task '{self.task.name}' "
                "has batches of its own; take a method without calibration, such as 'w4' or "
                "'w:uint4@hqq'"
            )
        bare = Precision({s: without_method(known) for s, known in whole.serve.items()})
        quantised(self.module, bare, probe=Probing(self.task))

    def _tensor(self, name: str) -> Tensor | None:
        found = dict(self.module.named_parameters(remove_duplicate=False))
        return found.get(name)


@dataclass(frozen=True, eq=False)
class Probing:
    """Runs a module once on a few sequences of a task, wherever it is."""

    task: TrainingTask

    def __call__(self, module: nn.Module) -> Any:
        """The loss of the batch."""
        device = next(module.parameters()).device
        with seeded(0):
            return self.task.loss(module, on_device(self.task.batch(0, FEW, 0), device))


def check_loss(task: TrainingTask, module: nn.Module, batch: Any) -> None:
    """Raise ModelError unless the loss of an untrained module is a finite scalar with gradients."""
    with seeded(0):
        try:
            loss = task.loss(module.train(), batch)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(
                f"the loss of the task '{task.name}' failed on its first batch: "
                f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            ) from error
    wanted = "accepted is the mean nats a token, a tensor of one number"
    if not isinstance(loss, Tensor):
        raise ModelError(f"the loss of the task '{task.name}' is {shown_value(loss)}; {wanted}")
    if loss.dim() or not loss.is_floating_point():
        raise ModelError(
            f"the loss of the task '{task.name}' is {str(loss.dtype)[6:]} of shape "
            f"{tuple(loss.shape)}; {wanted}"
        )
    if not bool(loss.isfinite()):
        raise ModelError(
            f"the loss of the task '{task.name}' is {loss.item()} before any step; {wanted}"
        )
    if not loss.requires_grad:
        raise ModelError(
            f"the loss of the task '{task.name}' does not depend on the weights of its module; "
            f"{wanted}, with gradients"
        )


def _check_count(task: TrainingTask, batch: Any) -> None:
    """Raise ModelError where a batch has not the sequences that were asked for, by which tokens are
    counted.
    """
    rows = {len(each) for each in tree_flatten(batch)[0] if isinstance(each, Tensor) and each.dim()}
    if not rows & {FEW, FEW * task.length}:
        found = ", ".join(map(str, sorted(rows))) or "no"
        raise ModelError(
            f"batches of the task '{task.name}' gave tensors of {found} rows where {FEW} sequences "
            f"were asked for; accepted are {FEW} rows, or {FEW * task.length} of a token each, so "
            "that the tokens of a step are known"
        )


def _same(one: Any, two: Any) -> bool:
    pairs: Iterator[tuple[Any, Any]] = zip(tree_flatten(one)[0], tree_flatten(two)[0], strict=False)
    return tree_flatten(one)[1] == tree_flatten(two)[1] and all(
        torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else a == b
        for a, b in pairs
    )
