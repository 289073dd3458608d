"""What a recipe gains at an equal currency, in draws: its gap, the reference's curve, its speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoloss.laws import Array
from isoloss.plans.paying.beyond_cells import GapBeyond
from isoloss.plans.paying.curve import Curve, Curves
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
    growth: GapBeyond,
    speeds: Speeds,
    currency: Currency,
    drawn: Drawn,
    asked: Asked,
    seed: Sequence[int],
) -> Payoff:
    """One recipe at an equal currency."""
    speed = speeds.by_recipe[recipe.name]
    rng = np.random.default_rng(seed)
    ratio = speed.over(speeds.reference, currency)
    gap, middle, known = _gaps(recipe, growth, drawn, asked, rng)
    gap = gap + asked.run * rng.normal(size=len(gap))
    log_ratio = math.log(ratio) + speed.error * rng.normal(size=len(gap))
    one = _Side(drawn, math.log(asked.tokens), gap, middle, log_ratio, math.log(ratio))
    margin, by_law = one.gain(drawn.whole, gap, log_ratio), one.middles
    centre, ends = float(by_law.mean()), _ends(margin, asked.level)
    told = _told(drawn.curves, by_law, margin, asked.level)
    said = {each.verdict for each in told} | {_verdict(ends)}
    verdict: Verdict = said.pop() if len(said) == 1 else "undecided"
    shares, leans_on, rest = one.leaning(margin, asked.level)
    needs = _deciding(leans_on, rest, recipe, drawn, asked, ratio) if verdict == "undecided" else ""
    even, even_middle = _even(drawn, asked, gap, middle)
    saved = np.where(even > 0, 1.0 - even / np.exp(log_ratio), math.inf)
    spent = speed.spent(currency, asked.tokens)
    return Payoff(
        recipe.name, recipe.precision, currency, ratio, asked.tokens,
        middle, _ends(gap, asked.level), known,
        centre + middle, _ends(one.gain(drawn.whole, 0.0, log_ratio), asked.level),
        centre, ends, float(np.mean(margin > 0)),
        even_middle, _ends(np.where(even > 0, even, -math.inf), asked.level),
        1.0 - even_middle / ratio, _ends(saved, asked.level),
        spent, spent * ratio / even_middle if math.isfinite(even_middle) else math.nan,
        verdict, told, shares, leans_on, needs,
    )  # fmt: skip


@dataclass(frozen=True)
class _Side:
    """One recipe beside the draws of the reference: its gap and log speed-up, in draws and in the
    middle; `at` is the log of its tokens.
    """

    drawn: Drawn
    at: float
    gap: Array
    middle: float
    log_ratio: Array
    log_middle: float

    def gain(self, curve: Curve, gap: Array | float, log_ratio: Array | float) -> Array:
        """What the recipe gains, in draws."""
        return np.asarray(curve.at(self.at - log_ratio) - curve.at(self.at) - gap)

    @property
    def middles(self) -> Array:
        """The gain without noise, by law."""
        return self.gain(self.drawn.middle, self.middle, self.log_middle)

    def leaning(self, margin: Array, level: float) -> tuple[dict[Doubt, float], Doubt, Verdict]:
        """The share of the variance that goes with each source, the largest of them, and the
        verdict that would be left without it if the middle stood.
        """
        m = len(self.drawn.noise)
        held: dict[Doubt, Array] = {
            "gap": self.gain(self.drawn.whole, self.middle, self.log_ratio),
            "reference": self.gain(self.drawn.quiet, self.gap, self.log_ratio),
            "law": self.gain(self.drawn.mixed, self.gap[:m], self.log_ratio[:m]),
            "speed": self.gain(self.drawn.whole, self.gap, self.log_middle),
        }
        shares = {k: float(np.clip(1 - v.var() / margin.var(), 0, 1)) for k, v in held.items()}
        if self._needs_no_law:
            shares["law"] = 0.0
        first = max(shares, key=lambda k: shares[k])
        left = held[first] - held[first].mean() + self.middles.mean()
        return shares, first, _verdict(_ends(left, level))

    @property
    def _needs_no_law(self) -> bool:
        """Whether the reference's own cells reach both points."""
        cells = np.log(self.drawn.curves.reference.tokens)
        return bool(self.at <= cells[-1] + SAME and self.at - self.log_middle >= cells[0] - SAME)


def _told(curves: Curves, middles: Array, margin: Array, level: float) -> tuple[LawMargin, ...]:
    """The margin by each law."""
    rows = zip(curves.laws, middles.tolist(), margin.reshape(len(middles), -1), strict=True)
    found = [(law.name, middle, _ends(each, level)) for law, middle, each in rows]
    return tuple(LawMargin(name, middle, ends, _verdict(ends)) for name, middle, ends in found)


def indifference(drawn: Drawn, asked: Asked, ratios: Array) -> Indifference:
    """The gap of no gain at equal hours, by the speed-up."""
    at = math.log(asked.tokens)
    found = [drawn.whole.at(at - math.log(r)) - drawn.whole.at(at) for r in ratios]
    middle = [drawn.middle.at(at - math.log(r)) - drawn.middle.at(at) for r in ratios]
    ends = np.array([_ends(each, asked.level) for each in found])
    return Indifference(ratios, np.array([m.mean() for m in middle]), ends[:, 0], ends[:, 1])


def _gaps(
    recipe: Recipe, growth: GapBeyond, drawn: Drawn, asked: Asked, rng: np.random.Generator
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
    has the recipe's loss. Draws are zero and the middle NaN where the curve does not have it.
    """
    at = math.log(asked.tokens)
    even = np.exp(at - drawn.whole.reaching(drawn.whole.at(at) + gap))
    one = at - drawn.middle.reaching(drawn.middle.at(at) + middle)
    return even, float(np.exp(np.mean(one))) if np.isfinite(one).all() else _unreached(one)


def _unreached(log_ratios: Array) -> float:
    """The ratio of no gain where a curve has the loss nowhere, NaN, or before it begins."""
    return math.nan if (log_ratios == -math.inf).any() else math.inf


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
