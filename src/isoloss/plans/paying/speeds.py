"""How fast recipes train and what that costs: given as a file or a mapping, or beside the runs.

A row is a recipe with a rate, as tokens a second of a device or as a ratio to the reference, and,
where known, the relative error of that ratio, joules a token and the price of a device hour.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from isoloss.files import did_you_mean, equal_by_fields, real_number, reason, shown_value
from isoloss.plans.paying.recipes import Recipes
from isoloss.plans.problems import PlanError
from isoloss.runs import Runs

#: What is equal in a comparison.
Currency = Literal["hours", "money", "energy"]
#: Rates: a ratio, or its fields by name, by recipe.
Rates = Mapping[str, float | Mapping[str, float]]
FIELDS = ("ratio", "tokens_per_second", "error", "joules_per_token", "price")
#: Columns of a table of runs that hold rates, the absolute one first.
BESIDE = {"tokens_per_second_per_gpu": "tokens_per_second", "speed_over_bf16": "ratio"}
#: What a relative error is.
SHARE = "a share from 0 to below 1, as 0.02 for 2%"
#: How far two speeds of one recipe may be apart, as a share.
AGREE = 0.01
ACCEPTED = f"columns are recipe and {', '.join(FIELDS)}, with a ratio or tokens_per_second"


@equal_by_fields
@dataclass(frozen=True)
class Speed:
    """What is known of the speed and cost of one recipe; NaN where nothing is.

    Attributes
    ----------
    ratio
        Tokens a second of a device over those of the reference.
    error
        Relative standard error of the ratio.
    tokens_per_second
        Of one device.
    joules
        Joules a token.
    price
        Of one device hour.
    """

    ratio: float
    error: float
    tokens_per_second: float = math.nan
    joules: float = math.nan
    price: float = math.nan

    def spent(self, currency: Currency, tokens: float) -> float:
        """What training on so many tokens takes: device hours, money or joules."""
        hours = tokens / self.tokens_per_second / 3600
        by = {"hours": hours, "money": hours * self.price, "energy": tokens * self.joules}
        return by[currency]

    def over(self, reference: Speed, currency: Currency) -> float:
        """Tokens for one unit of a currency over those of the reference; NaN where unknown."""
        by = {
            "hours": self.ratio,
            "money": self.ratio * reference.price / self.price,
            "energy": reference.joules / self.joules,
        }
        return by[currency]


@dataclass(frozen=True)
class Speeds:
    """The speeds of a reference and of recipes by name."""

    reference: Speed
    by_recipe: Mapping[str, Speed]

    @property
    def currencies(self) -> tuple[Currency, ...]:
        """Those in which at least one recipe can be compared."""
        known: tuple[Currency, ...] = get_args(Currency)
        return tuple(
            c
            for c in known
            if any(math.isfinite(s.over(self.reference, c)) for s in self.by_recipe.values())
        )


def speeds_of(
    runs: Runs, found: Recipes, rates: Rates | str | Path | None, error: float, price: float | None
) -> Speeds:
    """The speeds of the recipes of a table.

    Parameters
    ----------
    runs, found
        The runs, and what they have of recipes.
    rates
        A CSV file, a mapping, or None for the columns beside the runs.
    error
        Relative standard error of a ratio that has none of its own.
    price
        Of a device hour, where a row has none.

    Raises
    ------
    PlanError
        There are none, a name is no recipe, a value is no positive number, rates in tokens a second
        have none of the reference, or two speeds of a recipe contradict each other.
    """
    rows = _beside(runs, found) if rates is None else _given(rates)
    names = {found.reference.name: "reference", "reference": "reference"}
    names |= {each.precision: each.name for each in found.recipes}
    names |= {each.name: each.name for each in found.recipes}
    label = zip(runs["precision"], runs["group"], strict=True)
    names |= {str(group): "reference" for p, group in label if group and p == found.reference.name}
    known: dict[str, Mapping[str, float]] = {}
    for name, row in rows.items():
        if name not in names:
            near = did_you_mean(name, names) or f"recipes are {', '.join(sorted(names))}"
            raise PlanError(f"rates have {shown_value(name)}, which is no recipe; {near}")
        if names[name] in known:
            raise PlanError(f"rates have {names[name]!r} twice")
        known[names[name]] = _checked(name, row)
    own = known.pop("reference", {})
    if not known:
        recipes = ", ".join(each.name for each in found.recipes)
        raise PlanError(f"no recipe has a rate, only the reference; recipes are {recipes}")
    unit = own.get("ratio", 1.0)
    first = _speed("reference", {**own, "ratio": unit}, own, 0.0, price)
    return Speeds(first, {n: _speed(n, row, own, error, price) for n, row in known.items()})


def _speed(
    name: str, row: Mapping[str, float], first: Mapping[str, float], error: float,
    price: float | None,
) -> Speed:  # fmt: skip
    """The speed of one row; `first` is the row of the reference."""
    base = first.get("tokens_per_second", math.nan)
    rate = row.get("tokens_per_second", math.nan)
    ratio = row.get("ratio", math.nan) / first.get("ratio", 1.0)
    if math.isnan(ratio):
        if math.isnan(base):
            raise PlanError(
                f"'{name}' has tokens a second and the reference has none; give a row 'reference', "
                "or ratios"
            )
        ratio = rate / base
    elif abs(rate / base / ratio - 1) > AGREE:
        raise PlanError(
            f"'{name}' has {rate:g} tokens_per_second, {rate / base:g} of those of the reference, "
            f"and a ratio of {ratio:g} to it; give one of them"
        )
    rate = ratio * base if math.isnan(rate) else rate
    own = math.nan if price is None else price
    joules = row.get("joules_per_token", math.nan)
    return Speed(ratio, row.get("error", error), rate, joules, row.get("price", own))


def _checked(name: str, row: Mapping[str, Any]) -> dict[str, float]:
    """The fields of a row as numbers; empty ones are unknown."""
    unknown = [field for field in row if field not in FIELDS]
    if unknown:
        raise PlanError(f"rates of '{name}' have {shown_value(unknown[0])}; {ACCEPTED}")
    found = {field: _number(name, field, value) for field, value in row.items() if value != ""}
    if not {"ratio", "tokens_per_second"} & found.keys():
        raise PlanError(f"rates of '{name}' have no speed; {ACCEPTED}")
    return found


def _number(name: str, field: str, value: Any) -> float:
    try:
        number = float(value) if isinstance(value, str) else real_number(value)
    except ValueError:
        number = math.nan
    is_share = field == "error"
    if not (0.0 <= number < 1.0 if is_share else 0.0 < number < math.inf):
        accepted = SHARE if is_share else "a number above 0"
        raise PlanError(f"{field} of '{name}' is {shown_value(value)}; accepted is {accepted}")
    return number


def _given(rates: Rates | str | Path) -> dict[str, Mapping[str, Any]]:
    """Rows of a file or a mapping by name."""
    if isinstance(rates, str | Path):
        return _read(Path(rates))
    if not isinstance(rates, Mapping) or not rates:
        raise PlanError(
            f"rates is {shown_value(rates)}; give a CSV file, or a mapping of recipes to ratios"
        )
    return {
        str(name): row if isinstance(row, Mapping) else {"ratio": row}
        for name, row in rates.items()
    }


def _read(path: Path) -> dict[str, Mapping[str, Any]]:
    """Rows of a CSV file by the column 'recipe'."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, restkey="more", strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PlanError(f"cannot read '{path}': {reason(error)}") from error
    if not rows or "recipe" not in rows[0]:
        raise PlanError(f"'{path}' has no rows with a column 'recipe'; {ACCEPTED}")
    return dict(_once(path, rows))


def _once(path: Path, rows: Iterable[dict[str, Any]]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    seen = set()
    for row in rows:
        name = row.pop("recipe")
        if name in seen:
            raise PlanError(f"'{path}' has the recipe {shown_value(name)} twice")
        seen.add(name)
        yield name, {field: value for field, value in row.items() if value is not None}


def _beside(runs: Runs, found: Recipes) -> dict[str, Mapping[str, float]]:
    """Rates in columns of the table of runs, one a precision."""
    column = next((name for name in BESIDE if name in runs.columns), None)
    if column is None:
        raise PlanError(
            "the table has no speeds beside its runs; give rates (--rates): a CSV file whose "
            f"{ACCEPTED}"
        )
    precisions = [found.reference.name, *(each.precision for each in found.recipes)]
    rows: dict[str, Mapping[str, float]] = {}
    for precision in precisions:
        values = {float(v) for v in runs[column][runs["precision"] == precision] if v == v}
        if len(values) > 1:
            raise PlanError(
                f"column '{column}' has {len(values)} values for {shown_value(precision)}; give "
                "rates (--rates)"
            )
        if values:
            rows[precision] = {BESIDE[column]: values.pop()}
    return rows
