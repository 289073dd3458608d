"""Risk against the size of the model: Zhang et al. 2026, the experiments as we read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isoloss.linear import SGD, Regression, Risk, excess_risks, first_coordinates, sample_risks
from isoloss.papers.checking import check
from isoloss.papers.checks.risk.points import EXACT, RISK, Point, Reading, rounded
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn, exact, slope
from isoloss.papers.laboratory import Laboratory

PROBLEM = Regression(20_000, 2.0, 0.25)
SIZES, STEPS, STEP_SIZE = (5, 10, 20, 40, 80, 160), 8000, 0.2
#: Levels of the noises on the data that are looked at.
LEVELS = {"additive": [0.001, 0.01], "shared factor": [0.01]}
FULL = "full precision"
REPLICATES = 64


def _at(size: int, sgd: SGD, precision: str) -> tuple[Point, float]:
    """The problem that a model of the first coordinates sees, and what it can never learn."""
    seen, missed = first_coordinates(PROBLEM, size)
    return (seen, sgd, precision), missed


def _risks(
    sizes: Sequence[int],
    sgd: SGD,
    precision: str,
    iterate: str = "average",
    inputs: Reading = "clean",
) -> list[float]:
    """Whole risks of models of several sizes."""
    points = [_at(size, sgd, precision) for size in sizes]
    found = excess_risks([point for point, _ in points], iterate, inputs)
    return [risk.value + missed for risk, (_, missed) in zip(found, points, strict=True)]


def _named(noises: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """Precisions by the name of noise and level, full precision first."""
    return {FULL: "fp"} | {
        f"{noise} {level:g}": rounded("d", noise, level)
        for noise, levels in noises.items()
        for level in levels
    }


@check
def risk_over_sizes(
    laboratory: Laboratory,
    iterate: str,
    schedule: str,
    noises: Mapping[str, Sequence[float]] | None = None,
) -> Finding:
    """Clean risks of models of 5 to 160 coordinates."""
    sgd = SGD(STEPS, 1, STEP_SIZE, schedule)
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for name, precision in _named(noises or LEVELS).items():
        for size, risk in zip(SIZES, _risks(SIZES, sgd, precision, iterate), strict=True):
            found[f"{name}, M {size}"] = risk
            rows.append({"x": size, "y": risk, "y_se": 0.0, "series": name})
    rows += _simulated(laboratory, sgd, iterate)
    says = (
        f"From M = 40 to 160 the risk falls from {found['full precision, M 40']:.4f} to "
        f"{found['full precision, M 160']:.4f} in full precision and from "
        f"{found['additive 0.01, M 40']:.4f} to {found['additive 0.01, M 160']:.4f} with additive "
        "noise 0.01."
    )
    question = f"How large is a model in effect? {STEPS} steps of {STEP_SIZE}, {iterate} iterate."
    rests = (*EXACT, f"{REPLICATES} simulated replicates, seed {laboratory.seed}")
    figure = drawn("sizes", question, rows, ("model size M", RISK), says)
    return Finding(exact(found), says, rests, figure)


def _simulated(laboratory: Laboratory, sgd: SGD, iterate: str) -> list[dict[str, Any]]:
    """Simulated dots at two sizes with additive noise, with their standard errors."""

    def make() -> list[Risk]:
        points = [_at(size, sgd, rounded("d", "additive", 0.01))[0] for size in (10, 40)]
        found = sample_risks(points, iterate, replicates=REPLICATES, seed=laboratory.seed)
        return [each.risk for each in found]

    risks = laboratory.once(("sizes simulated", sgd, iterate), make)
    return [
        {
            "x": size, "y": risk.value + _at(size, sgd, "fp")[1], "y_se": risk.standard_error,
            "series": "additive 0.01, simulated",
        }
        for size, risk in zip((10, 40), risks, strict=True)
    ]  # fmt: skip


@check
def risk_in_use_over_sizes(laboratory: Laboratory) -> Finding:
    """Risks with features rounded in use, additive noise 0.01."""
    sgd, precision = SGD(STEPS, 1, STEP_SIZE), rounded("d", "additive", 0.01)
    risks = dict(zip(SIZES, _risks(SIZES, sgd, precision, inputs="in use"), strict=True))
    found = {f"M {size}": risks[size] for size in (40, 160)}
    says = f"In use the risk rises from {found['M 40']:.4f} at M = 40 to {found['M 160']:.4f}."
    rows = [{"x": size, "y": risk, "series": "additive 0.01"} for size, risk in risks.items()]
    question = "Can adding parameters hurt? Features rounded in use."
    figure = drawn("sizes in use", question, rows, ("model size M", RISK), says)
    return Finding(exact(found), says, EXACT, figure)


@check
def slopes_over_samples(laboratory: Laboratory) -> Finding:
    """Slopes of the risk of 80 coordinates over a first and a last doubling of the samples."""
    samples = (500, 1000, 2000, 4000, 8000)
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for name, precision in _named({"shared factor": [0.01], "additive": [0.01]}).items():
        risks = [_risks([80], SGD(each, 1, STEP_SIZE), precision)[0] for each in samples]
        found[f"{name}, first"] = slope(samples[:2], risks[:2])
        found[f"{name}, last"] = slope(samples[-2:], risks[-2:])
        rows += [{"x": n, "y": y, "series": name} for n, y in zip(samples, risks, strict=True)]
    says = "Slopes: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    question = "How does the risk of 80 coordinates fall with samples?"
    figure = drawn("samples", question, rows, ("samples N", RISK), says)
    return Finding(exact(found), f"{says}.", EXACT, figure)


@check
def learning_slopes(laboratory: Laboratory) -> Finding:
    """Slopes in samples of bias and variance, less what no samples remove."""
    samples = (1000, 3000, 10_000, 30_000, 100_000)
    problem, _ = first_coordinates(PROBLEM, 2000)
    cases = {
        FULL: "fp",
        "shared factor 0.01": rounded("d", "shared factor", 0.01),
        "additive 1e-5": rounded("d", "additive", 1e-5),
        "additive 0.01": rounded("d", "additive", 0.01),
    }
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for name, precision in cases.items():
        points = [(problem, SGD(each, 1, 0.05), precision) for each in samples]
        risks = excess_risks(points)
        left = [each.value - each.parts.asymptotic_bias for each in risks]
        found[name] = slope(samples, left)
        rows += [{"x": n, "y": y, "series": name} for n, y in zip(samples, left, strict=True)]
    says = "Slopes: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    question = "How does what is still to be learnt fall with samples? 2000 coordinates."
    labels = ("samples N", "risk less approximation and floor")
    return Finding(exact(found), f"{says}.", EXACT, drawn("learning", question, rows, labels, says))
