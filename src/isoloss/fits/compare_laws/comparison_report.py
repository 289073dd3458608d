"""What a comparison says when it is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoloss.fits.report import Section, number

if TYPE_CHECKING:
    from isoloss.fits.compare_laws.comparison import Comparison
    from isoloss.fits.compare_laws.ranking import Entry
    from isoloss.fits.result import Fit

HEAD = (
    "law",
    "held-out rmse",
    "low",
    "high",
    "wins",
    "weight",
    "fitted rmse",
    "AICc",
    "gaps rmse",
    "a",
    "misses most",
)


def mean_residuals(fit: Fit) -> dict[str, float]:
    """The mean log residual of every precision, in the order of the runs."""
    names = np.array(fit.points.precision)
    return {
        str(name): float(fit.points.residual[names == name].mean())
        for name in dict.fromkeys(fit.points.precision)
    }


def sections(comparison: Comparison) -> list[Section]:
    """The ranking, the average, what could not be compared, and the warnings."""
    least = min(e.aicc for e in comparison.entries)
    out = [
        Section(
            f"{len(comparison.entries)} laws on {comparison.best.facts.runs} runs, ranked by held-out error",
            (
                f"held out: {', '.join(comparison.rules)}; objective: {comparison.best.objective}; a is the compute-optimal exponent of params",
            ),
            HEAD,
            tuple(_row(e, least) for e in comparison.entries),
        ),
        Section("Average over laws by weight", (_average(comparison),)),
    ]
    out += _residuals(comparison)
    if comparison.refused:
        out.append(
            Section(
                "Not defined on these runs",
                tuple(f"{k}: {v}" for k, v in comparison.refused.items()),
            )
        )
    out.append(
        Section(
            "Warnings", (*(str(c) for c in comparison.cautions), *_own(comparison)) or ("none",)
        )
    )
    return out


def _average(comparison: Comparison) -> str:
    """The averaged exponent in words, withheld where no law of weight stands for its own."""
    value, low, high = comparison.exponent()
    if np.isnan(value):
        return "compute-optimal exponent of params withheld: no law of weight finds one, they set it by their form or have none"
    said = (
        f"{number(value, 3)} ({number(low, 3)} to {number(high, 3)}, {100 * comparison.level:.0f}%)"
    )
    if all(e.fit.withheld is not None for e in comparison.entries if e.weight > 0):
        return f"compute-optimal exponent of params withheld: every law of weight withholds its own; they would say {said}"
    return f"compute-optimal exponent of params {said}"


def _residuals(comparison: Comparison, most: int = 8) -> list[Section]:
    """Mean residual of each law at the precisions where laws differ most: why a law ranks low."""
    means = [mean_residuals(e.fit) for e in comparison.entries]
    levels = sorted(means[0], key=lambda name: -max(abs(m.get(name, 0.0)) for m in means))[:most]
    if len(means[0]) < 2:
        return []
    rows = tuple(
        (name, *(f"{100 * m[name]:+.2f}" if name in m else "-" for m in means)) for name in levels
    )
    head = ("precision", *(e.fit.law.name for e in comparison.entries))
    return [
        Section(
            "Mean residual by precision, % of the loss (predicted less observed)", (), head, rows
        )
    ]


def _own(comparison: Comparison) -> list[str]:
    """Warnings of the single fits, one line for laws that share a sentence."""
    said: dict[str, list[str]] = {}
    for e in comparison.entries:
        for c in e.fit.cautions:
            said.setdefault(str(c), []).append(e.fit.law.name)
    return [
        f"{', '.join(names) if len(names) < len(comparison.entries) else 'every law'}: {text}"
        for text, names in said.items()
    ]


def _row(e: Entry, least: float) -> tuple[str, ...]:
    return (
        e.fit.law.name,
        number(e.held_out_rmse),
        number(e.low, 3),
        number(e.high, 3),
        f"{100 * e.win_rate:.0f}%",
        f"{e.weight:.2f}",
        number(e.fit.fitted.log_rmse),
        f"+{e.aicc - least:.1f}",
        number(None if e.fit.gap_score is None else e.fit.gap_score.nats, 3),
        number(e.fit.exponent[0], 3),
        e.misses,
    )
