"""The parts of a comparison's printed report: ranking, average, residuals, warnings of the fits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.files import percent
from isoloss.fits.compare_laws.ranking import Entry
from isoloss.fits.doubt import ends_in_words, interval_in_words
from isoloss.fits.identify import SHARE
from isoloss.fits.sample import left_out_in_words
from isoloss.fits.sections import NOT_HELD, Section, number, signed

HEAD = (
    "law",
    "held-out rmse",
    "low",
    "high",
    "wins",
    "weight",
    "+-",
    "fitted rmse",
    "AICc",
    "gaps rmse",
    "a",
    "misses most",
)


def ranking_section(entries: Sequence[Entry], rules: Sequence[str]) -> Section:
    """The laws by held-out error."""
    best = entries[0].fit
    least = min(e.aicc for e in entries)
    line = (
        f"held out: {', '.join(rules)}; objective: {best.objective}; a is the compute-optimal "
        "exponent of params; +- is the standard error of a weight"
    )
    title = f"{len(entries)} laws on {best.facts.runs} runs, ranked by held-out error"
    lines = (line, *left_out_in_words(best.facts.excluded), *_one_form(entries))
    return Section(title, lines, HEAD, tuple(_row(e, least) for e in entries))


def average_section(
    entries: Sequence[Entry], exponent: tuple[float, float, float], level: float
) -> Section:
    """The averaged exponent in words, withheld where no law of weight stands for its own."""
    value = number(exponent[0], 3)
    ends = interval_in_words(exponent[1:], lambda end: number(end, 3))
    found = f"{value} ({ends}, {percent(level)})"
    names, share = _resting_on(entries)
    why = withheld_of(entries, exponent)
    if why is None:
        said = found if share > 1 - 1e-9 else f"{found}, of {names}"
    elif np.isnan(exponent[0]):
        said = f"withheld: {why}"
    else:
        said = f"withheld: {why}; they would say {value if np.isinf(exponent[1]) else found}"
    line = f"compute-optimal exponent of params {said}"
    return Section("Average over laws by weight", (line, *_against_rank(entries)))


def finds_exponent(entries: Sequence[Entry]) -> list[Entry]:
    """The laws of weight that find an exponent of params: not set by their form, and finite."""
    found = [e for e in entries if np.isfinite(e.fit.exponent[0]) and not e.fit.exponent_by_form]
    return [e for e in found if e.weight >= 0.05]


def _resting_on(entries: Sequence[Entry]) -> tuple[str, float]:
    """The laws that an averaged exponent is made of, in words, and their share of the weight."""
    found = finds_exponent(entries)
    share = sum(e.weight for e in found) / sum(e.weight for e in entries)
    names = f"{'law' if len(found) == 1 else 'laws'} {', '.join(e.fit.law.name for e in found)}"
    return f"{names}, {100 * share:.0f}% of the weight", share


def withheld_of(entries: Sequence[Entry], exponent: tuple[float, float, float]) -> str | None:
    """Reason not to use the averaged exponent, or None."""
    if np.isnan(exponent[0]):
        return "no law of weight finds one, they set it by their form or have none"
    if np.isinf(exponent[1]):
        return "the runs do not tell it to laws of half the weight"
    names, share = _resting_on(entries)
    if share < SHARE:
        return f"it rests on {names}; the others set it by their form or have none"
    if all(e.fit.withheld is not None for e in entries if e.weight > 0):
        return "every law of weight withholds its own"
    return None


def _one_form(entries: Sequence[Entry]) -> list[str]:
    """Laws that are one form on these runs, a line each form."""
    forms = dict.fromkeys(
        tuple(sorted((e.fit.law.name, *e.same_form))) for e in entries if e.same_form
    )
    return [
        f"one form on these runs, fitted and counted once: {', '.join(names)} share a weight of "
        f"{sum(e.weight for e in entries if e.fit.law.name in names):.2f}"
        for names in forms
    ]


def _against_rank(entries: Sequence[Entry]) -> list[str]:
    """A line where the law of most weight is not the one that errs least on unseen runs."""
    first, heavy = entries[0], max(entries, key=lambda e: e.weight * (1 + len(e.same_form)))
    if heavy.held_out_rmse <= first.held_out_rmse:
        return []
    better = first.aicc - heavy.aicc
    why = (
        f"the runs are too few for the constants of {first.fit.law.name}, which has no AICc"
        if np.isinf(first.aicc) and np.isfinite(heavy.aicc)
        else f"fitted runs speak for it (AICc {better:.1f} lower)"
        if better > 2
        else "more sizes of held-out runs speak for it, the single largest errors against"
    )
    return [
        f"weights contradict ranks: {' and '.join((heavy.fit.law.name, *heavy.same_form))} "
        f"{'have together' if heavy.same_form else 'has'} the most weight, and "
        f"{number(100 * heavy.held_out_rmse, 3)}% of held-out error, {first.fit.law.name} "
        f"{number(100 * first.held_out_rmse, 3)}%; {why}"
    ]


def residual_sections(entries: Sequence[Entry], most: int = 8) -> list[Section]:
    """Mean residual of each law at the precisions where laws differ most: why a law ranks low."""
    means = [e.fit.points.mean_residuals for e in entries]
    levels = sorted(means[0], key=lambda name: -max(abs(m.get(name, 0.0)) for m in means))[:most]
    if len(means[0]) < 2:
        return []
    rows = tuple(
        (name, *(signed(100 * m[name], 2) if name in m else "-" for m in means)) for name in levels
    )
    head = ("precision", *(e.fit.law.name for e in entries))
    title = "Mean residual by precision, % of the loss (predicted less observed)"
    return [Section(title, (), head, rows)]


def warnings_of_laws(entries: Sequence[Entry]) -> list[str]:
    """Warnings of the single fits, one line for laws that share a sentence."""
    said: dict[str, list[str]] = {}
    for e in entries:
        for warning in e.fit.warnings:
            said.setdefault(str(warning), []).append(e.fit.law.name)
    return [
        f"{', '.join(names) if len(names) < len(entries) else 'every law'}: {text}"
        for text, names in said.items()
    ]


def _row(e: Entry, least: float) -> tuple[str, ...]:
    return (
        e.fit.law.name,
        number(e.held_out_rmse),
        *ends_in_words((e.low, e.high), lambda end: number(end, 3)),
        f"{100 * e.win_rate:.0f}%",
        f"{e.weight:.2f}",
        NOT_HELD if np.isnan(e.weight_error) else f"{e.weight_error:.2f}",
        number(e.fit.fitted.log_rmse),
        f"+{e.aicc - least:.1f}" if np.isfinite(e.aicc) else "few runs",
        number(None if e.fit.gap_score is None else e.fit.gap_score.nats, 3),
        number(e.fit.exponent[0], 3),
        e.misses,
    )
