"""Risk against samples at several levels and dimensions: Zhang et al. 2025, figure 1."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

from isoloss.linear import SGD, Regression, sample_risks
from isoloss.papers.checking import check
from isoloss.papers.checks.risk.points import ALL, EXACT, READINGS, RISK, Point, rounded, values
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn, exact
from isoloss.papers.laboratory import Laboratory

SAMPLES = (100, 300, 1000, 3000, 10_000)
#: Where the figure has simulated dots, and of how many replicates.
SIMULATED, REPLICATES = (100, 1000), 64
STEP_SIZE = 0.1
FULL = "full precision"
LEVELS = (0.001, 0.005, 0.01)
QUESTION = (
    "How does rounding change the risk as samples grow? All five quantisers, eigenvalues i^-2, "
    f"w* = 1, noise variance 1, batch 1, step {STEP_SIZE}, average of all iterates, clean inputs."
)


@check
def risk_over_samples(
    laboratory: Laboratory, noise: Sequence[str], eps: Sequence[float], dims: Sequence[int]
) -> Finding:
    """Exact clean risks of the settings of figure 1; 200 dimensions only at one level of several,
    and full precision in several dimensions only at the most samples.
    """
    lines: dict[tuple[str, float, int], tuple[int, ...]]
    lines = dict.fromkeys(product(noise, eps, dims), SAMPLES)
    several = len(dims) > 1
    if several:
        lines = {key: count for key, count in lines.items() if key[2] != 200}
    lines |= {(FULL, 0.0, dim): SAMPLES[-1:] if several else SAMPLES for dim in dims}
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for (name, level, dim), samples in lines.items():
        label = f"{name} {level:g}" if level else name
        series = (f"d {dim}" if level else f"{name}, d {dim}") if several else f"eps {level:g}"
        # Full precision stands in the panel of every noise.
        panels = [name] if level else list(noise)
        for count, risk in zip(samples, values(_points(name, level, dim, samples)), strict=True):
            found[f"{label}, d {dim}, N {count}"] = risk
            place = {"x": count, "y": risk, "series": series, "y_se": 0.0}
            rows += [{**place, "panel": each} for each in panels]
    rows += _simulated(laboratory, noise, max(eps), max(dims))
    worst = max(noise, key=lambda each: found[f"{each} {max(eps):g}, d {dims[0]}, N {SAMPLES[-1]}"])
    says = (
        f"After {SAMPLES[-1]} samples {worst} {max(eps):g} has a risk of "
        f"{found[f'{worst} {max(eps):g}, d {dims[0]}, N {SAMPLES[-1]}']:.4f} at d = {dims[0]}, "
        f"full precision {found[f'{FULL}, d {dims[0]}, N {SAMPLES[-1]}']:.4f}."
    )
    figure = drawn("figure 1", QUESTION, rows, ("samples", RISK), says)
    return Finding(exact(found), says, (*EXACT, f"{REPLICATES} simulated replicates"), figure)


def _points(noise: str, level: float, dim: int, samples: Sequence[int]) -> list[Point]:
    precision = rounded(ALL, noise, level) if level else "fp"
    return [(Regression(dim), SGD(count, 1, STEP_SIZE), precision) for count in samples]


def _simulated(
    laboratory: Laboratory, noise: Sequence[str], level: float, dim: int
) -> list[dict[str, Any]]:
    """Simulated dots with their standard errors."""

    def make() -> list[dict[str, Any]]:
        rows = []
        for name in noise:
            points = _points(name, level, dim, SIMULATED)
            drawings = sample_risks(points, replicates=REPLICATES, seed=laboratory.seed)
            for count, each in zip(SIMULATED, drawings, strict=True):
                rows.append(
                    {
                        "x": count,
                        "y": each.risk.value,
                        "y_se": each.risk.standard_error,
                        "series": f"eps {level:g}, d {dim}, simulated",
                        "panel": name,
                    }
                )
        return rows

    return laboratory.once(("figure 1 simulated", *noise, level, dim), make)


@check
def shapes_over_samples(laboratory: Laboratory) -> Finding:
    """Ratios of the curves of figure 1, clean and with features rounded in use."""
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for reading in READINGS:
        curves = {
            (name, level): values(_points(name, level, 200, SAMPLES), inputs=reading)
            for name, level in product(("additive", "shared factor"), (0.0, *LEVELS))
        }
        full = curves["additive", 0.0]
        factors = [curves["shared factor", level] for level in LEVELS]
        ratio = max(y / f for curve in factors for y, f in zip(curve, full, strict=True))
        added = [curves["additive", level] for level in (0.0, *LEVELS)]
        ends = [curve[-1] for curve in added]
        steps = [b / a for curve in curves.values() for a, b in pairwise(curve)]
        found |= {
            f"shared factor over full precision at most, {reading}": ratio,
            f"additive, least step up from level to level, {reading}": min(
                b / a for a, b in pairwise(ends)
            ),
            f"largest step from samples to samples, {reading}": max(steps),
        }
        rows += [
            {"x": n, "y": y, "series": f"{name} {level:g}", "panel": reading}
            for (name, level), curve in curves.items()
            for n, y in zip(SAMPLES, curve, strict=True)
        ]
    clean, used = (found[f"shared factor over full precision at most, {r}"] for r in READINGS)
    says = (
        f"A factor costs up to {clean - 1:.1%} of the risk on clean inputs and {used - 1:.0%} with "
        "features rounded in use, which leave a floor of first order in the level."
    )
    return Finding(
        exact(found), says, EXACT, drawn("shapes", QUESTION, rows, ("samples", RISK), says)
    )
