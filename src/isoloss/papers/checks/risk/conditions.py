"""Which errors keep the rate, floats against integers: Zhang et al. 2025, corollaries 4.2, 4.3."""

from __future__ import annotations

from math import log2, nan
from typing import Any

import numpy as np

from isoloss.linear import (
    SGD,
    Regression,
    bit_rule,
    equal_risk_bits,
    excess_risk,
    format_constant,
    rate_conditions,
)
from isoloss.papers.checking import check
from isoloss.papers.checks.risk.points import EXACT, PARTS, READINGS, RISK, gaps, rounded, values
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn, exact
from isoloss.papers.laboratory import Laboratory

STEP_SIZE = 0.05
BITS, DIM, DIMS = 8, 100, (50, 100, 200, 400)
#: Long enough for the smallest eigenvalue, 400^-2.
LONG = SGD(10**10, 1, "0.05 limit")
#: Bits of the real integer, whose step is below all features.
REAL_BITS = 12


@check
def risk_at_the_condition(laboratory: Laboratory) -> Finding:
    """The risk at the level of each part's condition over that of full precision."""
    problem = Regression(200)
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for noise in ("additive", "shared factor"):
        for part in ("data", "parameter", "activations", "output gradients"):
            worst = []
            for batch in (1, 16):
                sgd = SGD(10_000, batch, STEP_SIZE)
                level = _allowed(problem, sgd, PARTS[part], noise)
                full, risk = values(
                    [(problem, sgd, "fp"), (problem, sgd, rounded(PARTS[part], noise, level))]
                )
                worst.append(risk / full)
                place = {"series": f"{noise}, batch {batch}", "panel": part}
                rows.append({"x": level, "y": risk / full, **place})
            found[f"{noise}, {part}"] = max(worst)
    name = max(found, key=lambda each: found[each])
    says = f"At the conditions the risk is at most {found[name]:.2f} times R_0 ({name})."
    labels = ("level at which the condition is met", "risk / full precision")
    figure = drawn("conditions", "Do the conditions keep the rate?", rows, labels, says)
    return Finding(exact(found), says, (*EXACT, "rate conditions"), figure)


def _allowed(problem: Regression, sgd: SGD, part: str, noise: str) -> float:
    """The largest level at which every condition of a part holds, by bisection of its logarithm."""
    low, high = -12.0, 2.0
    for _ in range(40):
        middle = (low + high) / 2
        holds = rate_conditions(problem, sgd, rounded(part, noise, 10.0**middle)).hold
        low, high = (middle, high) if holds else (low, middle)
    return float(10.0**low)


@check
def rule_of_bits(laboratory: Laboratory) -> Finding:
    """Costs of float and integer noise at the rule, and how the equal bits fall with d, in use."""
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for decay in (1.5, 2.0):
        for target in ("hardest", "even"):
            name = f"a {decay:g}, {target} target"
            found[f"float over integer at the rule, {name}"] = _at_the_rule(decay, target)
            equal = [_equal_bits(_problem(dim, decay, target)) for dim in DIMS]
            found[f"bits a doubling, {name}"] = float(np.polyfit(np.log2(DIMS), equal, 1)[0])
            rows += [{"x": d, "y": m, "series": name} for d, m in zip(DIMS, equal, strict=True)]
            rows += [
                {"x": d, "y": bit_rule(BITS, decay, d), "series": f"rule, a {decay:g}"}
                for d in DIMS
                if target == "even"
            ]
    costs, bits = (
        [found[f"{what}, a 2, {each} target"] for each in ("hardest", "even")]
        for what in ("float over integer at the rule", "bits a doubling")
    )
    says = (
        f"At a = 2 a float of the rule costs {costs[0]:.2f} times the integer for the hardest "
        f"target and {costs[1]:.0f} times for an even one; a doubling of d is worth {bits[0]:.2f} "
        f"and {bits[1]:.2f} bits."
    )
    labels = ("dimension", f"mantissa bits that equal {BITS} integer bits")
    figure = drawn("bit rule", "Which float is as good as an integer?", rows, labels, says)
    return Finding(exact(found), says, EXACT, figure)


