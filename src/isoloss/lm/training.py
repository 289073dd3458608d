"""Training: one model on one stream of batches, to one row of a table of runs."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from isoloss.formats import Precision
from isoloss.lm.language import Language
from isoloss.lm.model import BASE_WIDTH, Model
from isoloss.lm.shape import ModelError, check_memory
from isoloss.lm.straight_through import method_of
from isoloss.runs import Decoder, Run, Runs, number

Schedule = Literal["cosine", "wsd", "constant"]
SCHEDULES = ("cosine", "wsd", "constant")
#: A loss this far above that of a uniform guess has diverged.
DIVERGED_ABOVE = 2.0
EVALUATED_TOGETHER = 32


@dataclass(frozen=True)
class Recipe:
    """How to train; every choice ends up in the run's record.

    lr: peak learning rate at width 64 (matrices of other widths scale it by 64 / inputs). sequences: in a batch.
    warmup: share of the steps. schedule: "cosine" to lr_end x peak, "wsd" (constant, then a linear decay over the
    last `decay` of the steps), or "constant" (wsd's trunk). clip: largest gradient norm. compiled: fused rounding.
    """

    lr: float = 0.01
    sequences: int = 16
    schedule: Schedule = "cosine"
    warmup: float = 0.05
    decay: float = 0.2
    lr_end: float = 0.0
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-10
    clip: float = 1.0
    validation: int = 512
    compiled: bool = True

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ModelError(f"unknown schedule {self.schedule!r}; accepted are {', '.join(SCHEDULES)}")
        for name in ("lr", "sequences", "clip", "validation"):
            if not getattr(self, name) > 0:
                raise ModelError(f"{name} is {getattr(self, name):g}; accepted is a number above 0")
        for name in ("warmup", "decay", "lr_end"):
            if not 0 <= getattr(self, name) <= 1:
                raise ModelError(f"{name} is {getattr(self, name):g}; accepted is a share from 0 to 1")

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step over the peak."""
        warm = max(1, round(self.warmup * steps))
        if step < warm:
            return (step + 1) / warm
        if self.schedule == "constant":
            return 1.0
        if self.schedule == "cosine":
            share = (step - warm) / max(1, steps - warm)
            return self.lr_end + (1 - self.lr_end) * 0.5 * (1 + math.cos(math.pi * share))
        fall = max(1, round(self.decay * steps))
        return min(1.0, self.lr_end + (1 - self.lr_end) * (steps - step) / fall)


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

    @property
    def runs(self) -> Runs:
        """The run as a table of one row."""
        return Runs([self.run])


def train(
    shape: Decoder,
    tokens: float | str,
    precision: str | Precision = "fp",
    *,
    language: Language | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
) -> Trained:
    """The model of a shape trained on `tokens` tokens of a language, evaluated on its validation set.

    Batches depend on seed and step alone, and so do the first weights: runs that differ in precision only are paired.
    A run whose loss is no number, or ends far above a uniform guess, has the status "diverged". Tokens are rounded to
    whole batches; at least one. Raises ModelError for shapes, precisions and numbers that cannot be trained.
    """
    language, recipe = language or Language(), recipe or Recipe()
    precision = Precision.parse(precision)
    if shape.vocab != language.vocab:
        raise ModelError(
            f"the model has {shape.vocab} tokens and the language {language.vocab}; make them equal"
        )
    check_memory(shape)
    steps = round(number(tokens) / (recipe.sequences * language.context))
    if steps < 1:
        raise ModelError(
            f"{tokens} tokens are less than half a batch of {recipe.sequences * language.context}; ask for more"
        )
    start = time.perf_counter()
    model = Model(shape, precision, seed, recipe.compiled)
    losses, problem = _fit(model, language, recipe, steps, seed)
    found = evaluate(model, language.validation(recipe.validation))
    problem = problem or _divergence(found.loss, language)
    run = _row(shape, precision, language, recipe, steps, seed)
    run = replace(
        run,
        loss=found.loss,
        loss_se=found.se if math.isfinite(found.se) else None,
        status="diverged" if problem else "ok",
        reason=problem,
        cost=time.perf_counter() - start,
    )
    return Trained(run, model, losses, found)


def batch_of(language: Language, step: int, recipe: Recipe, seed: int) -> tuple[Tensor, Tensor]:
    """The inputs and targets of a step, each (sequences, context)."""
    tokens = torch.from_numpy(language.batch(step, recipe.sequences, seed).copy())
    return tokens[:, :-1], tokens[:, 1:]


def loss_of(model: Model, inputs: Tensor, targets: Tensor) -> Tensor:
    """The mean nats a token."""
    return functional.cross_entropy(model(inputs).flatten(0, 1), targets.reshape(-1))


@torch.no_grad()
def evaluate(model: Model, tokens: np.ndarray) -> Evaluation:
    """The loss of a model on sequences that begin with START, shape (rows, context + 1).

    They are taken 32 at a time, whatever the batch in training: activations that share one scale a tensor have
    a loss that depends on what stands beside them.
    """
    each = []
    for part in torch.from_numpy(tokens.copy()).split(EVALUATED_TOGETHER):  # type: ignore[no-untyped-call]
        logits = model(part[:, :-1]).transpose(1, 2)
        each.append(functional.cross_entropy(logits, part[:, 1:], reduction="none").double().mean(1))
    found = torch.cat(each).numpy()
    return Evaluation(float(found.mean()), float(found.std(ddof=1) / math.sqrt(len(found))), found)


def _fit(
    model: Model, language: Language, recipe: Recipe, steps: int, seed: int
) -> tuple[np.ndarray, str | None]:
    """The loss of each step, and why training broke off, None where it did not."""
    model.draw_from(torch.Generator().manual_seed(seed + 1))
    optimiser = torch.optim.AdamW(
        model.groups(recipe.lr, recipe.weight_decay),
        betas=(recipe.beta1, recipe.beta2),
        eps=recipe.eps,
        foreach=True,
    )
    peaks = [group["lr"] for group in optimiser.param_groups]
    losses = np.full(steps, np.nan)
    for step in range(steps):
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * recipe.rate(step, steps)
        loss = loss_of(model, *batch_of(language, step, recipe, seed))
        losses[step] = loss.item()
        if not math.isfinite(losses[step]):
            return losses, f"the training loss is {losses[step]} at step {step + 1} of {steps}"
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip, foreach=True)
        optimiser.step()
    return losses, None


