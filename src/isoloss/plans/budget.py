"""A budget: limits on compute, device hours, money, memory, speed and data, with units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, fields
from typing import Any, Literal

from isoloss.files import did_you_mean, displayed
from isoloss.plans.checks import as_count
from isoloss.plans.costs import (
    USUAL,
    Dimension,
    Hardware,
    TrainingRule,
    active_and_all,
    all_params,
    amount,
    as_machine,
    as_training_rule,
    exactly,
    law_params,
    one_currency,
    shape_in_words,
    sum_of,
    words_of,
)
from isoloss.plans.problems import PlanError
from isoloss.plans.serving_rate import as_serve_rate, in_words
from isoloss.runs import Decoder, Mixture, RunsError, as_shape, compact

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
    "price": "price",
}

#: The words that are sums of money, and those that may be a sentence.
MONEY: tuple[Literal["money", "price"], ...] = ("money", "price")
SENTENCES = ("train", "hours", "money")
#: What a budget tells and nobody gives.
UNSPOKEN = ("currency", "hardware", "all_params")
LIMITS = tuple(name for name in AMOUNTS if name != "price")

#: Fewer params or tokens are no model: 8 is meant as 8B.
LEAST = 1e3


@displayed
@dataclass(frozen=True, init=False)
class Budget:
    """Limits, any mix of them, as `Budget("1e21 flop", memory="16 GB")`.

    Amounts are numbers in the unit below, or texts with a unit. `train`, `hours` and `money` may be
    a sentence: "64 h100 for 30 days", "$2M at 2.5 $/h", "EUR 1M on 64 h100 at 2 EUR/h".

    Attributes
    ----------
    train
        Training compute, FLOPs of bf16 on the hardware; on "memory-bits" the bits of all weights.
    hours
        Wall time of training on `devices` devices, hours.
    money
        What training may cost at `price`.
    memory
        Bytes of weights as served (scales counted) and of keys and values of `batch` sequences of
        `context` tokens.
    speed
        Least decode speed of each of these sequences, tokens/s, on `serving_devices` devices; bound
        by bandwidth.
    served
        Tokens that the model will generate in its life, which train, hours and money pay for as
        well, on a device at `serve_rate`.
    serve_rate
        What one device generates, as "2500 tokens/s at 8B" (the size may be left out where params
        are held); kept as params times tokens a second.
    params, tokens
        Held, counts. Params of a mixture of experts are "671B active 37B": laws and costs take the
        active ones, which `params` then is, memory takes all.
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
        The shape to count with, instead of a typical decoder; it holds params. A Decoder or
        Mixture, the name of a published model, as "llama3-8b" or "deepseek-v3", the path of a
        `config.json`, or words, as "layers=32,width=4096,heads=32,vocab=32000".
    training_memory
        How training is kept in the memory of `devices`, which limits params: words of
        `plans.training_memory`, as "sharding=optimizer,moments=int8/128,sequences=1,context=8192";
        by default 16 bytes a param shared over all, the least of usual training. "off" or None: no
        limit.
    all_params
        Of a mixture of experts, of which `params` are active; None of a dense model.
    currency
        Of money and price, as "USD"; None where neither says one.
    hardware
        The machine that a sentence names, as "h100"; None where there is none.

    Raises
    ------
    PlanError
        An amount cannot be read, money has no price or is in another currency than it, hours have
        no devices, or a sentence says what is given beside it.
    """

    train: float | None
    hours: float | None
    money: float | None
    memory: float | None
    speed: float | None
    served: float | None
    serve_rate: float | None
    params: float | None
    tokens: float | None
    unique_tokens: float | None
    price: float | None
    devices: int | None
    serving_devices: int
    context: int
    batch: int
    decoder: Decoder | Mixture | None
    all_params: float | None
    training_memory: TrainingRule | None
    currency: str | None
    hardware: str | None

    def __init__(
        self,
        train: str | float | None = None,
        *,
        hours: str | float | None = None,
        money: str | float | None = None,
        memory: str | float | None = None,
        speed: str | float | None = None,
        served: str | float | None = None,
        serve_rate: str | None = None,
        params: str | float | None = None,
        tokens: str | float | None = None,
        unique_tokens: str | float | None = None,
        price: str | float | None = None,
        devices: int | None = None,
        serving_devices: int = 1,
        context: int = 0,
        batch: int = 1,
        decoder: Decoder | Mixture | str | None = None,
        training_memory: TrainingRule | str | None = USUAL,
    ) -> None:
        active, every = active_and_all(params)
        given: dict[str, Any] = {
            "train": train, "hours": hours, "money": money, "memory": memory, "speed": speed,
            "served": served, "params": active, "tokens": tokens, "unique_tokens": unique_tokens,
            "price": price,
        }  # fmt: skip
        given = _told(given | {"devices": devices})
        devices, hardware = given.pop("devices"), given.pop("hardware", None)
        object.__setattr__(self, "hardware", hardware)
        object.__setattr__(self, "currency", _currency(given))
        for name, value in given.items():
            read = None if value is None else _read(name, value)
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
        object.__setattr__(self, "decoder", None if decoder is None else _decoder(decoder))
        object.__setattr__(self, "training_memory", as_training_rule(training_memory))
        self._check()
        if self.decoder is not None:
            own = law_params(self.decoder)
            if self.params not in (None, own):
                raise PlanError(
                    f"params is {compact(self.params or 0)} and the decoder has {compact(own)}; "
                    "give one of the two"
                )
            object.__setattr__(self, "params", own)
        object.__setattr__(self, "all_params", all_params(self.decoder, every))
        rate = as_serve_rate(serve_rate, self.served, self.params)
        object.__setattr__(self, "serve_rate", rate)

    def _check(self) -> None:
        """Raise PlanError for counts that are none, and words that need another one."""
        for name, least in (("unique_tokens", 1.0), ("params", LEAST), ("tokens", LEAST)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise PlanError(
                    f"{name} is {value:g}; accepted is a count of {least:g} or more, as "
                    f"{'8B' if name == 'params' else '20B'}"
                )
        if self.training_memory not in (None, USUAL) and self.devices is None:
            raise PlanError(
                "training_memory needs the number of devices, as devices=64 (--devices 64)"
            )
        if self.money is not None and self.price is None:
            raise PlanError("money needs the price of a device hour, as price=2.5 (--price 2.5)")
        if self.hours is not None and self.devices is None:
            raise PlanError("hours need the number of devices, as devices=64 (--devices 64)")

    def with_unique(self, unique: float | None) -> Budget:
        """The budget with so many unique tokens; None: all are."""
        other = copy(self)
        object.__setattr__(other, "unique_tokens", unique)
        return other

    @property
    def limits(self) -> tuple[str, ...]:
        """The words of what is limited or held, as ("train", "memory")."""
        return tuple(name for name in LIMITS if getattr(self, name) is not None)

    def __str__(self) -> str:
        shown: dict[str, Callable[[float], str]] = {
            "train": lambda v: f"{v:.4g} FLOPs (bf16) of compute",
            "hours": self._hours,
            "money": self._money,
            "memory": lambda v: f"{v / 1e9:.4g} GB to serve in" + self._sequences(),
            "speed": lambda v: f"{v:.4g} tokens/s a sequence" + self._sequences(),
            "served": lambda v: f"{compact(v)} tokens served" + self._serving(),
            "params": lambda v: f"{compact(v)} {self._active()}params",
            "tokens": lambda v: f"{compact(v)} tokens",
            "unique_tokens": self._unique,
        }
        found = [
            write(getattr(self, name))
            for name, write in shown.items()
            if getattr(self, name) is not None
        ]
        if self.price is not None and self.money is None and self.hours is None:
            found.append(f"{exactly(self.price, self.currency)} a device hour")
        if self.memory is not None or self.speed is not None:
            found.append(f"counted with {self.shape}")
        return ", ".join(found) or "nothing"

    @property
    def shape(self) -> str:
        """What memory and speed are counted with, in words."""
        whole = None if self.decoder is not None else self.all_params
        return shape_in_words(self.params, self.decoder, whole)

    def _active(self) -> str:
        return "" if self.all_params is None else f"active of {compact(self.all_params)} "

    def _serving(self) -> str:
        return "" if self.serve_rate is None else f" at {in_words(self.serve_rate)}"

    def _hours(self, hours: float) -> str:
        devices = self.devices or 1
        text = f"{hours:.4g} hours on {devices} {self.hardware or 'devices'}"
        if self.money is not None or self.price is None:
            return text
        bill = exactly(hours * devices * self.price, self.currency)
        return f"{text} ({bill} at {exactly(self.price, self.currency)} a device hour)"

    def _money(self, money: float) -> str:
        price = self.price or float("nan")
        at = f"{exactly(money, self.currency)} at {exactly(price, self.currency)} a device hour"
        on = f" of {self.hardware}" if self.hardware and self.hours is None else ""
        hours = money / price
        return f"{at}{on} ({f'{hours:,.0f}' if hours >= 1000 else f'{hours:.4g}'} device hours)"

    def _unique(self, unique: float) -> str:
        more = self.tokens is not None and unique > self.tokens
        none = " (more than are trained on, so none repeats)" if more else ""
        return f"{compact(unique)} unique tokens{none}"

    def _sequences(self) -> str:
        if not self.context:
            return ""
        many = f"{self.batch} sequences" if self.batch > 1 else "one sequence"
        return f" with {many} of {self.context} tokens"


def _read(name: str, value: object) -> float:
    """The amount of a word of a budget in its base unit."""
    kind = AMOUNTS[name]
    return sum_of(value, kind, name)[0] if kind in MONEY else amount(value, kind, name)


def _currency(given: Mapping[str, Any]) -> str | None:
    """The currency of the sums of a budget; PlanError where they are in two."""
    sums = {name: given[name] for name in MONEY if given[name] is not None}
    said = {name: sum_of(value, name, name)[1] for name, value in sums.items()}
    return one_currency(said.get("money"), said.get("price"))


def _told(given: Mapping[str, Any]) -> dict[str, Any]:
    """The words of a budget with what its sentences say; PlanError where one is said twice."""
    out = dict(given)
    for name in SENTENCES:
        text = given[name]
        told = words_of(text) if isinstance(text, str) else None
        # An amount of its own kind, as money="$2M", is read as before.
        if told is None or set(told) == {name}:
            continue
        out[name] = None
        for word, value in told.items():
            if out.get(word) is not None:
                raise PlanError(
                    f"{name} {text!r} says {word} {value}, and {word} is also {out[word]}; "
                    "give one of the two"
                )
            out[word] = int(value) if word == "devices" else value
    return out


def machine_of(budget: Budget, hardware: str | Hardware | None) -> Hardware:
    """The machine of a budget and an argument, either of which may name it.

    Raises
    ------
    PlanError
        Neither names a machine, or they name two.
    """
    if hardware is None and budget.hardware is None:
        raise PlanError(
            "hardware is None; give a Hardware or the name of a machine, as 'h100' (--hardware "
            "h100), or name it in the budget, as '64 h100 for 30 days'"
        )
    device = as_machine(budget.hardware if hardware is None else hardware)  # type: ignore[arg-type]
    if budget.hardware not in (None, device.name):
        raise PlanError(
            f"the budget names {budget.hardware} and hardware is {device.name}; give one machine"
        )
    return device


def _decoder(given: Decoder | Mixture | str) -> Decoder | Mixture:
    """The shape that is meant; PlanError for what is none."""
    if not isinstance(given, Decoder | Mixture | str):
        raise PlanError(
            f"decoder is {given!r}; give a Decoder, as isoloss.runs.Decoder(...), or the name of a "
            "published model, as 'llama3-8b'"
        )
    try:
        return as_shape(given)
    except RunsError as error:
        raise PlanError(str(error)) from error


BudgetLike = Budget | Mapping[str, Any] | str | float


def as_budget(given: BudgetLike, what: str = "budget") -> Budget:
    """The budget that is meant.

    Parameters
    ----------
    given
        A Budget, which comes back as it is; a mapping of its words, as {"train": "1e21 flop",
        "memory": "16 GB"}; a sentence, as "64 h100 for 30 days"; or compute alone, as "1e21 flop"
        or 1e21 (FLOPs of bf16).
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
    if isinstance(given, str) and words_of(given) is not None:
        return Budget(given)
    if isinstance(given, str | int | float) and not isinstance(given, bool):
        return Budget(amount(given, "flop", what))
    raise PlanError(f"{what} is {given!r}; give a Budget, as Budget('1e21 flop', memory='16 GB')")


def _of_words(given: Mapping[str, Any], what: str) -> Budget:
    words = [f.name for f in fields(Budget) if f.name not in UNSPOKEN]
    if not given:
        raise PlanError(f"{what} is empty; give at least one limit, as {{'train': '1e21 flop'}}")
    odd = [word for word in given if word not in words]
    if odd:
        near = did_you_mean(odd[0], words, 1)
        hint = f"{near} " if near else ""
        raise PlanError(f"{what} has {odd[0]!r}; {hint}accepted are {', '.join(words)}")
    return Budget(**given)
