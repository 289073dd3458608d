"""Sums of money as people write them, with their currency: $2M, EUR 1.5M, 2.5 $/h."""

from __future__ import annotations

import re
from typing import Literal

from isoloss.plans.costs.units import amount, unit_of
from isoloss.plans.problems import PlanError

#: The currency of each sign and word; other units of money are spelled as their currency.
CURRENCIES = {"$": "USD", "us$": "USD", "dollar": "USD", "€": "EUR", "euro": "EUR", "£": "GBP"}
_AN_HOUR = re.compile(
    r"\s*(?:/|\bper\b|\ban?\b)\s*(?:(?:gpu|device|accelerator|chip|card)[\s-]*)?(?:h|hr|hour)s?$",
    re.IGNORECASE,
)


def sum_of(given: object, kind: Literal["money", "price"], what: str) -> tuple[float, str | None]:
    """A sum, or the price of a device hour, and its currency; None where none is said.

    Raises PlanError for what is no sum, and for a price of anything but an hour.
    """
    bare = _AN_HOUR.sub("", given) if kind == "price" and isinstance(given, str) else given
    value = amount(bare, kind, what)
    unit = unit_of(bare, kind) if isinstance(bare, str) else ""
    return value, CURRENCIES.get(unit, unit.upper()) or None


def one_currency(money: str | None, price: str | None) -> str | None:
    """The currency of a sum and of a price; None where neither says one.

    Raises PlanError where they say two.
    """
    if money and price and money != price:
        raise PlanError(
            f"money is in {money} and the price of a device hour in {price}; give both in one "
            "currency, as no rate of exchange is assumed"
        )
    return money or price


def exactly(value: float, currency: str | None) -> str:
    """A sum to all its digits with its currency: '115,200 USD', '2.5 USD'."""
    return f"{value:,.10g}" + (f" {currency}" if currency else "")
