"""The verb ``pays``: whether a loss gap is worth the speed that it buys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from isoloss.files import real_number, shown_value
from isoloss.fits import Fit
from isoloss.laws import Law, as_law
from isoloss.plans.checks import check_level
from isoloss.plans.paying.beyond_cells import gaps_beyond
from isoloss.plans.paying.curve import Curves
from isoloss.plans.paying.margins import Asked, Drawn, indifference, payoff_of
from isoloss.plans.paying.payoff import Terms
from isoloss.plans.paying.payoffs import Payoffs
from isoloss.plans.paying.recipes import Recipes, recipes_of
from isoloss.plans.paying.speeds import SHARE, Rates, Speeds, speeds_of
from isoloss.plans.problems import PlanError
from isoloss.runs import Runs, as_runs, compact, number

#: The base laws beyond the reference's own curve, unless others are given.
BASE_LAWS = ("epoch2024", "hoffmann2022")
#: Draws for each base law.
DRAWS = 1500
#: How many times beyond the cells of a recipe a target may lie: farther, the few exponents that fit
#: them badly outweigh all others in the mean gap, which leaves its own interval.
FARTHEST = 1000.0
Of = Literal["mean", "run"]


def pays(
    runs: Runs | Any,
    rates: Rates | str | Path | None = None,
    *,
    at: float | str | None = None,
    params: float | str | None = None,
    price: float | None = None,
    laws: str | Law | Fit | Sequence[str | Law | Fit] = BASE_LAWS,
    noise: float = 0.003,
    speed_error: float = 0.02,
    of: Of = "mean",
    level: float = 0.9,
    seed: int = 0,
) -> Payoffs:
    """Whether recipes pay: what their loss gaps cost beside what their speed buys.

    A recipe sees `at` tokens; the reference sees as many as it can in the same hours (money,
    energy), which are fewer where the recipe is faster. The curve of the reference is its own where
    its cells reach and falls as base laws say beyond; gaps go on beyond the cells of a recipe as a
    constant or a power of tokens, whose exponent is shrunk to those of the other recipes.

    Parameters
    ----------
    runs
        Runs of recipes with partners at the reference, as `gap_table` pairs them; a path, a data
        frame or the name of a public table too.
    rates
        A CSV file with the columns recipe (a group, a precision, or "reference"), ratio or
        tokens_per_second of a device, and optionally error (relative), joules_per_token and price
        (of a device hour); or a mapping of recipes to ratios or to such fields. By default the
        columns tokens_per_second_per_gpu or speed_over_bf16 of the table.
    at
        Tokens of the recipe, as "159.4B"; by default those of the longest cell.
    params
        The size of the models, where the table has several.
    price
        Of a device hour; amounts of money are told where rates are in tokens a second.
    laws
        Base laws: names, laws or fits.
    noise
        Standard deviation of the gap of two single runs in nats, used where no repeats differ.
    speed_error
        Relative standard error of a speed-up that has none of its own.
    of
        What intervals are of: the "mean" of a recipe over seeds, or one "run" of it.
    level
        Coverage of intervals, 0.9 = 90%.
    seed
        Of the draws.

    Returns
    -------
    Payoffs
        A verdict for each recipe with its interval; printing it is the report.

    Raises
    ------
    PlanError
        An argument is not accepted, no recipe has a rate, or `at` lies before the first cell of
        every recipe or 1000 times beyond the last one.
    FitError
        No run has a partner at the reference.
    """
    check_level(level)
    _check(noise, speed_error, price, of)
    target = None if at is None else _count("at", at)
    base = _laws(laws)
    table = as_runs(runs)
    found = recipes_of(table, None if params is None else _count("params", params), noise)
    speeds = speeds_of(table, found, rates, speed_error, price)
    target = float(found.reference.tokens[-1]) if target is None else target
    _check_target(found, target)
    asked = Asked(target, level, noise / math.sqrt(2) if of == "run" else 0.0)
    drawn = Drawn.of(Curves.of(found.reference, base, target), DRAWS, seed)
    return _payoffs(found, speeds, drawn, asked, (of, noise, speed_error, seed))


def _payoffs(
    found: Recipes, speeds: Speeds, drawn: Drawn, asked: Asked, said: tuple[Of, float, float, int]
) -> Payoffs:
    of, noise, speed_error, seed = said
    growth = gaps_beyond(found.recipes)
    rows = []
    for currency in speeds.currencies:
        one = [
            payoff_of(recipe, growth.growths[k], speeds, currency, drawn, asked, [seed, k])
            for k, recipe in enumerate(found.recipes)
            if recipe.name in speeds.by_recipe
            and math.isfinite(speeds.by_recipe[recipe.name].over(speeds.reference, currency))
        ]
        rows += sorted(one, key=lambda each: -each.margin)
    fastest = max(each.ratio for each in rows)
    ratios = np.geomspace(1.0, max(2.0, 1.15 * fastest), 40)
    curves, reference = drawn.curves, found.reference
    quiet = np.zeros((1, len(reference.tokens)))
    terms = Terms(
        reference.name,
        reference.params,
        asked.tokens,
        (float(reference.tokens[0]), float(reference.tokens[-1])),
        {law.name: float(curves.scale(k, quiet)[0]) for k, law in enumerate(curves.laws)},
        asked.level,
        of,
        noise,
        len(found.assumed) == len(found.recipes),
        speed_error,
        {str(form): weight for form, weight in growth.weights.items()},
        found.schedule,
        tuple(each.name for each in found.recipes if each.name not in speeds.by_recipe),
        found.metric,
        found.assumed,
        found.reference_noise,
        found.remarks,
    )
    return Payoffs(tuple(rows), terms, indifference(drawn, asked, ratios))


def _check_target(found: Recipes, tokens: float) -> None:
    """Raise PlanError for a target before the first cell, or too far beyond the last."""
    first = max(float(each.tokens[0]) for each in found.recipes)
    if tokens < first * (1 - 1e-3):
        raise PlanError(
            f"at is {compact(tokens)} tokens, before the first gap of a recipe; accepted is "
            f"{compact(first)} or more"
        )
    last = FARTHEST * min(float(each.tokens[-1]) for each in found.recipes)
    if tokens > last:
        raise PlanError(
            f"at is {compact(tokens)} tokens, more than {FARTHEST:g} times beyond the last gap of "
            f"a recipe, where nothing is known; accepted is up to {compact(last)}"
        )


def _check(noise: float, speed_error: float, price: float | None, of: Of) -> None:
    for name, value, least in (
        ("noise", noise, 0.0),
        ("speed_error", speed_error, 0.0),
        ("price", 1.0 if price is None else price, math.ulp(0.0)),
    ):
        if not least <= real_number(value) < math.inf or (name == "noise" and not value):
            raise PlanError(f"{name} is {shown_value(value)}; accepted is a number above 0")
    if speed_error >= 1:
        raise PlanError(f"speed_error is {shown_value(speed_error)}; accepted is {SHARE}")
    if of not in get_args(Of):
        raise PlanError(f"of is {shown_value(of)}; it is 'mean' or 'run'")


def _count(name: str, value: object) -> float:
    """A count of tokens or params."""
    try:
        found = number(value)
    except ValueError as error:
        raise PlanError(f"{name} is {shown_value(value)}: {error}") from None
    if not found >= 1:
        raise PlanError(f"{name} is {shown_value(value)}; accepted is a count, as '160B'")
    return found


def _laws(laws: Any) -> tuple[Law, ...]:
    """The base laws that are meant, each once."""
    given = [laws] if isinstance(laws, str | Law | Fit) else laws
    if not isinstance(given, Sequence) or not given:
        raise PlanError(f"laws is {shown_value(laws)}; give a law or a list of them")
    found = {law.name: law for law in map(as_law, given)}
    return tuple(found.values())
