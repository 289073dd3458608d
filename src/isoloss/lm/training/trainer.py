"""A model in training: steps of AdamW that can be stopped, kept and resumed to the last bit."""

from __future__ import annotations

import math
import statistics
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from isoloss.formats import Precision
from isoloss.lm.data import Corpus
from isoloss.lm.model import Model, drawing, loss_of
from isoloss.lm.shape import ModelError
from isoloss.lm.training.job import Job
from isoloss.lm.training.recipe import Recipe

#: Called after each step with the steps done and the loss.
Each = Callable[[int, float], None]
AModel = TypeVar("AModel")
#: Moments of AdamW, by the name that torch has for them.
MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, eq=False)
class Ended(Generic[AModel]):
    """The end of a job's training.

    Attributes
    ----------
    model
        The model after its last step.
    losses
        Training loss of each step, nats a token; the last may be no number.
    seconds
        Time of training.
    """

    model: AModel
    losses: list[float]
    seconds: float

    @property
    def broken(self) -> str | None:
        """Why it ended early, None where it did not."""
        if not self.losses or math.isfinite(self.losses[-1]):
            return None
        return f"the training loss is {self.losses[-1]} at step {len(self.losses)}"


class Trainer:
    """Training of a job, at some step. `tensors` is all that its future depends on; `restore` takes
    it back.

    Methods that go by job are for `BatchedTrainer`, which trains several at once; here there is
    one. A trainer of another kind of job gives `_model`, with parameters in `groups`, and `_loss`.
    """

    model: Any
    jobs: tuple[Any, ...]

    def __init__(self, *jobs: Any):
        self.jobs, recipe = jobs, jobs[0].recipe
        self.device = device_of(recipe.device)
        self.random = [drawing(job.seed, self.device) for job in jobs]
        self.model = self._model().to(self.device)
        self.optimiser = torch.optim.AdamW(
            self.model.groups(recipe.lr, recipe.weight_decay),
            betas=(recipe.beta1, recipe.beta2),
            eps=recipe.eps,
            foreach=True,
        )
        self.peaks = [group["lr"] for group in self.optimiser.param_groups]
        #: Of each step, by job; what was no number once stays none.
        self.losses: list[list[float]] = []
        self.seconds = 0.0
        self.phase = 0

    @property
    def step(self) -> int:
        """The steps that were taken."""
        return len(self.losses)

    @property
    def broken(self) -> list[int]:
        """The places of jobs whose loss is no number."""
        return (
            [k for k, loss in enumerate(self.losses[-1]) if not math.isfinite(loss)]
            if self.losses
            else []
        )

    @property
    def over(self) -> bool:
        """Whether nothing is left to train."""
        return len(self.broken) == len(self.jobs)

    def advance(self, until: int, steps: int, recipe: Recipe, each: Each | None = None) -> None:
        """Take the steps before `until` as a run of `steps` steps does; stop where the loss is no
        number.

        recipe: whose schedule is taken; a shared prefix has a constant one, whatever that of its
        jobs.
        """
        begun = time.perf_counter()
        while self.step < until and not self.over:
            step = self.step
            self._enter(step, steps)
            for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
                group["lr"] = peak * recipe.rate(step, steps)
            self.optimiser.zero_grad()
            # Weights stay in float32; autocast has products alone in the dtype of the recipe.
            with products_in(recipe, self.device):
                loss = self._loss(step, recipe)
            self._note(loss)
            if self.over:
                break
            self._backward(loss)
            self._update(recipe.clip)
            if each is not None:
                self.seconds += time.perf_counter() - begun
                each(self.step, statistics.fmean(filter(math.isfinite, self.losses[-1])))
                begun = time.perf_counter()
        self.seconds += time.perf_counter() - begun

    def ended(self) -> list[Ended[Any]]:
        """The end of each job's training."""
        self._enter(max(0, self.step - 1), self.jobs[0].steps)  # as its last step was
        seconds = self.seconds / len(self.jobs)
        return [Ended(self._trained(k), self._history(k), seconds) for k in range(len(self.jobs))]

    def _enter(self, step: int, steps: int) -> None:
        """Round as the phase of a step does."""
        precision = self.jobs[0].precision
        phase = bisect_right(precision.begins(steps), step) - 1
        if phase != self.phase:
            self._round_as(precision.stages[phase])
            self.phase = phase

    def _note(self, loss: Tensor) -> None:
        now = loss.detach().reshape(-1).tolist()
        for k in self.broken:
            now[k] = math.nan
        self.losses.append(now)

    def _history(self, k: int) -> list[float]:
        losses = [now[k] for now in self.losses]
        ends = next((i for i, loss in enumerate(losses, 1) if not math.isfinite(loss)), None)
        return losses[:ends]

    # ---- overridden where there are several jobs, or jobs of another kind
    def _model(self) -> Any:
        job: Job
        (job,) = self.jobs
        model = Model(job.shape, job.precision, job.seed, job.compiled)
        model.draw_from(self.random[0])
        return model

    def _round_as(self, stage: Precision) -> None:
        """Round as a phase of the precision says; jobs that are trained at once have one."""
        self.model.round_as(stage)

    def _loss(self, step: int, recipe: Recipe) -> Tensor:
        """The loss of each job on its batch of a step."""
        (job,) = self.jobs
        inputs, targets = (
            part.to(self.device) for part in batch_of(job.corpus, step, recipe, job.seed)
        )
        return loss_of(self._trained(0), inputs, targets)

    def _backward(self, loss: Tensor) -> None:
        """Leave the gradient of the loss with the parameters."""
        # Members of a batched model share no parameter, so the gradient of the sum is each one's
        # own.
        loss.sum().backward()  # type: ignore[no-untyped-call]

    def _update(self, clip: float) -> None:
        """Clip the gradients of each job and take a step of the optimiser."""
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), clip, foreach=True)
        self.optimiser.step()

    def _trained(self, k: int) -> Any:
        """The model of the k-th job as it is."""
        return self.model

    # ---- the state in a checkpoint
    def tensors(self) -> dict[str, Tensor]:
        """Copies of weights, moments, losses, random numbers and time, by name, on the CPU."""
        kept = {name: value.cpu().clone() for name, value in self.learned().items()}
        kept["losses"] = torch.tensor(self.losses, dtype=torch.float64).reshape(-1, len(self.jobs))
        kept["random"] = torch.stack([random.get_state() for random in self.random])
        kept["seconds"] = torch.tensor([self.seconds], dtype=torch.float64)
        return kept

    def learned(self) -> dict[str, Tensor]:
        """Weights and moments by name, as they are."""
        own = list(self.model.named_parameters())
        moments = {
            f"{moment}.{name}": self.optimiser.state.get(p, {}).get(moment, torch.zeros_like(p))
            for name, p in own
            for moment in MOMENTS
        }
        known = {f"model.{name}": p for name, p in own} | moments
        return {name: value.detach() for name, value in known.items()}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to the step at which `tensors` were taken."""
        self.losses = tensors["losses"].reshape(-1, len(self.jobs)).tolist()
        self.put_back(tensors)
        for random, state in zip(
            self.random, tensors["random"].reshape(len(self.jobs), -1), strict=True
        ):
            random.set_state(state.clone())  # a view crashes torch 2.13
        self.seconds = float(tensors["seconds"])

    @torch.no_grad()
    def put_back(self, tensors: Mapping[str, Tensor]) -> None:
        """Take weights and moments of the present step, by the names of `learned`."""
        for name, p in self.model.named_parameters():
            p.copy_(tensors[f"model.{name}"])
            state = {
                moment: tensors[f"{moment}.{name}"].to(self.device).clone() for moment in MOMENTS
            }
            self.optimiser.state[p] = (
                {"step": torch.tensor(float(self.step)), **state} if self.step else {}
            )


def batch_of(corpus: Corpus, step: int, recipe: Recipe, seed: int) -> tuple[Tensor, Tensor]:
    """The inputs and targets of a step, each (sequences, context)."""
    tokens = torch.from_numpy(corpus.batch(step, recipe.sequences, seed).copy())
    return tokens[:, :-1], tokens[:, 1:]


def products_in(recipe: Recipe, device: torch.device) -> torch.autocast:
    """The context in which products are computed in the recipe's dtype."""
    return torch.autocast(device.type, torch.bfloat16, enabled=recipe.dtype == "bfloat16")


def device_of(name: str, what: str = "train") -> torch.device:
    """The device of a name; ModelError, of what cannot be done there, if it is not there."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ModelError(
            f"cannot {what} on device {name!r}: {str(error).splitlines()[0]}"
        ) from None
    return device
