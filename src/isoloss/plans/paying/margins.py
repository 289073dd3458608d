"""What a recipe gains at an equal currency, in draws: its gap, the reference's curve, its speed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isoloss.fits import CellGap as CellGap
from isoloss.laws import Array
from isoloss.plans.paying.curve import Curve, Curves
from isoloss.plans.paying.growth import Growth
from isoloss.plans.paying.payoff import (
    Doubt,
    Ends,
    Indifference,
    Known,
    LawMargin,
    Payoff,
    Verdict,
)
from isoloss.plans.paying.recipes import Recipe
from isoloss.plans.paying.speeds import Currency, Speeds
from isoloss.runs import compact

#: A target this near a cell, in log tokens, is that cell.
SAME = 1e-3


@dataclass(frozen=True)
class Asked:
    """What is asked of every recipe.

    Attributes
    ----------
    tokens
        Of the recipe.
    level
        Coverage of intervals.
    run
        The noise of one more run of a recipe, standard deviation in nats; zero for the mean over
        seeds.
    """

    tokens: float
    level: float
    run: float


@dataclass(frozen=True)
class Drawn:
    """Draws of the reference: with all doubt, with one source of it held, and without any.

    Attributes
    ----------
    curves
        What they are made of.
    noise
        Draws of the noise of its cells, shape (S, m), of one law.
    whole, quiet, mixed
        With all doubt, without noise of cells, and with the mean of the laws in place of each;
        shape (laws S, g), and (S, g) of the last.
    middle
        Without noise, half returned, one row a law.
    """

    curves: Curves
    noise: Array
    whole: Curve
    quiet: Curve
    mixed: Curve
    middle: Curve

    @classmethod
    def of(cls, curves: Curves, draws: int, seed: int) -> Drawn:
        """So many draws for each law."""
        rng = np.random.default_rng(seed)
        m, laws = len(curves.reference.tokens), len(curves.laws)
        noise = rng.normal(size=(draws, m)) * curves.reference.error
        back = rng.uniform(size=draws)
        none, half = np.zeros((draws, m)), np.full(draws, 0.5)
        return cls(
            curves,
            noise,
            curves.drawn(noise, back),
            curves.drawn(none, back),
            curves.drawn(noise, half).mean(laws),
            curves.drawn(none[:1], half[:1]),
        )


def payoff_of(
    recipe: Recipe,
    growth: Growth,
    speeds: Speeds,
    currency: Currency,
    drawn: Drawn,
    asked: Asked,
    seed: Sequence[int],
) -> Payoff:
    """One recipe at an equal currency."""
    speed = speeds.by_recipe[recipe.name]
    ratio, laws = speed.over(speeds.reference, currency), len(drawn.curves.laws)
    rng = np.random.default_rng(seed)
    s = len(drawn.noise) * laws
    gap, middle, known = _gaps(recipe, growth, drawn, asked, rng)
    log_ratio = math.log(ratio) + speed.error * rng.normal(size=s)
    at = math.log(asked.tokens)
    run = asked.run * rng.normal(size=s)

    def gain(curve: Curve, gap: Array | float, log_ratio: Array | float) -> Array:
        return np.asarray(curve.at(at - log_ratio) - curve.at(at) - gap)

    margin = gain(drawn.whole, gap + run, log_ratio)
    by_law = gain(drawn.middle, middle, math.log(ratio))
    centre = float(by_law.mean())
    m = len(drawn.noise)
    held: Mapping[Doubt, Array] = {
        "gap": gain(drawn.whole, middle, log_ratio),
        "reference": gain(drawn.quiet, gap + run, log_ratio),
        "law": gain(drawn.mixed, (gap + run)[:m], log_ratio[:m]),
        "speed": gain(drawn.whole, gap + run, math.log(ratio)),
    }
    shares = {k: float(np.clip(1 - v.var() / margin.var(), 0, 1)) for k, v in held.items()}
    if math.exp(at) <= drawn.curves.reference.tokens[-1] * (1 + SAME):
        shares["law"] = 0.0 if _inside(drawn, at - math.log(ratio)) else shares["law"]
    leans_on = max(shares, key=lambda k: shares[k])
    laws_say = tuple(
        _by_law(law.name, float(c), part, asked.level)
        for law, c, part in zip(
            drawn.curves.laws, by_law, margin.reshape(laws, -1), strict=True
        )
    )
    ends = _ends(margin, asked.level)
    said = {each.verdict for each in laws_say} | {_verdict(ends)}
    verdict: Verdict = said.pop() if len(said) == 1 else "undecided"
    rest = _ends(held[leans_on] - held[leans_on].mean() + centre, asked.level)
    needs = (
        _deciding(leans_on, _verdict(rest), recipe, drawn, asked, ratio)
        if verdict == "undecided"
        else ""
    )
    free = gain(drawn.whole, 0.0, log_ratio)
    even, even_middle = _even(drawn, asked, gap + run, middle)
    saved = 1.0 - even / np.exp(log_ratio)
    spent = speed.spent(currency, asked.tokens)
    return Payoff(
        recipe.name, recipe.precision, currency, ratio, asked.tokens,
        middle, _ends(gap + run, asked.level), known,
        centre + middle, _ends(free, asked.level),
        centre, ends, float(np.mean(margin > 0)),
        even_middle, _ends(even, asked.level),
        1.0 - even_middle / ratio, _ends(saved, asked.level),
        spent, spent * ratio / even_middle,
        verdict, laws_say, shares, leans_on, needs,
    )  # fmt: skip


def indifference(drawn: Drawn, asked: Asked, ratios: Array) -> Indifference:
    """The gap of no gain at equal hours, by the speed-up."""
    at = math.log(asked.tokens)
    found = [drawn.whole.at(at - math.log(r)) - drawn.whole.at(at) for r in ratios]
    middle = [drawn.middle.at(at - math.log(r)) - drawn.middle.at(at) for r in ratios]
    ends = np.array([_ends(each, asked.level) for each in found])
    return Indifference(ratios, np.array([m.mean() for m in middle]), ends[:, 0], ends[:, 1])


def _inside(drawn: Drawn, at: float) -> bool:
    return math.exp(at) >= drawn.curves.reference.tokens[0] * (1 - SAME)


def _gaps(
    recipe: Recipe, growth: Growth, drawn: Drawn, asked: Asked, rng: np.random.Generator
) -> tuple[Array, float, Known]:
    """Draws of the gap at the target (laws S,), its middle, and where it comes from.

    Where it was measured its noise is that of both runs, the reference's as in its curve.
    """
    laws = len(drawn.curves.laws)
    s = len(drawn.noise) * laws
    at, cells = math.log(asked.tokens), np.log(recipe.tokens)
    if at > cells[-1] + SAME:
        gap = growth.drawn(asked.tokens, rng.normal(size=s), rng.uniform(size=s))
        return gap, growth.mean(asked.tokens), "extrapolated"
    reference = drawn.curves.reference
    place = np.searchsorted(reference.tokens, recipe.tokens)
    own = np.sqrt(np.maximum(recipe.error**2 - reference.error[place] ** 2, 0.0))
    noise = rng.normal(size=(s, len(cells))) * own - np.tile(drawn.noise[:, place], (laws, 1))
    weight = np.array([np.interp(at, cells, row) for row in np.eye(len(cells))])
    measured = bool(np.min(np.abs(cells - at)) <= SAME)
    middle = float(recipe.gap @ weight)
    return middle - noise @ weight, middle, "measured" if measured else "between cells"


def _even(drawn: Drawn, asked: Asked, gap: Array, middle: float) -> tuple[Array, float]:
    """The ratio of no gain, in draws and in the middle: tokens over those on which the reference
    has the recipe's loss.
    """
    at = math.log(asked.tokens)
    even = np.exp(at - drawn.whole.reaching(drawn.whole.at(at) + gap))
    one = at - drawn.middle.reaching(drawn.middle.at(at) + middle)
    return even, float(np.exp(np.mean(one)))


def _by_law(name: str, centre: float, margin: Array, level: float) -> LawMargin:
    ends = _ends(margin, level)
    return LawMargin(name, centre, ends, _verdict(ends))


def _ends(values: Array, level: float) -> Ends:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    return float(low), float(high)


def _verdict(ends: Ends) -> Verdict:
    return "pays" if ends[0] > 0 else "does not pay" if ends[1] < 0 else "undecided"


def _deciding(
    leans_on: Doubt, rest: Verdict, recipe: Recipe, drawn: Drawn, asked: Asked, ratio: float
) -> str:
    """The measurement that removes the largest source of doubt, and whether that would do."""
    base, target = drawn.curves.reference, compact(asked.tokens)
    beyond = asked.tokens > recipe.tokens[-1] * (1 + SAME)
    needed = {
        "gap": (
            f"the gap at {target} tokens (both runs), known up to {compact(recipe.tokens[-1])}"
            if beyond
            else f"more seeds of {recipe.name} and {base.name} at {target} tokens"
        ),
        "reference": f"more seeds of {base.name}",
        "law": f"{base.name} on {compact(asked.tokens / ratio)} and on {target} tokens, known "
        f"from {compact(base.tokens[0])} to {compact(base.tokens[-1])}",
        "speed": f"the speed of {recipe.name}, over more steps and on the cluster itself",
    }
    would = (
        "not enough by itself"
        if rest == "undecided"
        else f"would decide: '{rest}' if its middle is right"
    )
    return f"{needed[leans_on]}; {would}"
