"""The memory of training as a limit of a plan: its rule in words, and its bytes at any size."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Any, get_args

import numpy as np

from isoloss.files import did_you_mean
from isoloss.plans.checks import as_count
from isoloss.plans.costs.shapes import ASPECT, HEAD, KV_HEADS, VOCAB, layers_of
from isoloss.plans.costs.training_state import (
    SHARED,
    Recomputed,
    Sharding,
    activations_of,
    bytes_a_number,
    check_word,
    training_memory,
)
from isoloss.plans.problems import PlanError
from isoloss.runs import Decoder, Mixture, compact

#: More devices than this are not proposed.
MOST_DEVICES = 10**7
OFF = "off"


@dataclass(frozen=True)
class TrainingRule:
    """How the memory of training is counted on the devices of a budget.

    With `sequences` 0, the default, activations and gathered weights are left out, so that what
    is counted is the least that any run of this kind keeps; else all of `training_memory`.

    Attributes
    ----------
    sharding, recomputed, weights, gradients, master, moments
        As for `training_memory`.
    sequences, context
        Sequences that one device computes at once, and their tokens.

    Raises
    ------
    PlanError
        A word is none of those accepted, or a format has no bits.
    """

    sharding: Sharding = "weights"
    sequences: int = 0
    context: int = 2048
    recomputed: Recomputed = "nothing"
    weights: str = "bf16"
    gradients: str = "bf16"
    master: str | None = "fp32"
    moments: str = "fp32"

    def __post_init__(self) -> None:
        check_word("sharding", self.sharding, get_args(Sharding))
        check_word("recomputed", self.recomputed, get_args(Recomputed))
        object.__setattr__(self, "sequences", as_count("sequences", self.sequences, 0))
        object.__setattr__(self, "context", as_count("context", self.context))
        self.state_bytes(1)

    @property
    def counts_activations(self) -> bool:
        """Whether activations are counted."""
        return self.sequences > 0

    @property
    def in_words(self) -> str:
        """The rule in one line."""
        each = f"{self.state_bytes(1):.4g} bytes a param"
        told = SHARED[get_args(Sharding).index(self.sharding)]
        shared = "all kept whole" if self.sharding == "none" else f"{told} shared over all"
        if not self.counts_activations:
            return f"at least: {each}, {shared}, activations not counted"
        kept = "" if self.recomputed == "nothing" else f", {self.recomputed} recomputed"
        tokens = f"{self.sequences} x {self.context} tokens a device"
        return f"{each}, {shared}, activations of {tokens}{kept}"

    def state_bytes(self, devices: int) -> float:
        """Bytes a param of weights, gradients and Adam's state on each device."""
        shares = get_args(Sharding).index(self.sharding)
        copy = 0.0 if self.master is None else bytes_a_number("master", self.master)
        kept = (
            (bytes_a_number("weights", self.weights), 3),
            (bytes_a_number("gradients", self.gradients), 2),
            (2 * bytes_a_number("moments", self.moments) + copy, 1),
        )
        return sum(each / (devices if shares >= least else 1) for each, least in kept)

    def bytes_each(
        self,
        params: float,
        devices: int,
        shape: Decoder | Mixture | None = None,
        whole: float | None = None,
    ) -> float:
        """Bytes on each device.

        Parameters
        ----------
        params
            The count where no shape is known: without embeddings, of a decoder of usual
            proportions.
        devices
            That train.
        shape
            Of the model; of a mixture of experts all params are kept.
        whole
            All params of a mixture of experts of unknown shape.

        Raises
        ------
        PlanError
            Activations of a mixture of experts of unknown shape are asked for.
        """
        if shape is None and whole is not None and self.counts_activations:
            raise PlanError(
                "activations in training of a mixture of experts need its shape, as --like "
                "deepseek-v3 or a config.json; give it, or leave sequences out of training_memory"
            )
        if not self.counts_activations:
            return self.state_bytes(devices) * _all(params, shape, whole)
        if shape is None:
            return self._assumed(params, devices)
        return training_memory(
            shape, devices, sequences=self.sequences, context=self.context,
            sharding=self.sharding, recomputed=self.recomputed, weights=self.weights,
            gradients=self.gradients, master=self.master, moments=self.moments,
        ).total  # fmt: skip

    def why_not(
        self,
        params: float,
        devices: int,
        memory: float,
        name: str,
        shape: Decoder | Mixture | None = None,
        whole: float | None = None,
    ) -> str | None:
        """Why a model cannot be trained on devices of so much memory, or None where it may be."""
        needed = self.bytes_each(params, devices, shape, whole)
        if needed <= memory:
            return None
        count = _all(params, shape, whole)
        more = self._devices_that_hold(memory, params, shape, whole)
        would = f"{more} would hold it" if more else "no number of devices would hold it"
        return (
            f"training {compact(count)} params on {devices} {name} keeps {needed / 1e9:.4g} GB on "
            f"each of {memory / 1e9:.4g} GB ({self.in_words}); {would}"
        )

    def _devices_that_hold(
        self,
        memory: float,
        params: float,
        shape: Decoder | Mixture | None,
        whole: float | None,
    ) -> int | None:
        """The least number of devices that hold a model, None where sharing does not help."""
        low, high = 1, MOST_DEVICES
        if self.bytes_each(params, high, shape, whole) > memory:
            return None
        while low < high:
            middle = (low + high) // 2
            fits = self.bytes_each(params, middle, shape, whole) <= memory
            low, high = (low, middle) if fits else (middle + 1, high)
        return high

    def _assumed(self, params: float, devices: int) -> float:
        """Bytes of a decoder of usual proportions with real numbers of layers and width."""
        layers = float(layers_of(params))
        width = ASPECT * layers
        keys = float(np.minimum(KV_HEADS * HEAD, width))
        fed = 4 * 8 / 3 * width
        kept = activations_of(layers, width, width, keys, fed, VOCAB, self.recomputed)
        gathered = 0.0
        if self.sharding == "weights" and devices > 1:
            largest = max(12 * width**2, VOCAB * width)
            gathered = largest * bytes_a_number("weights", self.weights)
        tokens = self.sequences * self.context
        return self.state_bytes(devices) * params + gathered + tokens * kept


