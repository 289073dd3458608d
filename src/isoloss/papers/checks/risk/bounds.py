"""The upper bound of Zhang et al. 2025, theorem 4.1, beside exact risks and a lower bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isoloss.linear import SGD, Regression, Tightness, bound_tightness, risk_bound, study
from isoloss.papers.checking import check
from isoloss.papers.checks.risk.points import ALL, READINGS, Reading, rounded
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn, exact
from isoloss.papers.laboratory import Laboratory

RESTS = ("exact risk", "risk bounds")
STEP_SIZE, LEVEL = 0.05, 0.01
#: At 0.05 the bound with additive noise says nothing from some 700 dimensions on.
SMALL_STEP = 0.02
NOISES = {"additive": "add", "shared factor": "vec"}
LABELS = ("steps", "bound / exact risk")


@check
def upper_bound(laboratory: Laboratory) -> Finding:
    """The bound over the exact risk in the 18 settings of the notes."""
    clean, used = bound_tightness(), bound_tightness(inputs="in use")
    ratios = [each.looseness for each in clean]
    found = {
        # A setting of full precision stands for both panels of the notes.
        "settings where it holds": float(sum(each.looseness >= 1 for each in clean)),
        "least bound over risk": min(ratios),
        "largest bound over risk": max(ratios),
        "settings where it holds, in use": float(sum(each.looseness >= 1 for each in used)),
    }
    says = (
        f"The bound is {min(ratios):.2f} to {max(ratios):.2f} times the exact clean risk in "
        f"{len(ratios)} settings, and {min(each.looseness for each in used):.2f} to "
        f"{max(each.looseness for each in used):.2f} times that in use."
    )
    rows = [
        {
            "x": each.steps, "y": each.looseness, "panel": reading,
            "series": f"d {each.dim}, eps {each.eps:g}",
        }
        for reading, some in zip(READINGS, (clean, used), strict=True)
        for each in some
    ]  # fmt: skip
    figure = drawn("upper bound", "How far above the exact risk?", rows, LABELS, says)
    return Finding(exact(found), says, RESTS, figure)


@check
def bound_without_errors(laboratory: Laboratory) -> Finding:
    """How far the bound at a vanishing level is off that of full precision."""
    problem, sgd = Regression(200), SGD(10_000, 1, STEP_SIZE)
    full = risk_bound(problem, sgd).upper
    found = {
        noise: risk_bound(problem, sgd, rounded(ALL, noise, 1e-9)).upper / full - 1
        for noise in NOISES
    }
    says = "At level 1e-9 the bound is off that of full precision by " + ", ".join(
        f"{value:.1e} ({name})" for name, value in found.items()
    )
    return Finding(exact(found), f"{says}.", RESTS)


@check
def tightness(laboratory: Laboratory) -> Finding:
    """How the bound over the exact risk varies with steps, and the upper over the lower bound."""
    asked = study("bounds")
    found: dict[str, float] = {}
    for panel, reading in zip(asked.panels, READINGS, strict=True):
        for noise in ("full precision", "additive", "shared factor"):
            if noise == "full precision" and reading != "clean":
                continue
            _, upper = asked.at(panel, f"{noise}, upper")
            _, lower = asked.at(panel, f"{noise}, lower")
            name = f"{noise}, {reading}"
            found[f"spread, {name}"] = float(upper.max() / upper.min())
            found[f"upper over lower, {name}"] = float((upper / lower).max())
    most = max(value for name, value in found.items() if name.startswith("upper"))
    says = (
        f"The upper bound is never more than {most:.1f} times the lower one; over the exact risk "
        f"it varies {found['spread, shared factor, clean']:.2f} times with a factor and "
        f"{found['spread, additive, clean']:.1f} times with additive noise, whose clean floor it "
        "counts at first order."
    )
    return Finding(exact(found), says, (*RESTS, "study 'bounds'"), asked)


@check
def bound_over_dimensions(laboratory: Laboratory) -> Finding:
    """How the bound over the exact risk grows from 50 to 800 dimensions."""
    dims = (50, 100, 200, 400, 800)
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for noise, spelled in NOISES.items():
        for reading in READINGS:
            each = _tight(dims, (1000,), spelled, reading)
            ratios = [one.looseness for one in each]
            found[f"{noise}, {reading}"] = ratios[-1] / ratios[0]
            rows += [
                {"x": dim, "y": y, "series": noise, "panel": reading}
                for dim, y in zip(dims, ratios, strict=True)
            ]
    says = "From d = 50 to 800 bound over exact risk grows " + ", ".join(
        f"{value:.2f} times ({name})" for name, value in found.items()
    )
    figure = drawn(
        "bound", "Is the bound looser in high dimension?", rows, ("dimension", LABELS[1]), says
    )
    return Finding(exact(found), f"{says}.", RESTS, figure)


def _tight(
    dims: Sequence[int], steps: Sequence[int], noise: str, reading: Reading
) -> list[Tightness]:
    return bound_tightness(
        dims, (LEVEL,), steps, noises=(noise,), step_size=SMALL_STEP,
        inputs=reading,
    )  # fmt: skip


@check
def bound_over_samples(laboratory: Laboratory) -> Finding:
    """What is left of the bound at 100 000 steps of its value at 100."""
    steps = (100, 1000, 10_000, 100_000)
    cases: dict[str, tuple[str, Reading]] = {"full precision": ("fp", "clean")}
    cases |= {
        f"{noise}, {reading}": (rounded(ALL, noise, LEVEL), reading)
        for noise in NOISES
        for reading in READINGS
    }
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for name, (precision, reading) in cases.items():
        bounds = [
            risk_bound(Regression(200), SGD(count, 1, STEP_SIZE), precision, reading).upper
            for count in steps
        ]
        found[name] = bounds[-1] / bounds[0]
        rows += [{"x": n, "y": y, "series": name} for n, y in zip(steps, bounds, strict=True)]
    says = "Of the bound at 100 steps there is left at 100 000 " + ", ".join(
        f"{value:.0%} ({name})" for name, value in found.items()
    )
    figure = drawn(
        "bound", "Does the bound improve with samples?", rows, ("steps", "upper bound"), says
    )
    return Finding(exact(found), f"{says}.", RESTS, figure)