def _problem(dim: int, decay: float, target: str) -> Regression:
    """A target of 1 everywhere, or one with signal 1 at the smallest eigenvalue alone."""
    if target == "even":
        return Regression(dim, decay)
    only = np.zeros(dim)
    only[-1] = dim ** (decay / 2)
    return Regression(dim, decay, target=only)


def _cost(problem: Regression, noise: str, level: float) -> float:
    return gaps([(problem, LONG, rounded("d", noise, level))], inputs="in use")[0]


def _at_the_rule(decay: float, target: str) -> float:
    problem = _problem(DIM, decay, target)
    mantissa = bit_rule(BITS, decay, DIM)
    return _cost(problem, "shared factor", 4.0**-mantissa) / _cost(problem, "additive", 4.0**-BITS)


def _equal_bits(problem: Regression) -> float:
    """The mantissa m at which a factor of 4^-m costs what additive noise of 4^-b costs."""
    aim = _cost(problem, "additive", 4.0**-BITS)
    low, high = -1.0, 12.0
    if not _cost(problem, "shared factor", 4.0**-high) < aim:
        return nan
    for _ in range(40):
        middle = (low + high) / 2
        above = _cost(problem, "shared factor", 4.0**-middle) > aim
        low, high = (middle, high) if above else (low, middle)
    return (low + high) / 2


@check
def rule_of_real_bits(laboratory: Laboratory) -> Finding:
    """How far the rule is off the float of the same exact risk as int12."""
    found: dict[str, float] = {}
    said = []
    for target in ("hardest", "even"):
        (equal,) = equal_risk_bits(
            _problem(DIM, 2.0, target), LONG, (REAL_BITS,), tuple(range(1, 16)), inputs="in use"
        )
        found[f"off the rule, constants 1, {target} target"] = equal.mantissa - equal.rule
        found[f"off the rule, constants measured, {target} target"] = (
            equal.mantissa - equal.measured
        )
        said.append(f"{equal.mantissa:.2f} ({target} target)")
    says = (
        f"int{REAL_BITS} equals a float of {' and '.join(said)} mantissa bits; the rule says "
        f"{equal.rule:.2f}, with measured constants {equal.measured:.2f}."
    )
    return Finding(exact(found), says, EXACT)


@check
def constants_of_formats(laboratory: Laboratory) -> Finding:
    """The errors of formats over 4^-bits."""
    stochastic, nearest = format_constant("e8m3~sr"), format_constant("e8m3")
    integer = format_constant("int12~sr")
    found = {
        "floats, stochastic": stochastic,
        "floats, nearest": nearest,
        "integers, stochastic": integer,
        "bits in favour of floats": 0.5 * log2(integer / stochastic),
    }
    says = (
        f"Errors are {stochastic:.4f} 4^-m, {nearest:.4f} 4^-m to nearest, and {integer:.2f} "
        f"4^-b: {found['bits in favour of floats']:.2f} bits in favour of floats."
    )
    return Finding(exact(found), says, ("errors of formats",))


@check
def int8_over_fp8(laboratory: Laboratory) -> Finding:
    """The risk with int8 data over that with e4m3 data."""
    problem, sgd = Regression(200), SGD(10_000, 1, STEP_SIZE)
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for reading in READINGS:
        pair = {}
        for name in ("int8", "e4m3"):
            risk = excess_risk(problem, sgd, f"d:{name}~sr", inputs=reading)
            pair[name] = risk.value
            rows.append({"x": 1 + READINGS.index(reading), "y": risk.value, "series": name})
        found[reading] = pair["int8"] / pair["e4m3"]
    says = f"int8 over e4m3: {found['clean']:.3f} clean, {found['in use']:.3f} in use."
    question = "Are int8 and 8-bit floats equal? 1 clean inputs, 2 in use."
    figure = drawn("8 bits", question, rows, ("reading", RISK), says)
    return Finding(exact(found), says, EXACT, figure)
