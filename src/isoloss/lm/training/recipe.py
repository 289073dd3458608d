"""The recipe of a run: its settings beside model and data, and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal, assert_never, get_args

from isoloss.lm.shape import ModelError

Schedule = Literal["cosine", "wsd", "constant"]
Dtype = Literal["float32", "bfloat16"]
SCHEDULES: tuple[str, ...] = get_args(Schedule)
DTYPES: tuple[str, ...] = get_args(Dtype)
#: Short words for them, as formats have it.
SHORT_DTYPES = {"bf16": "bfloat16", "fp32": "float32"}
#: The warm-up where none is given: of a run alone, and of runs that may share a prefix.
WARM_SHARE, WARM_STEPS = 0.05, 50


@dataclass(frozen=True)
class Recipe:
    """How to train; every choice is in the run's record.

    Attributes
    ----------
    lr
        Peak learning rate at width 64; matrices of other widths scale it by 64 / inputs.
    sequences
        Sequences in a batch.
    schedule
        "cosine" to `lr_end` x peak; "wsd", constant and then a linear decay; or "constant", the
        shared prefix of wsd runs: with equal warm-up steps, the runs of both share their first
        steps.
    warmup
        Steps that warm up: a share of all below 1, else their number; None is 0.05 for cosine, 50
        steps for others.
    decay
        Share of the steps over which wsd decays.
    lr_end
        Learning rate at the end over its peak; unused by "constant".
    weight_decay
        Of AdamW, on matrices alone.
    beta1, beta2, eps
        Of AdamW.
    clip
        Largest gradient norm.
    dtype
        Of products: "float32", or "bfloat16" with weights kept in float32; "fp32" and "bf16" are
        the same. Keys of runs call it "numbers".
    validation
        Held-out sequences that are evaluated, at least 2.
    compiled
        Whether torch.compile fuses the rounding, with the same numbers; None: where a run is long
        enough to gain.
    device
        As torch names it: "cpu", "cuda".

    Raises
    ------
    ModelError
        A setting is of another kind or out of its range.
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
    dtype: Dtype = "float32"
    validation: int = 512
    compiled: bool | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        self._check_kinds()
        _one_of("schedule", self.schedule, SCHEDULES)
        if isinstance(self.dtype, str):
            object.__setattr__(self, "dtype", SHORT_DTYPES.get(self.dtype, self.dtype))
        _one_of("dtype", self.dtype, DTYPES)
        for name in ("lr", "sequences", "clip", "validation", "eps"):
            if not 0 < getattr(self, name) < math.inf:
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
                f"validation is {self.validation}; accepted are 2 sequences or more, for a "
                "standard error"
            )

    def _check_kinds(self) -> None:
        """Raise ModelError for a setting that is no number, or no whole one, where one is
        wanted.
        """
        wanted = {"float": (Real, "a number"), "int": (Integral, "a whole number")}
        for field in fields(self):
            kind, _, optional = str(field.type).partition(" | ")
            value = getattr(self, field.name)
            if kind in wanted and not (optional and value is None):
                of_kind, accepted = wanted[kind]
                if not isinstance(value, of_kind) or isinstance(value, bool):
                    raise ModelError(f"{field.name} is {value!r}; accepted is {accepted}")
        if not (self.compiled is None or isinstance(self.compiled, bool)):
            raise ModelError(f"compiled is {self.compiled!r}; accepted are True, False and None")

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> Recipe:
        """The recipe of settings that a file holds."""
        found = dict(settings)
        return cls(dtype=found.pop("numbers"), **found)

    def warm(self, steps: int) -> int:
        """The steps of the warm-up, at least one."""
        given = self.warmup
        if given is None:
            given = WARM_SHARE if self.schedule == "cosine" else WARM_STEPS
        return max(1, round(given * steps if given < 1 else given))

    def shared(self, steps: int) -> int:
        """How many of the steps a run shares with a constant schedule: all before its decay."""
        match self.schedule:
            case "cosine":
                return 0
            case "constant":
                return steps
            case "wsd":
                return steps - self._fall(steps)
            case _:
                assert_never(self.schedule)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step over the peak."""
        warm = self.warm(steps)
        if step < warm:
            return (step + 1) / warm
        match self.schedule:
            case "constant":
                return 1.0
            case "cosine":
                share = (step - warm) / max(1, steps - warm)
                return self.lr_end + (1 - self.lr_end) * 0.5 * (1 + math.cos(math.pi * share))
            case "wsd":
                falling = self.lr_end + (1 - self.lr_end) * (steps - step) / self._fall(steps)
                return min(1.0, falling)
            case _:
                assert_never(self.schedule)

    def settings(self, steps: int) -> dict[str, Any]:
        """All that determines a run of so many steps, as JSON can hold it; fused rounding gives the
        same numbers.
        """
        found = asdict(self) | {"warmup": self.warm(steps)}
        del found["compiled"]
        found["numbers"] = found.pop(
            "dtype"
        )  # its first name, which the keys of runs were made with
        return found

    def _fall(self, steps: int) -> int:
        return max(1, round(self.decay * steps))


def _one_of(name: str, value: object, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ModelError(f"unknown {name} {value!r}; accepted are {', '.join(accepted)}")