def _divergence(loss: float, language: Language) -> str | None:
    most = math.log(language.vocab) + DIVERGED_ABOVE
    return (
        None
        if loss <= most
        else f"the final loss is {loss:.4g}, and a uniform guess has {most - DIVERGED_ABOVE:.4g}"
    )


def _row(
    shape: Decoder, precision: Precision, language: Language, recipe: Recipe, steps: int, seed: int
) -> Run:
    """All that is known of a run before it starts; the loss is unknown."""
    batch = recipe.sequences * language.context
    tokens = steps * batch
    settings = {
        "shape": asdict(shape),
        "precision": str(precision),
        "language": asdict(language),
        "recipe": {name: value for name, value in asdict(recipe).items() if name != "compiled"},
        "steps": steps,
        "seed": seed,
    }
    text = json.dumps(settings, sort_keys=True)
    return Run(
        params=shape.non_embedding_params,
        tokens=tokens,
        precision=str(precision),
        loss=math.nan,
        seed=seed,
        params_kind="non_embedding",
        params_embedding=shape.embedding_params,
        unique_tokens=tokens,
        flops=shape.training_flops(tokens, language.context),
        flop_rule="exact",
        method=method_of(precision),
        kernels="simulated" if precision.train else "real",
        corpus="synthetic",
        eval_set=f"synthetic validation, {recipe.validation} sequences of {language.context}",
        family="isoloss",
        optimizer=f"adamw beta {recipe.beta1:g} {recipe.beta2:g} decay {recipe.weight_decay:g} base width {BASE_WIDTH}",
        batch_tokens=batch,
        lr_peak=recipe.lr,
        lr_final=recipe.lr * recipe.rate(steps - 1, steps),
        schedule=recipe.schedule,
        key=hashlib.sha256(text.encode()).hexdigest()[:16],
    )
