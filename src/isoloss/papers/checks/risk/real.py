"""How far real quantisers are additive or multiplicative: Zhang et al. 2025, definitions."""

from __future__ import annotations

from math import sqrt

import numpy as np

from isoloss.linear import Regression, Scales, study
from isoloss.papers.checking import check
from isoloss.papers.checks.risk.points import EXACT
from isoloss.papers.checks.risk.spectrum import variances
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn, exact, slope
from isoloss.papers.laboratory import Laboratory

LABELS = ("variance of the feature", "variance of its noise")
#: Real formats by name, with the deviation that parts their two kinds of noise (the step of the
#: integer, the smallest normal number) and the largest at which nothing is cut off.
FORMATS = {
    "stochastic int8": ("d:int8~sr", 8 / 255, 0.5),
    "stochastic e4m3": ("d:e4m3~sr", 2.0**-6, 100.0),
    "stochastic e3m2": ("d:e3m2~sr", 2.0**-2, 7.0),
}


@check
def noise_by_coordinate(laboratory: Laboratory) -> Finding:
    """The noise of stochastic integers with step^2 / 6 = 0.01, by coordinate."""
    problem = Regression(300)
    noise = variances(problem, "d:int16~sr", Scales(d=sqrt(0.06))) - problem.lam
    found = {f"i {i}": float(noise[i - 1]) for i in (1, 3, 10, 30, 100, 300)}
    says = (
        f"The noise falls from {found['i 1']:.4f} on large features to {found['i 300']:.4f} on "
        "those far below the step."
    )
    rows = [{"x": i + 1, "y": float(y), "series": "noise"} for i, y in enumerate(noise)]
    rows += [{"x": i, "y": 0.01, "series": "the additive model"} for i in (1, 300)]
    question = "Is the noise of stochastic integers the same for all features?"
    figure = drawn("noise", question, rows, ("index i", LABELS[1]), says)
    return Finding(exact(found), says, EXACT, figure)


@check
def kinds_of_noise(laboratory: Laboratory) -> Finding:
    """The power of a feature's variance that the variance of its noise grows with."""
    found: dict[str, float] = {}
    rows = []
    for name, (precision, small, largest) in FORMATS.items():
        spread = np.geomspace(1e-6 * small**2, largest**2, 41)
        # A feature of variance 1 goes first, so that the step of the integer is known.
        lam = np.concatenate([[1.0], spread])
        problem = Regression(len(lam), spectrum=lam)
        noise = (variances(problem, precision, Scales()) - lam)[1:]
        above, below = spread >= 9 * small**2, spread <= small**2 / 100
        found[f"{name}, above"] = slope(spread[above], noise[above].tolist())
        found[f"{name}, below"] = slope(spread[below], noise[below].tolist())
        rows += [
            {"x": float(x), "y": float(y), "series": name}
            for x, y in zip(spread, noise, strict=True)
            if y > 0
        ]
    says = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
    says = f"Powers of the variance: {says}; below both kinds draw a whole step, of power 1/2."
    question = "Is the noise of real formats additive (power 0) or multiplicative (1)?"
    return Finding(exact(found), says, EXACT, drawn("kinds of noise", question, rows, LABELS, says))


@check
def model_of_integers(laboratory: Laboratory) -> Finding:
    """The risk by the additive model over that of stochastic integers of the same step."""
    asked = study("integers", grid_step=(0.05, 0.15, 0.5))
    model, real = "additive noise of step^2 / 6", "real integers, stochastic"
    found = {}
    for panel, reading in zip(asked.panels, ("clean", "in use"), strict=True):
        x, by_model = asked.at(panel, model)
        _, by_format = asked.at(panel, real)
        for step in (0.05, 0.5):
            at = int(np.argmin(np.abs(x - step)))
            found[f"step {step:g}, {reading}"] = by_model[at] / by_format[at]
    says = "The model over the integers: " + ", ".join(f"{n} {v:.2f}" for n, v in found.items())
    return Finding(exact(found), f"{says}.", (*EXACT, "study 'integers'"), asked)
