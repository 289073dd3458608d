"""Risk against the dimension at fixed samples: Zhang et al. 2025, corollary 4.3 and theorem 4.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import Any

from isoloss.linear import (
    SGD,
    Regression,
    Scales,
    excess_risk,
    excess_risks,
    stability_limit,
    study,
)
from isoloss.papers.checking import check
from isoloss.papers.checks.risk.points import (
    ALL,
    EXACT,
    GAP,
    READINGS,
    REPLICATES,
    Reading,
    gaps,
    rounded,
    simulated_gaps,
)
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn, exact
from isoloss.papers.laboratory import Laboratory

DIMS = (50, 100, 200, 400, 800)
LEVEL = 0.01
SHORT = SGD(1000, 1, 0.1)
MANY = (1000, 10_000, 100_000, 200_000, 300_000)
LONG, FINE = SGD(10_000, 1, 0.05), 1e-4
#: What rounds data up to many dimensions: additive noise, one factor, integers of the same noise.
WAYS = {
    "additive": (rounded("d", "additive", FINE), Scales()),
    "shared factor": (rounded("d", "shared factor", 0.02), Scales()),
    "stochastic integers": ("d:int16~sr", Scales(d=sqrt(6 * FINE))),
}
FLOATS = {
    "stochastic floats of 8 exponent bits": "d:e8m3~sr",
    "stochastic e4m3": "d:e4m3~sr",
}


@check
def gap_over_dimensions(laboratory: Laboratory) -> Finding:
    """What ideal noise on all parts adds to the risk in 50 to 800 dimensions."""
    found = {
        f"{noise}, {reading}, d {dim}": value
        for noise in ("additive", "shared factor")
        for reading in READINGS
        for dim, value in zip(DIMS, _ideal(noise, reading), strict=True)
    }
    says = "; ".join(
        f"{noise} {reading} {found[f'{noise}, {reading}, d 50']:.4f} at d = 50, "
        f"{found[f'{noise}, {reading}, d 800']:.4f} at 800"
        for noise in ("additive", "shared factor")
        for reading in READINGS
    )
    rests = (*EXACT, f"{REPLICATES} simulated replicates, seed {laboratory.seed}")
    figure = _figure(found, says, GAP, _simulated(laboratory))
    return Finding(exact(found), f"{says}.", rests, figure)


def _simulated(laboratory: Laboratory) -> list[dict[str, Any]]:
    """Simulated gaps at two dimensions, with their standard errors."""
    rows = []
    for noise in ("additive", "shared factor"):
        for reading in READINGS:
            points = [(Regression(d), SHORT, rounded(ALL, noise, LEVEL)) for d in (50, 200)]
            found = simulated_gaps(laboratory, points, reading)
            rows += [
                {
                    "x": problem.dim, "y": each.value, "y_se": each.standard_error,
                    "series": f"{noise}, simulated", "panel": reading,
                }
                for (problem, _, _), each in zip(points, found, strict=True)
            ]  # fmt: skip
    return rows


def _ideal(noise: str, reading: Reading) -> list[float]:
    return gaps([(Regression(d), SHORT, rounded(ALL, noise, LEVEL)) for d in DIMS], inputs=reading)


@check
def risk_to_many_dimensions(laboratory: Laboratory) -> Finding:
    """Twice the risk of data rounded in 1000 to 300 000 dimensions, clean and in the norm that the
    papers bound, with the largest stable step size and twice the risk at a tenth of it.
    """
    full = excess_risks([(Regression(d), LONG, "fp") for d in MANY])
    found = {f"full precision, d {d}": 2 * r.value for d, r in zip(MANY, full, strict=True)}
    for name, (precision, scales) in WAYS.items():
        points = [(Regression(d), LONG, precision) for d in MANY]
        clean = [2 * each.value for each in excess_risks(points, scales=scales)]
        used = excess_risks(points, inputs="in use", scales=scales)
        norms = [2 * (each.parts.quantised_norm or 0.0) for each in used]
        found |= {f"{name}, clean, d {d}": y for d, y in zip(MANY, clean, strict=True)}
        found |= {f"{name}, in use, d {d}": y for d, y in zip(MANY, norms, strict=True)}
        if name != "shared factor":
            found |= _limits(name, precision, scales)
    says = (
        f"From d = 100 000 to 300 000 additive noise goes from "
        f"{found['additive, in use, d 100000']:.4f} to {found['additive, in use, d 300000']:.4f} "
        f"in use and from {found['additive, clean, d 100000']:.4f} to "
        f"{found['additive, clean, d 300000']:.4f} clean; real integers stay at "
        f"{found['stochastic integers, in use, d 300000']:.4f}."
    )
    shown = {name: value for name, value in found.items() if "largest" not in name}
    return Finding(exact(found), says, EXACT, _figure(shown, says, "twice the excess risk"))


def _limits(name: str, precision: str, scales: Scales) -> dict[str, float]:
    """The largest stable step sizes, and twice the clean risk at a tenth of them."""
    found = {}
    for dim in MANY:
        problem = Regression(dim)
        limit = stability_limit(problem, LONG, precision, scales)
        found[f"{name}, largest step, d {dim}"] = limit
        risk = excess_risk(problem, replace(LONG, step_size=limit / 10), precision, scales=scales)
        found[f"{name}, at a tenth of it, d {dim}"] = 2 * risk.value
    return found


@check
def additive_growth(laboratory: Laboratory) -> Finding:
    """How what additive noise and integers add to the risk grows with the dimension."""
    scales = Scales(d=sqrt(6 * LEVEL))
    curves = {f"additive, {reading}": _ideal("additive", reading) for reading in READINGS}
    points = [(Regression(d), SHORT, "d:int16~sr") for d in DIMS]
    curves["stochastic integers, in use"] = gaps(points, inputs="in use", scales=scales)
    found = {f"growth, {name}": curve[-1] / curve[0] for name, curve in curves.items()}
    for name, curve in curves.items():
        found[f"doubling, {name}"] = (curve[-1] - curve[-2]) / (curve[-2] - curve[-3])
    says = ", ".join(f"{found[f'growth, {name}']:.2f} times for {name}" for name in curves)
    says = f"From d = 50 to 800 what rounding adds grows {says}."
    return Finding(exact(found), says, EXACT, _figure(_points(curves), says, GAP))


@check
def multiplicative_growth(laboratory: Laboratory) -> Finding:
    """How what factors and floats add to the risk grows with the dimension."""
    curves = {f"shared factor, {reading}": _ideal("shared factor", reading) for reading in READINGS}
    curves["factor by element, in use"] = _ideal("factor by element", "in use")
    curves |= {
        f"{name}, in use": gaps([(Regression(d), SHORT, each) for d in DIMS], inputs="in use")
        for name, each in FLOATS.items()
    }
    found = {f"growth, {name}": curve[-1] / curve[0] for name, curve in curves.items()}
    says = ", ".join(f"{found[f'growth, {name}']:.3f} times for {name}" for name in curves)
    says = f"From d = 50 to 800 what rounding adds grows {says}."
    return Finding(exact(found), says, EXACT, _figure(_points(curves), says, GAP))


def _points(curves: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {
        f"{name}, d {dim}": value
        for name, curve in curves.items()
        for dim, value in zip(DIMS, curve, strict=True)
    }


def _figure(
    found: Mapping[str, float], says: str, label: str, more: Sequence[dict[str, Any]] = ()
) -> Any:
    """Lines of figures that are called 'series, d 100', and more rows."""
    rows = list(more)
    for name, value in found.items():
        series, _, dim = name.rpartition(", d ")
        panel = "in use" if "in use" in series else "clean"
        series = series.removesuffix(", clean").removesuffix(", in use")
        rows.append({"x": int(dim), "y": value, "y_se": 0.0, "series": series, "panel": panel})
    question = "At fixed samples, does the risk grow with the dimension?"
    return drawn("dimension", question, rows, ("dimension", label), says)


@check
def converging_training(laboratory: Laboratory) -> Finding:
    """How much clean risk and risk in use grow from 100 to 18 000 dimensions."""
    asked = study("divergence", dim=(100, 1000, 18_000), batch=(1, 16))
    found = {}
    for name, batch in (
        ("additive noise", 1), ("additive noise", 16), ("real integers, stochastic", 1),
    ):  # fmt: skip
        for reading, words in (("clean", "clean inputs"), ("in use", "features rounded in use")):
            _, risks = asked.at(f"batch {batch}", _series(asked, name, words, reading))
            found[f"{reading}, {name}, batch {batch}"] = risks[-1] / risks[0]
    says = (
        f"From d = 100 to 18 000 additive noise at batch 1 takes the clean risk "
        f"{found['clean, additive noise, batch 1']:.2f} times up and that in use "
        f"{found['in use, additive noise, batch 1']:.2f} times, at batch 16 "
        f"{found['in use, additive noise, batch 16']:.2f} times; real integers at batch 1 "
        f"{found['in use, real integers, stochastic, batch 1']:.2f} times."
    )
    return Finding(exact(found), says, (*EXACT, "study 'divergence'"), asked)


def _series(asked: Any, name: str, *endings: str) -> str:
    known = set(asked.table[asked.series])
    return next(f"{name}, {each}" for each in endings if f"{name}, {each}" in known)
