"""What a link asks of each tab: every field checked, none guessed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, get_args, get_type_hints

import isoloss as il

#: Characters of one field of a link.
LONGEST = 400
#: Bootstrap replicates of a plan that is made while one waits.
MOST_DRAWS = 300
#: Bits whose gap all laws are asked about.
MOST_BITS = 16

T = TypeVar("T")


class AppError(ValueError):
    """A link, a file or an address that the page cannot use, in one sentence."""


@dataclass(frozen=True)
class PlanAsked:
    """What the tab of plans is asked; empty texts are no limit.

    Attributes
    ----------
    laws
        Names, separated by commas.
    file
        The key of a file that was dropped in, whose law comes in place of `laws`.
    train
        FLOPs of bf16.
    hours, devices, price
        Wall time in hours, devices, USD of a device hour.
    hardware
        A machine.
    served, serve_rate
        Tokens served, and tokens/s of one device at 8B params.
    memory
        GB to serve in.
    precision
        Candidates, separated by commas.
    extrapolate
        Whether to recommend outside the runs.
    draws
        Bootstrap replicates.
    params, tokens, rounded
        "You are here": a model of one's own, and its precision.
    bits
        Whose gap all laws are asked about.
    """

    laws: str = "kumar2024"
    file: str = ""
    train: float = 1e21
    hours: float | None = None
    devices: int | None = 64
    price: float | None = 2.5
    hardware: str = "h100"
    served: float | None = None
    serve_rate: float = 2500.0
    memory: float | None = 16.0
    precision: str = "bf16,w8 a8 kv8,w6 a6 kv6,w4 a4 kv4"
    extrapolate: bool = False
    draws: int = 60
    params: float = 1e9
    tokens: float = 2e10
    rounded: str = "bf16"
    bits: int = 4

    def __post_init__(self) -> None:
        """Raise AppError for counts that no plan is made with."""
        if not 1 <= self.draws <= MOST_DRAWS:
            raise AppError(f"draws is {self.draws}; the page takes 1 to {MOST_DRAWS}")
        for name in self.names:
            check_published(name)
        if not 1 <= self.bits <= MOST_BITS:
            raise AppError(f"bits is {self.bits}; the page takes 1 to {MOST_BITS}")
        if len(listed(self.precision)) > 16:
            raise AppError("the page takes 16 precisions at most; the command line takes more")

    @property
    def names(self) -> list[str]:
        """The laws by name."""
        return listed(self.laws)


@dataclass(frozen=True)
class RegressionAsked:
    """What the regression laboratory is asked: a problem, a descent, and what is rounded."""

    dim: int = 10_000
    decay: float = 2.0
    noise_var: float = 0.1
    samples: int = 100_000
    batch: int = 1
    step_size: float = 0.1
    precision: str = "d:add(1e-3)"
    inputs: Literal["clean", "in use"] = "in use"
    iterate: Literal["average", "last", "tail"] = "average"

    def __post_init__(self) -> None:
        """Raise AppError for problems that no page should wait for."""
        if not 1 <= self.dim <= 10**6:
            raise AppError(f"dim is {self.dim}; the page takes 1 to 1e6, the command line more")
        if not 100 <= self.samples <= 10**9:
            raise AppError(f"samples is {self.samples}; the page takes 100 to 1e9")
        if not 1 <= self.batch <= self.samples:
            raise AppError(f"batch is {self.batch}; accepted are 1 to the {self.samples} samples")


@dataclass(frozen=True)
class FormatsAsked:
    """What the tab of formats is asked: formats, what is rounded, and the model that pays."""

    formats: str = "int4 e2m1 nvfp4 mxfp4 int3"
    distribution: Literal["normal", "laplace", "uniform"] = "normal"
    params: float = 1e9
    tokens: float = 1e11

    def __post_init__(self) -> None:
        """Raise AppError for too many formats, or none."""
        if not 1 <= len(self.formats.split()) <= 12:
            raise AppError("the page takes 1 to 12 formats, with spaces between")


def asked_of(cls: type[T], query: Mapping[str, str]) -> T:
    """What a link asks; AppError for a field that is unknown or cannot be read."""
    hints = get_type_hints(cls)
    given: dict[str, Any] = {}
    for name, text in query.items():
        if name not in hints:
            raise AppError(f"the link has an unknown field {name[:40]!r}")
        if len(text) > LONGEST:
            raise AppError(f"{name} is {len(text)} characters long; {LONGEST} are accepted")
        given[name] = _value(name, text.strip(), hints[name])
    return cls(**given)


def check_published(name: str) -> None:
    """Raise AppError for a law that is not published by this name: a file of this machine is none,
    since files are dropped in.
    """
    try:
        il.laws.preset(name)
    except ValueError as error:
        raise AppError(f"{error}; a saved law or fit is dropped in") from None


def told(asked: Any) -> dict[str, Any]:
    """What is asked, as a link has it."""
    return {each.name: getattr(asked, each.name) for each in fields(asked)}


def listed(text: str) -> list[str]:
    """Words that are separated by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def _value(name: str, text: str, hint: Any) -> Any:
    """A field as its type."""
    kinds = get_args(hint) or (hint,)
    if all(isinstance(kind, str) for kind in kinds):
        if text not in kinds:
            raise AppError(f"{name} is {text[:40]!r}; accepted are {', '.join(kinds)}")
        return text
    if text == "" and type(None) in kinds:
        return None
    if str in kinds:
        return text
    if bool in kinds:
        if text not in ("0", "1"):
            raise AppError(f"{name} is {text[:40]!r}; accepted are 0 and 1")
        return text == "1"
    return _number(name, text, whole=int in kinds)


def _number(name: str, text: str, whole: bool) -> float | int:
    try:
        value = float(text)
    except ValueError:
        raise AppError(f"{name} is {text[:40]!r}; accepted is a number") from None
    if not (math.isfinite(value) and value >= 0):
        raise AppError(f"{name} is {text[:40]!r}; accepted is a finite number of zero or more")
    if whole and value != int(value):
        raise AppError(f"{name} is {text[:40]!r}; accepted is a whole number")
    return int(value) if whole else value
