"""The parts of a fit's printed report, each a section made from the evidence that it shows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from isoloss.files import percent
from isoloss.fits.doubt import (
    Efficiencies,
    LackOfFit,
    Noise,
    ends_in_words,
    interval_in_words,
    loss_in_words,
)
from isoloss.fits.evidence.parts import Errors, Facts, HeldOut, Sensitivity
from isoloss.fits.paired_gaps import Gaps, GapScore, Slope
from isoloss.fits.sections import NOT_HELD, Section, number, signed
from isoloss.fits.solve import Objective
from isoloss.laws import Array, Constant, Law, is_gap_law
from isoloss.runs import compact, metric_of

Interval = tuple[float, float]


def what_of(law: Law) -> str:
    """What a law gives, in a word: "loss" or "gap"."""
    return "gap" if is_gap_law(law) else "loss"


def lines_of_facts(facts: Facts, held: int) -> Iterator[str]:
    """How many runs were fitted, held out and excluded, and where they come from."""
    yield (
        f"{facts.runs} runs"
        + (f" ({facts.runs - held} fitted, {held} held out)" if held else "")
        + (f" of {', '.join(facts.sources)}" if facts.sources else "")
    )
    for reason, count in facts.excluded.items():
        yield f"{count} excluded: {reason}"


def lines_of_misfit(
    noise: Noise | None, lack: LackOfFit | None, what: str = "loss"
) -> Iterator[str]:
    """Seed noise beside misfit, and the test for lack of fit, of a "loss" or a "gap"."""
    if noise is not None:
        beyond = f"{100 * noise.misfit:.2g}% (p = {noise.p_value:.2g})"
        if not np.isfinite(noise.misfit):
            beyond = "unknown: as many constants as cells"
        yield (
            f"seed noise {100 * noise.seed:.2g}% of the {what} ({noise.repeated_cells} repeated "
            f"cells), misfit beyond it {beyond}"
        )
    if lack is not None:
        yield (
            f"lack of fit: p = {lack.p_value:.2g} (curve of {100 * lack.size:.2g}% of the {what} "
            "in the residuals)"
        )


def constants_section(
    law: Law,
    absent: Collection[str],
    intervals: Mapping[str, Interval],
    correlations: Array,
    at_bound: Collection[str],
) -> Section:
    """Every constant with its interval, how it was held, and which are strongly correlated."""
    rows = []
    for k in law.constants:
        state, interval = f"= {law.ties[k.name]}" if k.name in law.ties else "", ("", "")
        if k.name in absent:
            state, interval = "not in the data", (NOT_HELD, NOT_HELD)
        elif k.name in law.fixed:
            state = "fixed"
        elif k.name in intervals:
            low, high = intervals[k.name]
            interval = ends_in_words((low, high), number)
            state = state or _how_held(k, low, high)
        if k.name in at_bound:
            state = "AT BOUND"
        rows.append((k.name, number(k.value, 5), *interval, k.unit, state, k.meaning))
    head = ("", "value", "low", "high", "unit", "", "meaning")
    lines = tuple(_correlated([k.name for k in law.free], correlations))
    return Section("Constants", lines, head, tuple(rows))


def _how_held(k: Constant, low: float, high: float) -> str:
    """A note where the runs do not hold a constant, or a bound cuts its interval."""
    if not np.isfinite([low, high]).all():
        return "NOT HELD"
    near = 1e-4 * (k.upper - k.lower) if k.scale == "linear" else 0.0
    cut = low <= max(k.lower + near, k.lower * (1 + 1e-3)) or high >= min(
        k.upper - near, k.upper * (1 - 1e-3)
    )
    return "to its bound" if cut else ""


def _correlated(names: list[str], correlations: Array) -> Iterator[str]:
    table = np.abs(np.triu(correlations, 1))
    pairs = zip(*np.nonzero(table > 0.95), strict=True)
    found = sorted(((table[i, j], names[i], names[j]) for i, j in pairs), reverse=True)
    if found:
        listed = ", ".join(
            f"{a}~{b} {correlations[names.index(a), names.index(b)]:.3f}" for _, a, b in found[:5]
        )
        more = f" and {len(found) - 5} more pairs" if len(found) > 5 else ""
        yield f"correlated: {listed}{more}"


def errors_section(fitted: Errors, held: HeldOut | None, what: str = "loss") -> Section:
    """Errors of the fitted runs, and of those held out."""
    kept = [] if held is None else [(f"held out: {held.rule}", held.errors)]
    rows = tuple(
        (
            name,
            str(e.rows),
            number(e.log_rmse),
            number(e.log_bias, 2),
            number(e.r2),
            "-" if e.covered is None else f"{100 * e.covered:.0f}%",
        )
        for name, e in [("fitted", fitted), *kept]
    )
    head = ("rows", "number", "rmse", "mean", "R2", "inside interval")
    return Section(f"Errors (log {what})", (), head, rows)


def held_out_sections(held: HeldOut | None, most: int = 10) -> list[Section]:
    """The held-out runs one by one, the worst predicted first."""
    if held is None:
        return []
    p = held.prediction
    error = p.loss / held.observed - 1
    inside = p.covers(held.observed)
    rows = tuple(
        (
            number(p.params[k], 3),
            number(p.tokens[k], 3),
            p.precision[k],
            f"{held.observed[k]:.4f}",
            f"{p.loss[k]:.4f}",
            f"{signed(100 * error[k], 2)}%",
            interval_in_words((p.low[k], p.high[k]), loss_in_words),
            "yes" if inside[k] else "NO" if p.low[k] == p.low[k] else NOT_HELD,
        )
        for k in np.argsort(-np.abs(error))[:most]
    )
    lines = (f"the {len(rows)} of {len(error)} that are furthest off",) if len(error) > most else ()
    interval = f"{percent(p.level)} interval"
    head = ("params", "tokens", "precision", "observed", "predicted", "error", interval, "inside")
    return [Section(f"Held-out runs ({held.rule})", lines, head, rows)]


def exponent_sections(
    law: Law,
    found: tuple[float, float, float],
    flop: float,
    withheld: str | None,
    group: str | None,
) -> list[Section]:
    """How params grow with compute; nothing of a law of gaps, which has no best size."""
    if is_gap_law(law):
        return []
    value = number(found[0], 3)
    said = interval_in_words(found[1:], lambda end: number(end, 3))
    if withheld is not None:
        # An exponent that the form sets has no interval, and none of no width.
        alone = f", {said}" if np.isfinite(found[1:]).all() and found[2] > found[1] else ""
        lines: tuple[str, ...] = (
            f"withheld: {withheld}",
            f"(the law alone would say {value}{alone})",
        )
    else:
        where = f" (group {group})" if group else ""
        lines = (
            f"params grow as compute to the power {value} ({said}) around "
            f"{flop:.2g} FLOPs (6 N D){where}",
        )
    return [Section("Compute-optimal exponent", lines)]


def sensitivity_sections(
    other: Sensitivity | None, law: Law, objective: Objective, exponent: float
) -> list[Section]:
    """The constants beside those under another objective."""
    if other is None:
        return []
    rows = [(k.name, number(k.value, 5), number(other.values[k.name], 5)) for k in law.free]
    if not is_gap_law(law):
        rows.append(("exponent of params", number(exponent, 4), number(other.exponent, 4)))
    head = ("", objective.said(what_of(law)), other.objective)
    return [Section("What changes with the objective", (), head, tuple(rows))]


def efficiencies_sections(e: Efficiencies | None, metric: str) -> list[Section]:
    """Efficiencies and their gaps, with the floor E held at several values."""
    if e is None:
        return []
    head = (
        "",
        *(f"E = {floor:g}" for floor in e.floors),
        *(f"gap at E = {floor:g}" for floor in e.floors),
    )
    rows = [
        (name, *(number(v) for v in e.values[name]), *(number(g, 3) for g in e.gaps[name]))
        for name in e.values
    ]
    lines = (
        "an efficiency means what its base makes it mean; the gap does not: "
        f"{metric_of(metric).unit} at {compact(e.params)} params, {compact(e.tokens)} tokens",
        "objective at each floor: " + ", ".join(number(v, 5) for v in e.objective),
    )
    return [Section("Efficiencies with the floor E held", lines, head, tuple(rows))]


def gaps_sections(
    g: Gaps | None, score: GapScore | None, metric: str, most: int = 24
) -> list[Section]:
    """Paired gaps by precision, how they grow, and how well the law predicts them."""
    if g is None:
        return []
    shown = sorted(g.levels, key=lambda x: -x.pairs)[:most]
    rows = tuple((x.precision, str(x.pairs), str(x.negative), number(x.mean, 3)) for x in shown)
    lines = [
        f"{g.pairs} pairs of runs that share all but precision; {g.negative} gaps are not positive",
        *_slopes(g),
    ]
    of = metric_of(metric)
    if score is not None:
        lines.append(
            f"this law misses the gaps by {of.amount(f'{score.nats:.3g}')} (root mean square of "
            f"all), and by a factor {score.factor:.2f} those {score.scored} of {score.pairs} that "
            "are positive in the runs and in the law"
        )
    if len(g.levels) > most:
        lines.append(
            f"the {most} precisions of most pairs are shown; {len(g.levels) - most} more are in "
            "fit.gaps.levels"
        )
    head = ("precision", "pairs", "not positive", f"mean gap, {of.unit}")
    return [Section("Paired gaps (no base law)", tuple(lines), head, rows)]


def _slopes(g: Gaps) -> Iterator[str]:
    if g.together is not None:
        yield (
            f"gap grows to the power {_slope(g.together)} with tokens and params together: tokens "
            "per param are nearly constant in the pairs, so the two exponents cannot be told apart"
        )
        return
    for name, slope in (("tokens", g.tokens), ("params", g.params)):
        if slope is None:
            yield f"no exponent in {name}: the pairs do not vary in it"
        else:
            yield f"gap grows as {name} to the power {_slope(slope)}"


def _slope(slope: Slope) -> str:
    if not slope.freedom:
        return f"{signed(slope.value, 3)} (too few cells of params and tokens for an error)"
    value, low, high = (signed(each, 3) for each in (slope.value, *slope.interval(0.9)))
    return f"{value} (90%: {low} to {high}, {slope.freedom} degrees of freedom)"
