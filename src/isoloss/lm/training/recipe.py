"""How to train: the settings of a run beside its model and its data, and the learning rate of each step."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from isoloss.lm.shape import ModelError

Schedule = Literal["cosine", "wsd", "constant"]
Numbers = Literal["float32", "bfloat16"]
SCHEDULES = ("cosine", "wsd", "constant")
NUMBERS = ("float32", "bfloat16")
#: The warm-up where none is given: of a run alone, and of runs that may share a trunk.
WARM_SHARE, WARM_STEPS = 0.05, 50


@dataclass(frozen=True)
class Recipe:
    """How to train; every choice ends up in the run's record.

    lr: peak learning rate at width 64 (matrices of other widths scale it by 64 / inputs). sequences: in a batch.
    warmup: share of the steps, or from 1 on a number of steps; None is 0.05 for cosine, else 50. schedule: "cosine" to
    lr_end x peak, "wsd" (constant, then a linear decay over the last `decay` of the steps), or "constant" (wsd's
    trunk: with equal warm-up steps, the runs of both share their first steps). clip: largest gradient norm. numbers:
    "bfloat16" computes products in bf16 and keeps weights in float32. validation: sequences evaluated. compiled: fused
    rounding, the same numbers faster; None: where a run is long enough to pay for compiling. device: as torch names it.
    """

    lr: float = 0.01
    sequences: int = 16
    schedule: Schedule = "cosine"
    warmup: float | None = None
    decay: float = 0.2
    lr_end: float = 0.0
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-10
    clip: float = 1.0
    numbers: Numbers = "float32"
    validation: int = 512
    compiled: bool | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("numbers", self.numbers, NUMBERS)
        for name in ("lr", "sequences", "clip", "validation", "eps"):
            if not getattr(self, name) > 0:
                raise ModelError(f"{name} is {getattr(self, name):g}; accepted is a number above 0")
        for name in ("decay", "lr_end"):
            if not 0 <= getattr(self, name) <= 1:
                raise ModelError(
                    f"{name} is {getattr(self, name):g}; accepted is a share from 0 to 1"
                )
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ModelError(
                    f"{name} is {getattr(self, name):g}; accepted is from 0 to below 1"
                )
        for name in ("warmup", "weight_decay"):
            if not 0 <= (getattr(self, name) or 0) < math.inf:
                raise ModelError(
                    f"{name} is {getattr(self, name):g}; accepted is a number of 0 or more"
                )
        if self.validation < 2:
            raise ModelError(
                f"validation is {self.validation}; accepted are 2 sequences or more, for a standard error"
            )

    def warm(self, steps: int) -> int:
        """The steps of the warm-up, at least one."""
        given = self.warmup
        if given is None:
            given = WARM_SHARE if self.schedule == "cosine" else WARM_STEPS
        return max(1, round(given * steps if given < 1 else given))

    def shared(self, steps: int) -> int:
        """How many of the steps a run shares with a constant schedule: all before its decay."""
        if self.schedule == "cosine":
            return 0
        return steps if self.schedule == "constant" else steps - self._fall(steps)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step over the peak."""
        warm = self.warm(steps)
        if step < warm:
            return (step + 1) / warm
        if self.schedule == "constant":
            return 1.0
        if self.schedule == "cosine":
            share = (step - warm) / max(1, steps - warm)
            return self.lr_end + (1 - self.lr_end) * 0.5 * (1 + math.cos(math.pi * share))
        return min(1.0, self.lr_end + (1 - self.lr_end) * (steps - step) / self._fall(steps))

    def settings(self, steps: int) -> dict[str, Any]:
        """All that determines a run of so many steps, as JSON can hold it; fused rounding gives the same numbers."""
        found = asdict(self) | {"warmup": self.warm(steps)}
        del found["compiled"]
        return found

    def _fall(self, steps: int) -> int:
        return max(1, round(self.decay * steps))


def _one_of(name: str, value: str, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ModelError(f"unknown {name} {value!r}; accepted are {', '.join(accepted)}")
