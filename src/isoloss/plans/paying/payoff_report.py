"""The report of whether recipes pay: verdicts, equal loss, base laws, what decides, what is
assumed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from isoloss.files import percent
from isoloss.fits import NOT_HELD, Section, interval_in_words
from isoloss.plans.paying.curve import BEYOND
from isoloss.plans.paying.payoff import Payoff, Terms
from isoloss.runs import compact, metric_of

WORDS = {
    "gap": "its gap",
    "reference": "noise of the reference",
    "law": "the base law",
    "speed": "its speed",
}
#: In place of what it would take where the reference does not have the loss of a recipe.
NOT_REACHED = "not reached"
UNITS = {"hours": "device hours", "money": "money", "energy": "joules"}


def sections(payoffs: Sequence[Payoff], found: Terms) -> Iterator[Section]:
    """The report, part by part."""
    for currency in dict.fromkeys(each.currency for each in payoffs):
        rows = [each for each in payoffs if each.currency == currency]
        if currency == "money" and _is_of_hours(payoffs):
            yield _equal_loss(found, currency, rows)
            continue
        yield _verdicts(found, currency, rows)
        yield _equal_loss(found, currency, rows)
        if found.is_beyond and len(found.laws) > 1:
            yield _by_law(found, currency, rows)
        if any(each.decides for each in rows):
            yield _deciding(currency, rows)
    yield _assumed(payoffs, found)


def _is_of_hours(payoffs: Sequence[Payoff]) -> bool:
    """Whether every recipe has the price of the reference, so that equal money is equal hours."""
    by = {(each.recipe, each.currency): each.ratio for each in payoffs}
    return all(
        math.isclose(ratio, by.get((recipe, "hours"), math.nan))
        for (recipe, currency), ratio in by.items()
        if currency == "money"
    )


def _verdicts(found: Terms, currency: str, rows: Sequence[Payoff]) -> Section:
    unit = metric_of(found.metric).unit
    lines = (
        f"{compact(found.params)} params; a recipe sees {compact(found.tokens)} tokens, "
        f"{found.reference} as many as it sees in the same {currency}",
        f"gain: loss of {found.reference} less that of the recipe ({unit}), {percent(found.level)} "
        f"interval of {'a run' if found.of == 'run' else 'the mean over seeds'}; break-even gap: "
        "that of no gain",
    )
    speed = "speed-up" if currency == "hours" else f"tokens per {currency}"
    head = ("recipe", speed, "gap", "gap is", "break-even gap", "gain", "interval", "P(gain)",
            "verdict", "leans on")  # fmt: skip
    cells = [
        (each.recipe, f"{each.ratio:.3f}", _nats(each.gap), each.known,
         _nats(each.break_even_gap), _nats(each.margin), _ends(each.margin_interval, _nats),
         f"{each.probability:.2f}", each.verdict, WORDS[each.leans_on])
        for each in rows
    ]  # fmt: skip
    return Section(f"At equal {currency}", lines, head, tuple(cells))


def _equal_loss(found: Terms, currency: str, rows: Sequence[Payoff]) -> Section:
    lines: tuple[str, ...] = (
        f"saved: share of the {currency} that {found.reference} needs for the loss of the recipe; "
        "below zero the recipe needs more",
    )
    if any(math.isnan(each.break_even) for each in rows):
        lines += (
            f"{NOT_REACHED}: as far as its curve goes, {BEYOND:g} times beyond cells and target, "
            f"{found.reference} has not that loss",
        )
    spent = any(each.spent == each.spent for each in rows)
    head = ("recipe", "break-even speed-up", "interval", "saved", "interval")
    more = (UNITS[currency], f"of {found.reference}") if spent else ()
    cells = [
        (each.recipe, _ratio(each.break_even), _ends(each.break_even_interval, _ratio),
         _share(each.saved), _ends(each.saved_interval, _share),
         *((compact(each.spent), _spent(each)) if spent else ()))
        for each in rows
    ]  # fmt: skip
    return Section(f"At equal loss, in {currency}", lines, (*head, *more), tuple(cells))


def _by_law(found: Terms, currency: str, rows: Sequence[Payoff]) -> Section:
    first, last = (compact(each) for each in found.reach)
    lines = (
        f"the reference was run on {first} to {last} tokens; beyond, laws say how it falls: where "
        "they differ nothing is decided",
    )
    head = ("recipe", *(part for law in found.laws for part in (law, "interval", "verdict")))
    cells = [
        (each.recipe,
         *(part for one in each.by_law
           for part in (_nats(one.margin), _ends(one.interval, _nats), one.verdict)))
        for each in rows
    ]  # fmt: skip
    return Section(f"Gain by base law, at equal {currency}", lines, head, tuple(cells))


def _deciding(currency: str, rows: Sequence[Payoff]) -> Section:
    cells = tuple((each.recipe, each.decides) for each in rows if each.decides)
    title = f"The one measurement that would tell most, at equal {currency}"
    return Section(title, (), ("recipe", "measurement"), cells)


def _assumed(payoffs: Sequence[Payoff], found: Terms) -> Section:
    noise = (
        f"noise of a gap of single runs: {found.noise:.4g} nats, assumed, since no recipe "
        "has repeats that differ (noise=)"
        if found.is_assumed
        else "noise of gaps: by the spread over seeds" + _also_assumed(found)
    )
    lines = [*found.remarks, noise]
    if found.reference_noise is not None:
        own = metric_of(found.metric).amount(f"{found.reference_noise:.4g}")
        lines.append(f"noise of a loss of {found.reference}: {own}, by its repeats")
    lines += [f"relative error of a speed-up: {found.speed_error:.2g} where none is given "
             "(speed_error=)"]  # fmt: skip
    if any(each.known == "extrapolated" for each in payoffs):
        weights = ", ".join(f"{form} {weight:.2f}" for form, weight in found.weights.items())
        lines.append(
            f"gaps beyond the cells: {weights} before the cells of a recipe itself; how they grow "
            "is shrunk to what the other recipes show"
        )
    if found.is_beyond:
        scale = ", ".join(f"{each:.2f} x {law}" for law, each in found.laws.items())
        lines.append(
            f"the reference falls as steeply as {scale}; ten times beyond its cells that factor "
            "may have gone"
        )
        if found.schedule == "constant":
            lines.append("all losses are of undecayed models; laws are of decayed ones")
    lines += [f"{each}: left out, no rate" for each in found.left_out]
    return Section("What is assumed", tuple(lines))


def _also_assumed(found: Terms) -> str:
    if not found.assumed:
        return ""
    return (
        f"; of {', '.join(found.assumed)}, without repeats that differ, {found.noise:.4g} nats, "
        "assumed (noise=)"
    )


def _spent(each: Payoff) -> str:
    known = math.isfinite(each.break_even)
    return compact(each.spent_by_reference) if known else _ratio(each.break_even)


def _ends(ends: tuple[float, float], write: Callable[[float], str]) -> str:
    return interval_in_words(ends, write, NOT_HELD)


def _nats(value: float) -> str:
    return f"{value:+z.4f}"


def _ratio(value: float) -> str:
    if math.isnan(value):
        return NOT_REACHED
    return f"{value:.3g}" if abs(value) < 1e4 else NOT_HELD


def _share(value: float) -> str:
    if math.isnan(value):
        return NOT_REACHED
    return f"{100 * value:+z.0f}%" if value > -1e3 else NOT_HELD