def _all(params: float, shape: Decoder | Mixture | None, whole: float | None) -> float:
    """All params of a model."""
    if shape is not None:
        return float(shape.params)
    return params if whole is None else whole


#: The rule where none is given.
USUAL = TrainingRule()


def as_training_rule(given: TrainingRule | str | None) -> TrainingRule | None:
    """The rule that is meant.

    Parameters
    ----------
    given
        A rule, which comes back as it is; its words, as "sharding=optimizer,moments=int8/128,
        sequences=1,context=8192,recomputed=blocks"; "off" or None for no limit.

    Raises
    ------
    PlanError
        A word is unknown, given twice, or its value is none of those accepted.
    """
    if given is None or isinstance(given, TrainingRule):
        return given
    if not isinstance(given, str):
        raise PlanError(
            f"training_memory is {given!r}; give words, as 'sharding=weights', or 'off'"
        )
    if given.strip().lower() == OFF:
        return None
    known = {f.name: f.default for f in fields(TrainingRule) if f.default is not MISSING}
    found: dict[str, Any] = {}
    for part in given.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in known or name in found:
            near = did_you_mean(name, known)
            why = "given twice" if name in found else f"{near} unknown".strip()
            raise PlanError(
                f"training_memory has {part.strip()[:60]!r}, {why}; accepted are "
                f"{', '.join(f'{word}=' for word in known)} once each, or off"
            )
        found[name] = _value(name, value, known[name])
    return TrainingRule(**found)


def _value(name: str, value: str, default: object) -> object:
    """A word's value: a whole number where its default is one, "none" for no master copy."""
    if isinstance(default, int):
        if not (value.isascii() and value.isdigit() and len(value) <= 12):
            raise PlanError(f"{name} is {value[:60]!r}; accepted is a whole number")
        return int(value)
    return None if name == "master" and value.lower() == "none" else value
