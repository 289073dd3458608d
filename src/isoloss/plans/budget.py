"""A budget: limits on compute, device hours, money, memory, speed and data, with units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from isoloss.files import did_you_mean
from isoloss.plans.checks import as_count
from isoloss.plans.costs import Dimension, amount
from isoloss.plans.problems import PlanError
from isoloss.runs import Decoder, compact

#: The dimension of each amount of a budget, in the order in which they are printed.
AMOUNTS: dict[str, Dimension] = {
    "train": "flop",
    "hours": "hours",
    "money": "money",
    "memory": "bytes",
    "speed": "speed",
    "served": "tokens",
    "params": "params",
    "tokens": "tokens",
    "unique_tokens": "tokens",
    "price": "money",
}

LIMITS = tuple(name for name in AMOUNTS if name != "price")


@dataclass(frozen=True, init=False)
class Budget:
    """Limits, any mix of them, as `Budget("1e21 flop", memory="16 GB")`.

    Amounts are numbers in the unit below, or texts with a unit.

    Attributes
    ----------
    train
        Training compute, FLOPs of bf16 on the hardware; on "memory-bits" the bits of all weights.
    hours
        Wall time of training on `devices` devices, hours.
    money
        What training may cost at `price`, in any currency.
    memory
        Bytes of weights as served (scales counted) and of keys and values of `batch` sequences of
        `context` tokens.
    speed
        Least decode speed of each of these sequences, tokens/s, on `serving_devices` devices; bound
        by bandwidth.
    served
        Tokens that the model will generate in its life, which train, hours and money pay for as
        well.
    params, tokens
        Held, counts.
    unique_tokens
        Tokens that there are to read; beyond them tokens are repeated.
    price
        Of an hour of one device.
    devices
        That train.
    serving_devices
        That share the weights as served.
    context, batch
        Tokens kept of a sequence, and sequences at once.
    decoder
        The shape to count with, instead of a typical decoder; it holds params.

    Raises
    ------
    PlanError
        An amount cannot be read, money has no price, or hours have no devices.
    """

    train: float | None
    hours: float | None
    money: float | None
    memory: float | None
    speed: float | None
    served: float | None
    params: float | None
    tokens: float | None
    unique_tokens: float | None
    price: float | None
    devices: int | None
    serving_devices: int
    context: int
    batch: int
    decoder: Decoder | None

    def __init__(
        self,
        train: str | float | None = None,
        *,
        hours: str | float | None = None,
        money: str | float | None = None,
        memory: str | float | None = None,
        speed: str | float | None = None,
        served: str | float | None = None,
        params: str | float | None = None,
        tokens: str | float | None = None,
        unique_tokens: str | float | None = None,
        price: str | float | None = None,
        devices: int | None = None,
        serving_devices: int = 1,
        context: int = 0,
        batch: int = 1,
        decoder: Decoder | None = None,
    ) -> None:
        given = {
            "train": train, "hours": hours, "money": money, "memory": memory, "speed": speed,
            "served": served, "params": params, "tokens": tokens, "unique_tokens": unique_tokens,
            "price": price,
        }  # fmt: skip
        for name, value in given.items():
            read = None if value is None else amount(value, AMOUNTS[name], name)
            object.__setattr__(self, name, read)
        counts = {
            "devices": devices,
            "serving_devices": 1 if serving_devices is None else serving_devices,
            "context": 0 if context is None else context,
            "batch": 1 if batch is None else batch,
        }
        for name, count in counts.items():
            whole = None if count is None else as_count(name, count, 0 if name == "context" else 1)
            object.__setattr__(self, name, whole)
        if decoder is not None and not isinstance(decoder, Decoder):
            raise PlanError(f"decoder is {decoder!r}; give a Decoder, as isoloss.runs.Decoder(...)")
        object.__setattr__(self, "decoder", decoder)
        if self.money is not None and self.price is None:
            raise PlanError("money needs the price of a device hour, as price=2.5 (--price 2.5)")
        if self.hours is not None and self.devices is None:
            raise PlanError("hours need the number of devices, as devices=64 (--devices 64)")
        if self.decoder is not None:
            own = float(self.decoder.non_embedding_params)
            if self.params not in (None, own):
                raise PlanError(
                    f"params is {compact(self.params or 0)} and the decoder has {compact(own)}; "
                    "give one of the two"
                )
            object.__setattr__(self, "params", own)

    @property
    def limits(self) -> tuple[str, ...]:
        """The words of what is limited or held, as ("train", "memory")."""
        return tuple(name for name in LIMITS if getattr(self, name) is not None)

    def __str__(self) -> str:
        shown: dict[str, Callable[[float], str]] = {
            "train": lambda v: f"{v:.4g} FLOPs (bf16) of compute",
            "hours": lambda v: f"{v:.4g} hours on {self.devices} devices",
            "money": lambda v: f"{compact(v)} at {self.price:g} a device hour",
            "memory": lambda v: f"{v / 1e9:.4g} GB to serve in" + self._sequences(),
            "speed": lambda v: f"{v:.4g} tokens/s a sequence" + self._sequences(),
            "served": lambda v: f"{compact(v)} tokens served",
            "params": lambda v: f"{compact(v)} params",
            "tokens": lambda v: f"{compact(v)} tokens",
            "unique_tokens": lambda v: f"{compact(v)} unique tokens",
        }
        found = [
            write(getattr(self, name))
            for name, write in shown.items()
            if getattr(self, name) is not None
        ]
        return ", ".join(found) or "nothing"

    def _sequences(self) -> str:
        if not self.context:
            return ""
        many = f"{self.batch} sequences" if self.batch > 1 else "one sequence"
        return f" with {many} of {self.context} tokens"


BudgetLike = Budget | Mapping[str, Any] | str | float


def as_budget(given: BudgetLike, what: str = "budget") -> Budget:
    """The budget that is meant.

    Parameters
    ----------
    given
        A Budget, which comes back as it is; a mapping of its words, as {"train": "1e21 flop",
        "memory": "16 GB"}; or compute alone, as "1e21 flop" or 1e21 (FLOPs of bf16).
    what
        Its name in a message.

    Raises
    ------
    PlanError
        It is none of these, is empty, has a word that a budget lacks, or an amount cannot be read.
    """
    if isinstance(given, Budget):
        return given
    if isinstance(given, Mapping):
        return _of_words(given, what)
    if isinstance(given, str | int | float) and not isinstance(given, bool):
        return Budget(amount(given, "flop", what))
    raise PlanError(f"{what} is {given!r}; give a Budget, as Budget('1e21 flop', memory='16 GB')")


def _of_words(given: Mapping[str, Any], what: str) -> Budget:
    words = [f.name for f in fields(Budget)]
    if not given:
        raise PlanError(f"{what} is empty; give at least one limit, as {{'train': '1e21 flop'}}")
    odd = [word for word in given if word not in words]
    if odd:
        near = did_you_mean(odd[0], words, 1)
        hint = f"{near} " if near else ""
        raise PlanError(f"{what} has {odd[0]!r}; {hint}accepted are {', '.join(words)}")
    return Budget(**given)
