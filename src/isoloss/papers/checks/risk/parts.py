"""What the errors of each part do: Zhang et al. 2025, theorems 4.1 and 4.2."""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.linear import SGD, Regression, excess_risk, excess_risks
from isoloss.papers.checking import check
from isoloss.papers.checks.risk.points import EXACT, GAP, NOISES, PARTS, gaps, rounded
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn, exact, slope
from isoloss.papers.laboratory import Laboratory

PROBLEM, SHORT = Regression(200), SGD(3000, 1, 0.1)
BOTH = ("additive", "shared factor")
#: A step size that noise of level 0.3 on all parts leaves stable.
SMALL = SGD(3000, 1, 0.01)
#: Levels whose floors have a slope, in many dimensions and in few.
LEVELS, FEW = (1e-5, 1e-4, 1e-3), 20


@check
def moved_optimum(laboratory: Laboratory) -> Finding:
    """Bias over that of full precision, and what data errors leave over that of their optimum."""
    lam, level = PROBLEM.lam, 0.01
    full = excess_risk(PROBLEM, SHORT).parts.bias
    found: dict[str, float] = {}
    for noise in BOTH:
        for part in ("parameter", "activations", "output gradients"):
            risk = excess_risk(PROBLEM, SHORT, rounded(PARTS[part], noise, level))
            found[f"bias over full precision, {part}, {noise}"] = risk.parts.bias / full
        lifted = lam + level if noise == "additive" else lam * (1 + level)
        known = 0.5 * float(np.sum(lam * (1 - lam / lifted) ** 2))
        lasting = excess_risk(PROBLEM, SHORT, rounded("d", noise, level)).parts.asymptotic_bias
        found[f"lasting bias, data, {noise}"] = lasting / known
    off = max(abs(value - 1) for value in found.values())
    says = f"Biases are those that the theory says, to {off:.0e}."
    return Finding(exact(found), says, EXACT)


@check
def gap_of_parts(laboratory: Laboratory) -> Finding:
    """What level 0.01 on one part adds to the clean risk."""
    names = [(part, noise) for noise in BOTH for part in PARTS]
    costs = gaps([(PROBLEM, SHORT, rounded(PARTS[part], noise, 0.01)) for part, noise in names])
    found = {f"{part}, {noise}": cost for (part, noise), cost in zip(names, costs, strict=True)}
    others = max(value for name, value in found.items() if not name.startswith("data"))
    says = (
        f"Data errors cost {found['data, additive']:.4f} (additive) and "
        f"{found['data, shared factor']:.4f} (factor), any other part at most {others:.6f}."
    )
    rows = [
        {"x": 1 + list(PARTS).index(part), "y": cost, "series": noise}
        for (part, noise), cost in zip(names, costs, strict=True)
    ]
    question = f"Which part costs most? From left: {', '.join(PARTS)}."
    return Finding(exact(found), says, EXACT, drawn("parts", question, rows, ("part", GAP), says))


@check
def sum_of_parts(laboratory: Laboratory) -> Finding:
    """What errors of all parts add over the sum of what each adds."""
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for noise in BOTH:
        for level in (0.01, 0.3):
            spelled = [*PARTS.values(), "".join(PARTS.values())]
            points = [(PROBLEM, SMALL, rounded(parts, noise, level)) for parts in spelled]
            *each, together = gaps(points)
            found[f"all over the sum, {noise} {level:g}"] = together / sum(each)
            rows.append({"x": level, "y": together, "series": "all together", "panel": noise})
            rows.append({"x": level, "y": sum(each), "series": "sum of each", "panel": noise})
    says = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    figure = drawn("sum", "Do errors of parts add up?", rows, ("level", GAP), says)
    return Finding(exact(found), f"{says}.", EXACT, figure)


@check
def floor_slopes(laboratory: Laboratory) -> Finding:
    """Slopes in the level of what data errors leave however long one trains."""
    many = 10**6
    cases = {
        "shared factor": (Regression(many), LEVELS),
        "additive, a 2, many dimensions": (Regression(many, 2.0), LEVELS),
        "additive, a 1.5, many dimensions": (Regression(many, 1.5), LEVELS),
        "additive, a 2, few dimensions": (Regression(FEW, 2.0), (1e-7, 1e-6, 1e-5)),
    }
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for name, (problem, levels) in cases.items():
        noise = NOISES[name.split(",")[0]]
        for reading in ("clean", "in use"):
            points = [(problem, SGD(1, 1, "0.1 limit"), f"d:{noise}({each!r})") for each in levels]
            risks = excess_risks(points, inputs=reading)
            floors = [each.parts.floor + each.parts.asymptotic_bias for each in risks]
            found[f"{name}, {reading}"] = slope(levels, floors)
            rows += [
                {"x": x, "y": y, "series": name, "panel": reading}
                for x, y in zip(levels, floors, strict=True)
            ]
    says = "Slopes: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    question = "What do data errors leave however long one trains?"
    figure = drawn("floors", question, rows, ("level of the noise", "risk that is left"), says)
    return Finding(exact(found), f"{says}.", EXACT, figure)
