"""A model in training: steps of AdamW that can be stopped anywhere, kept, and gone on with to the last bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from isoloss.lm.corpus import Corpus
from isoloss.lm.job import Job
from isoloss.lm.model import Model
from isoloss.lm.recipe import Recipe
from isoloss.lm.shape import ModelError

#: Called after each step with the steps done and the loss.
Each = Callable[[int, float], None]
_MOMENTS = ("exp_avg", "exp_avg_sq")


class Trainer:
    """The model of a job at some step. `tensors` is all that its future depends on; `restore` takes it back."""

    def __init__(self, job: Job):
        self.job, self.device = job, device_of(job.recipe.device)
        self.model = Model(job.shape, job.precision, job.seed, job.compiled).to(self.device)
        self.random = torch.Generator(self.device).manual_seed(job.seed + 1)
        self.model.draw_from(self.random)
        recipe = job.recipe
        self.optimiser = torch.optim.AdamW(
            self.model.groups(recipe.lr, recipe.weight_decay),
            betas=(recipe.beta1, recipe.beta2),
            eps=recipe.eps,
            foreach=True,
        )
        self.peaks = [group["lr"] for group in self.optimiser.param_groups]
        self.losses: list[float] = []
        self.seconds = 0.0

    @property
    def step(self) -> int:
        """The steps that were taken."""
        return len(self.losses)

    @property
    def broken(self) -> str | None:
        """Why it cannot go on, None where it can."""
        if self.losses and not math.isfinite(self.losses[-1]):
            return f"the training loss is {self.losses[-1]} at step {self.step}"
        return None

    def advance(self, until: int, steps: int, recipe: Recipe, each: Each | None = None) -> None:
        """Nothing; takes the steps before `until` as a run of `steps` steps does, or stops where the loss is no number.

        recipe: the schedule; trunks take theirs as "constant" whatever the job's.
        """
        begun = time.perf_counter()
        while self.step < until and not self.broken:
            step = self.step
            for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
                group["lr"] = peak * recipe.rate(step, steps)
            loss = self._loss(*batch_of(self.job.corpus, step, recipe, self.job.seed))
            self.losses.append(loss.item())
            if self.broken:
                break
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip, foreach=True)
            self.optimiser.step()
            if each is not None:
                self.seconds += time.perf_counter() - begun
                each(self.step, self.losses[-1])
                begun = time.perf_counter()
        self.seconds += time.perf_counter() - begun

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        with numbers_of(self.job.recipe, self.device):
            return loss_of(self.model, inputs.to(self.device), targets.to(self.device))

    # ---- what a checkpoint keeps
    def tensors(self) -> dict[str, Tensor]:
        """Copies of weights, moments, losses, random numbers and time, by name, on the CPU."""
        kept: dict[str, Tensor] = {f"model.{name}": p for name, p in self.model.named_parameters()}
        for name, p in self.model.named_parameters():
            for moment in _MOMENTS:
                kept[f"{moment}.{name}"] = self.optimiser.state.get(p, {}).get(moment, torch.zeros_like(p))
        kept = {name: value.detach().cpu().clone() for name, value in kept.items()}
        kept["losses"] = torch.tensor(self.losses, dtype=torch.float64)
        kept["random"] = self.random.get_state()
        kept["seconds"] = torch.tensor([self.seconds], dtype=torch.float64)
        return kept

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Nothing; goes back to where `tensors` were taken."""
        self.losses = tensors["losses"].tolist()
        for name, p in self.model.named_parameters():
            p.copy_(tensors[f"model.{name}"])
            state = {moment: tensors[f"{moment}.{name}"].to(self.device).clone() for moment in _MOMENTS}
            self.optimiser.state[p] = {"step": torch.tensor(float(self.step)), **state} if self.step else {}
        self.random.set_state(tensors["random"])
        self.seconds = float(tensors["seconds"])


def batch_of(corpus: Corpus, step: int, recipe: Recipe, seed: int) -> tuple[Tensor, Tensor]:
    """The inputs and targets of a step, each (sequences, context)."""
    tokens = torch.from_numpy(corpus.batch(step, recipe.sequences, seed).copy())
    return tokens[:, :-1], tokens[:, 1:]


def loss_of(model: Model, inputs: Tensor, targets: Tensor) -> Tensor:
    """The mean nats a token."""
    return functional.cross_entropy(model(inputs).flatten(0, 1), targets.reshape(-1))


def numbers_of(recipe: Recipe, device: torch.device) -> torch.autocast:
    """The context in which products are computed in the recipe's numbers."""
    return torch.autocast(device.type, torch.bfloat16, enabled=recipe.numbers == "bfloat16")


def device_of(name: str) -> torch.device:
    """The device of a name. Raises ModelError where there is none such."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"cannot train on device {name!r}: {str(error).splitlines()[0]}") from None
    return device
