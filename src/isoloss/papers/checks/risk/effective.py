"""Effective model size, effective samples and additive error: Zhang et al. 2026."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.linear import (
    SGD,
    EffectiveSizes,
    Regression,
    Risk,
    effective_sizes,
    excess_risk,
    excess_risks,
    first_coordinates,
)
from isoloss.papers.checking import check
from isoloss.papers.checks.risk.points import EXACT, READINGS, Reading, rounded
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.findings import drawn, exact, slope
from isoloss.papers.laboratory import Laboratory

Array = NDArray[np.float64]
PROBLEM, SGD_ = Regression(2000, 2.0, 0.25), SGD(8000, 1, 0.2)
LEVEL = 0.01
BOTH = ("additive", "shared factor")
#: Rows of the sketches whose last doubling is measured, and how many sketches.
ROWS, SKETCHES = (512, 1024), 6


def _sizes(precision: str, inputs: Reading = "clean", **more: Any) -> EffectiveSizes:
    return effective_sizes(PROBLEM, SGD_, precision, inputs=inputs, **({"size": 80} | more))


@check
def effective_data(laboratory: Laboratory) -> Finding:
    """Additive errors and effective samples of noise on the data."""
    found: dict[str, float] = {}
    for noise in BOTH:
        precision = rounded("d", noise, LEVEL)
        for reading in READINGS:
            each = _sizes(precision, reading)
            found[f"error, {noise}, {reading}"] = each.additive_error
        found[f"samples, {noise}"] = each.samples / each.nominal_samples
    says = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
    return Finding(exact(found), f"{says}.", (*EXACT, "effective sizes"))


@check
def effective_data_of_parts(laboratory: Laboratory) -> Finding:
    """Effective samples and size of noise on parameter, activations and gradients."""
    found: dict[str, float] = {}
    for noise in BOTH:
        each = _sizes(rounded("wag", noise, 0.1))
        found[f"samples, {noise}"] = each.samples / each.nominal_samples
        found[f"size, {noise}"] = each.model_size / each.nominal_size
    says = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
    return Finding(exact(found), f"{says} of the nominal ones.", (*EXACT, "effective sizes"))


@check
def multiplicative_model_size(laboratory: Laboratory) -> Finding:
    """Effective over nominal model size with factors on the data."""
    element = f"d:coord({LEVEL})"
    cases = {
        "shared factor": _sizes(f"d:vec({LEVEL})"),
        "factor by element, plain coordinates": _sizes(element),
        "factor by element, sketch": _sizes(element, model="sketch"),
    }
    found = {name: each.model_size / each.nominal_size for name, each in cases.items()}
    says = "M_eff / M: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    return Finding(exact(found), f"{says}.", (*EXACT, "effective sizes"))


@check
def additive_model_size(laboratory: Laboratory) -> Finding:
    """Effective model size with additive noise over its closed form and over M."""
    found: dict[str, float] = {}
    said, rows = [], []
    for level in (0.01, 0.001):
        each = _sizes(rounded("d", "additive", level), size=200)
        found[f"additive {level:g} over closed form"] = each.model_size / each.closed_size
        found[f"additive {level:g} over M"] = each.model_size / each.nominal_size
        said.append(f"{each.model_size:.1f} of 200 at {level:g} (closed {each.closed_size:.1f})")
        rows += [
            {"x": level, "y": each.model_size, "series": "exact"},
            {"x": level, "y": each.closed_size, "series": "c eps^(-1/a)"},
        ]
    says = f"M_eff is {', '.join(said)}."
    question = "How large is a model in effect under additive noise?"
    figure = drawn("M_eff", question, rows, ("level of the noise", "effective size"), says)
    return Finding(exact(found), says, (*EXACT, "effective sizes"), figure)


@check
def doubling_gains(laboratory: Laboratory) -> Finding:
    """What a doubling of a sketch gains of the best risk in use, over that of full precision."""
    ways = {
        "full precision": "fp",
        "shared factor 0.02": "d:vec(0.02)",
        "additive 0.001": "d:add(0.001)",
        "additive 0.01": "d:add(0.01)",
        "factor by element 0.02": "d:coord(0.02)",
    }
    seeds = [laboratory.seed + k for k in range(SKETCHES)]
    best = np.array([[_best(rows, seed, ways) for rows in ROWS] for seed in seeds])
    gains = best[:, 0] - best[:, 1]
    means, errors = _ratios(gains)
    names = list(ways)[1:]
    ours = {
        name: Ours(float(mean), float(error))
        for name, mean, error in zip(names, means, errors, strict=True)
    }
    says = "Of what full precision gains: " + ", ".join(
        f"{name} {each.value:.3f} +- {each.error:.1g}" for name, each in ours.items()
    )
    rows = [
        {"x": size, "y": float(value), "series": name}
        for size, column in zip(ROWS, best.mean(axis=0), strict=True)
        for name, value in zip(ways, column, strict=True)
    ]
    question = "What does a doubling of the sketch gain? a = 1.5, d = 4000, features rounded."
    figure = drawn("doubling", question, rows, ("rows of the sketch M", "best risk in use"), says)
    return Finding(
        ours, f"{says}.", (*EXACT, f"{SKETCHES} sketches from seed {laboratory.seed}"), figure
    )


def _ratios(gains: Array) -> tuple[Array, Array]:
    """Ratios of mean gains to the first of them, with jackknife errors over the sketches."""
    count = len(gains)
    whole = gains.sum(axis=0)
    without = (whole - gains)[:, 1:] / (whole - gains)[:, :1]
    spread = without - without.mean(axis=0)
    return whole[1:] / whole[0], np.sqrt((count - 1) / count * np.sum(spread**2, axis=0))


def _best(rows: int, seed: int, ways: dict[str, str]) -> list[float]:
    """The least risks in use that a sketch can have."""
    problem = Regression(4000, 1.5, sketch=rows, seed=seed)
    points = [(problem, SGD(1, 1, "0.1 limit"), each) for each in ways.values()]
    return [_least(each) for each in excess_risks(points, inputs="in use")]


def _least(risk: Risk) -> float:
    """What endless training leaves of a risk."""
    return risk.parts.floor + risk.parts.asymptotic_bias + risk.parts.approximation


@check
def error_of_a_factor(laboratory: Laboratory) -> Finding:
    """What a factor leaves for good, over its formula, at two sizes."""
    found: dict[str, float] = {}
    precision = f"d:vec({LEVEL})"
    for size in (20, 160):
        problem, _ = first_coordinates(PROBLEM, size)
        signal, shrunk = float(np.sum(problem.lam)), LEVEL / (1 + LEVEL)
        formula = {"in use": 0.5 * shrunk * signal, "clean": 0.5 * shrunk**2 * signal}
        for reading in READINGS:
            # What a factor adds in the end: the gap after so many samples that all is learnt.
            pair = [
                excess_risk(problem, SGD(10**12, 1, 0.01), each, inputs=reading).value
                for each in (precision, "fp")
            ]
            found[f"{reading}, M {size}"] = (pair[0] - pair[1]) / formula[reading]
    says = "The error over its formula: " + ", ".join(f"{n} {v:.3f}" for n, v in found.items())
    return Finding(exact(found), f"{says}.", EXACT)


@check
def sketched_floors(laboratory: Laboratory) -> Finding:
    """Slopes in the level of what additive noise after a sketch leaves."""
    levels = (3e-4, 1e-3, 3e-3, 1e-2)
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for decay in (2.0, 1.5):
        problem = Regression(4000, decay, sketch=1000, seed=laboratory.seed)
        for reading in READINGS:
            points = [(problem, SGD(1, 1, "0.1 limit"), f"d:add({each!r})") for each in levels]
            risks = excess_risks(points, inputs=reading)
            floors = [_least(each) - each.parts.approximation for each in risks]
            found[f"a {decay:g}, {reading}"] = slope(levels, floors)
            rows += [
                {"x": x, "y": y, "series": f"a {decay:g}", "panel": reading}
                for x, y in zip(levels, floors, strict=True)
            ]
    says = "Slopes: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    question = "What does additive noise after a sketch leave? 1000 rows, d = 4000."
    figure = drawn("floors", question, rows, ("level of the noise", "risk that is left"), says)
    return Finding(exact(found), f"{says}.", (*EXACT, f"sketch of seed {laboratory.seed}"), figure)


@check
def site_of_rounding(laboratory: Laboratory) -> Finding:
    """The floor of additive noise before the sketch over that after it."""
    rows, level, sgd = 200, 0.001, SGD(1, 1, "0.1 limit")
    before, after = (
        Regression(4 * rows, 2.0, sketch=rows, site=site, seed=laboratory.seed)
        for site in ("before", "after")
    )
    floors = [
        excess_risk(problem, sgd, f"d:add({each!r})", inputs="in use").parts.floor
        for problem, each in ((before, level), (after, 4 * level), (after, level))
    ]
    found = {
        "over after it at the same level": floors[0] / floors[2],
        "over after it at 4 times the level": floors[0] / floors[1],
    }
    says = (
        f"Noise before the sketch leaves {floors[0] / floors[2]:.2f} times what as much noise "
        f"after it leaves, and {floors[0] / floors[1]:.2f} times what 4 times as much leaves."
    )
    return Finding(exact(found), says, (*EXACT, f"sketch of seed {laboratory.seed}"))
