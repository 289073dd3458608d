"""Open questions of the theory that only sampling answers: biased rounding, weights without a
master copy, several passes.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import INPUT_WORDS, INPUTS
from isoloss.linear.sampled import sample_risk
from isoloss.linear.studies.question import Study, answered
from isoloss.linear.theory import bound_tightness

_SCHEMA = ["step", "risk", "error", "way", "on"]


def biased_study() -> Study:
    """Nearest against stochastic rounding of each part, and stored weights with error feedback."""
    problem, sgd, steps = Regression(50), SGD(2000, 4, 0.1), np.geomspace(0.05, 1.6, 6)
    rows = []
    for part, name in (("w", "parameter in use"), ("a", "activations"), ("g", "output gradients")):
        for rounding, mark in (("nearest", ""), ("stochastic", "~sr")):
            for step in steps:
                scales = Scales(**{part: float(step)})
                risk = sample_risk(
                    problem, sgd, f"{part}:int12{mark}", "last", replicates=400, scales=scales
                )
                rows.append((float(step), risk.value, risk.standard_error, rounding, name))
    kept = (
        ("nearest", "int12", False),
        ("stochastic", "int12~sr", False),
        ("nearest, error fed back", "int12", True),
    )
    for rounding, stored, feedback in kept:
        for step in steps:
            risk = sample_risk(
                problem, sgd, "fp", "last", replicates=400, scales=Scales(w=float(step)),
                stored=stored, error_feedback=feedback
            )  # fmt: skip
            rows.append((float(step), risk.value, risk.standard_error, rounding, "stored weights"))
    study = Study(
        "biased",
        "What does biased rounding do? Integers, the step of the grid against w* = 1, d = 50, "
        "batch 4, 2000 steps of 0.1, last "
        "iterate, 400 replicates; stored weights have no copy in full precision.",
        pl.DataFrame(rows, schema=_SCHEMA, orient="row"),
        "step", "risk", "way", "on", ("step of the grid", "excess risk"), (),
    )  # fmt: skip
    found = []
    for place in dict.fromkeys(place for place, *_ in study.lines()):
        values = {
            way: study.at(place, way)[1][3] for panel, way, *_ in study.lines() if panel == place
        }
        found.append(
            f"{place}, step {steps[3]:.2g}: "
            + ", ".join(f"{way} {v:.4f}" for way, v in values.items())
        )
    return answered(study, found)


def passes_study() -> Study:
    """Several passes through the same samples, with and without rounding."""
    problem, samples = Regression(50), 500
    ways = {
        "full precision": "fp",
        "additive 0.01 on data": "d:add(0.01)",
        "additive 0.1 on w, a, g": "w:add(0.1) a:add(0.1) g:add(0.1)",
        "factor by element 0.1 on w, a, g": "w:coord(0.1) a:coord(0.1) g:coord(0.1)",
    }
    rows = []
    for count in (1, 2, 4, 8, 16):
        for kind, passes in (("same samples again", count), ("fresh samples", 1)):
            for name, precision in ways.items():
                sgd = SGD(samples * count // 4, 4, 0.05)
                risk = sample_risk(
                    problem, sgd, precision, "average", replicates=400, passes=passes
                )
                rows.append((float(count), risk.value, risk.standard_error, name, kind))
    study = Study(
        "passes",
        "Does rounding cost more in later passes? 500 samples, d = 50, batch 4, step size 0.05, "
        "averaged iterate; the same "
        "samples again, beside as many fresh ones; 400 replicates.",
        pl.DataFrame(rows, schema=["passes", *_SCHEMA[1:]], orient="row"),
        "passes", "risk", "way", "on", ("passes (or multiples of 500 samples)", "excess risk"), (),
    )  # fmt: skip
    found = []
    for place in ("same samples again", "fresh samples"):
        exact = study.at(place, "full precision")[1]
        worse = [
            f"{name} {study.at(place, name)[1][-1] / exact[-1]:.2f}" for name in list(ways)[1:]
        ]
        found.append(f"{place}, 16 times 500: risk over that of full precision: {', '.join(worse)}")
    return answered(study, found)


def bounds_study() -> Study:
    """How loose the bounds are, above and below."""
    steps = [100, 300, 1000, 3000, 10_000, 30_000, 100_000]
    names = {"add": "additive", "vec": "shared factor", "none": "full precision"}
    rows = []
    for inputs in INPUTS:
        for each in bound_tightness(
            (200,), (0.0, 0.01), steps, noises=("add", "vec"), inputs=inputs
        ):
            for side, ratio in (("upper", each.looseness), ("lower", each.reach)):
                finite = ratio if np.isfinite(ratio) and ratio > 0 else None
                rows.append(
                    (each.steps, finite, f"{names[each.noise]}, {side}", INPUT_WORDS[inputs])
                )
    study = Study(
        "bounds",
        "How loose are the bounds? Upper bound in the form of Zou et al. 2021 carried over to "
        "rounded data with our constants, and a "
        "lower bound derived here, over the exact risk; eps 0.01 on all parts, d = 200, batch 1, "
        "step size 0.05.",
        pl.DataFrame(rows, schema=["steps", "ratio", "bound", "on"], orient="row"),
        "steps", "ratio", "bound", "on", ("steps", "bound / exact risk"), (),
    )  # fmt: skip
    found = []
    for place, name, _, ratios in study.lines():
        found.append(f"{place}, {name}: {ratios.min():.3g} to {ratios.max():.3g} of the exact risk")
    return answered(study, found)
