"""A budget in one sentence: "64 h100 for 30 days", "30 days on 64 h100 at 2.5 $/h", "$2M at $2/h".

A sentence is [devices machine for (or x)] what, or what [on devices machine], then [at price]; what
is compute, hours or money by its unit, and money without one where a price follows.
"""

from __future__ import annotations

import re

from isoloss.plans.costs.machines import MACHINES, as_machine
from isoloss.plans.costs.units import Dimension, unit_of
from isoloss.plans.problems import PlanError

_AT = re.compile(r"\s+at\s+|\s*@\s*", re.IGNORECASE)
_DEVICES = r"(?:(\d[\d.,]*)\s*(?:[x×]\s+|[x×](?=[a-z]))?)?([a-z][\w.+-]*)(?:\s+(?:gpu|device)s?)?"
_FOR = re.compile(rf"{_DEVICES}(?:\s+for\s+|\s*[x×,]\s+)(.+)", re.IGNORECASE)
_ON = re.compile(rf"(.+?)\s+on\s+{_DEVICES}", re.IGNORECASE)
#: Words for a device that name no machine.
ANY_DEVICE = ("gpu", "device", "accelerator", "chip", "card")
WHAT: dict[Dimension, str] = {"flop": "train", "money": "money", "hours": "hours"}


def words_of(text: str) -> dict[str, str] | None:
    """The words of a budget that a sentence gives, as texts; None where it is no sentence.

    Words are train, hours, money, price, devices and hardware (the name of a machine). Amounts are
    not read yet: a sentence may hold one that cannot be.

    Raises PlanError for a machine that is not known, and for a time without a unit.
    """
    head, *price = _AT.split(text.strip(), maxsplit=1)
    head = head.strip()
    if found := _FOR.fullmatch(head):
        count, name, what = found.groups()
    elif found := _ON.fullmatch(head):
        what, count, name = found.groups()
    else:
        count, name, what = None, None, head
    dimension = next((each for each in WHAT if unit_of(what, each)), None)
    if dimension is None and price:
        dimension = "money"
    if dimension is None and found:
        dimension = "hours"
    if dimension == "hours" and found and unit_of(what, "hours") == "" and what[-1:].isdigit():
        raise PlanError(f"{text!r} does not say {what} of what; write its unit, as '{what} days'")
    if dimension is None or (dimension == "flop" and not found and not price):
        return None
    out = {WHAT[dimension]: what} | ({"price": price[0]} if price else {})
    out |= {"devices": _whole(count, text)} if count else {}
    machine = None if name is None else _machine(name)
    return out | ({"hardware": machine} if machine else {})


def _whole(count: str, text: str) -> str:
    """A number of devices without separators: 1,024 is a thousand, as there is no part of one."""
    if not re.fullmatch(r"\d+|\d{1,3}(?:,\d{3})+", count):
        raise PlanError(
            f"the number of devices in {text!r} is {count}; write a whole number without a dot, as "
            "1024"
        )
    return count.replace(",", "")


def _machine(name: str) -> str | None:
    """The machine that a word names, in the singular or plural; None for any device."""
    lower = name.lower()
    single = lower.removesuffix("s")
    if single in ANY_DEVICE:
        return None
    return as_machine(single if lower not in MACHINES and single in MACHINES else lower).name
