"""What rounding does to the spectrum of the data: Zhang et al. 2025, section 4."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.linear import SGD, Regression, Scales, risk_bound, risk_by_direction, study
from isoloss.papers.checking import check
from isoloss.papers.checks.risk.points import EXACT, rounded
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn, exact, slope
from isoloss.papers.laboratory import Laboratory

Array = NDArray[np.float64]
DIM, FINE = 1000, 1e-3
INTEGERS = Scales(d=sqrt(6 * FINE))
#: What rounds the data, by its name.
WAYS = {
    "shared factor": rounded("d", "shared factor", 0.02),
    "additive": rounded("d", "additive", FINE),
    "stochastic integers": "d:int16~sr",
    "stochastic floats": "d:e8m1~sr",
    "nearest integers": "d:int16",
}
QUESTION = f"What does rounding do to the spectrum of the data? d = {DIM}, eigenvalues i^-2."
LABELS = ("index i", "eigenvalue with rounding / without")


def variances(problem: Regression, precision: str, scales: Scales) -> Array:
    """The eigenvalues of E u u' for rounded features u, in the order of the problem's own."""
    seen = risk_by_direction(
        problem, SGD(1, 1, "0.1 limit"), precision, inputs="in use", scales=scales
    )
    return np.asarray(seen.eigenvalue)


def _ratios(precision: str) -> Array:
    problem = Regression(DIM)
    scales = INTEGERS if ":int" in precision else Scales()
    return variances(problem, precision, scales) / problem.lam


@check
def eigenvalues(laboratory: Laboratory) -> Finding:
    """Variances of rounded features over those of features before, at four indices."""
    ratios = {name: _ratios(each) for name, each in WAYS.items()}
    found = {
        f"{name}, i {i}": float(each[i - 1])
        for name, each in ratios.items()
        for i in (1, 10, 100, 1000)
    }
    says = "At i = 1000 the ratio is " + ", ".join(
        f"{found[f'{name}, i 1000']:.4g} for {name}" for name in WAYS
    )
    return Finding(exact(found), f"{says}.", EXACT, _figure(ratios, says))


def _figure(ratios: dict[str, Array], says: str) -> Any:
    index = np.unique(np.geomspace(1, DIM, 40).astype(int))
    rows = [
        {"x": int(i), "y": float(each[i - 1]), "series": name}
        for name, each in ratios.items()
        for i in index
        if each[i - 1] > 0
    ]
    return drawn("spectrum", QUESTION, rows, LABELS, says)


@check
def spread_of_eigenvalues(laboratory: Laboratory) -> Finding:
    """The largest over the smallest ratio of eigenvalues with and without multiplicative noise."""
    ratios = {
        "one factor a vector": _ratios(WAYS["shared factor"]),
        "factors by element": _ratios(rounded("d", "factor by element", 0.02)),
        "stochastic floats of 8 exponent bits": _ratios(WAYS["stochastic floats"]),
        "stochastic e4m3": _ratios("d:e4m3~sr"),
        "factors by element after a sketch": _sketched("coord(0.02)"),
    }
    found = {name: float(np.max(each) / np.min(each)) for name, each in ratios.items()}
    says = "Largest over smallest ratio: " + ", ".join(f"{n} {v:.4g}" for n, v in found.items())
    full = {name: each for name, each in ratios.items() if len(each) == DIM}
    return Finding(exact(found), f"{says}.", EXACT, _figure(full, says))


def _sketched(noise: str) -> Array:
    """Eigenvalues of 200 rows of a sketch with rounding over those without, both descending."""
    problem = Regression(DIM, sketch=200)
    pair = [np.sort(variances(problem, each, Scales()))[::-1] for each in (f"d:{noise}", "fp")]
    return np.asarray(pair[0] / pair[1])


@check
def flat_tail(laboratory: Laboratory) -> Finding:
    """The exponent of the eigenvalues of rounded data from i = 300 to 1000."""
    names = {
        "additive noise": "additive",
        "stochastic integers": "stochastic integers",
        "nearest integers": "nearest integers",
    }
    ratios = {name: _ratios(WAYS[each]) for name, each in names.items()}
    index = np.arange(300, DIM + 1)
    lam = Regression(DIM).lam
    found = {name: slope(index, (each * lam)[299:].tolist()) for name, each in ratios.items()}
    says = "Exponents of the tail: " + ", ".join(
        f"{n} {v:.2f}" if v == v else f"{n} none, as ratios are 0" for n, v in found.items()
    )
    says += "; nearest integers round small features to 0 but for rare large draws"
    return Finding(exact(found), f"{says}.", EXACT, _figure(ratios, says))


@check
def measured_eigenvalues(laboratory: Laboratory, dim: int, samples: int) -> Finding:
    """Eigenvalues of drawn features with rounding, over those that theory says."""
    asked = study("spectrum", dim=dim, samples=samples, seed=laboratory.seed)
    found = {}
    measured, theory = "measured eigenvalues", "diagonal of E u u'"
    for name in (
        "additive noise",
        "shared factor",
        "real int, stochastic",
        "real e6m1, stochastic",
    ):
        for i in (10, 50):
            seen, said = (asked.at(panel, name)[1][i - 1] for panel in (measured, theory))
            found[f"{name}, i {i}"] = seen / said
    off = max(abs(value - 1) for value in found.values())
    says = f"Measured eigenvalues are off theory by at most {off:.1%}."
    rests = (f"{samples} drawn vectors, seed {laboratory.seed}", "study 'spectrum'")
    return Finding(exact(found), says, rests, asked)


@check
def fast_decay(laboratory: Laboratory) -> Finding:
    """Effective dimension and what minor directions never learn, in a spectrum i^-3."""
    problem, sgd = Regression(DIM, 3.0), SGD(10**6, 1, 0.05)
    ways = {
        "additive noise": WAYS["additive"],
        "stochastic integers": WAYS["stochastic integers"],
        "shared factor": rounded("d", "shared factor", FINE),
    }
    full = risk_bound(problem, sgd).effective_dim
    found: dict[str, float] = {}
    rows = []
    for name, precision in ways.items():
        scales = INTEGERS if ":int" in precision else Scales()
        bound = risk_bound(problem, sgd, precision, scales=scales)
        found[f"effective dimension over full precision, {name}"] = bound.effective_dim / full
        left = _never_learnt(problem, variances(problem, precision, scales))
        found[f"share that is not learnt, {name}"] = _share(problem, left)
        rows += [{"x": i, "y": float(left[i - 1]), "series": name} for i in _indices(DIM)]
    says = "; ".join(
        f"{name}: {found[f'effective dimension over full precision, {name}']:.3g} times the "
        f"effective dimension, {found[f'share that is not learnt, {name}']:.0%} not learnt"
        for name in ways
    )
    question = "Which share of a direction is never learnt? Eigenvalues i^-3."
    figure = drawn("minor directions", question, rows, ("index i", "share not learnt"), says)
    return Finding(exact(found), f"{says}.", (*EXACT, "risk bounds"), figure)


def _never_learnt(problem: Regression, rounded_variance: Array) -> Array:
    """(1 - lam / (lam + D))^2, the share of risk that the optimum on rounded data leaves."""
    return np.asarray((1 - problem.lam / rounded_variance) ** 2)


def _share(problem: Regression, left: Array) -> float:
    """The share left in minor directions: those whose eigenvalue is below a tenth of the level."""
    minor = problem.lam < FINE / 10
    return float(np.sum((problem.lam * left)[minor]) / np.sum(problem.lam[minor]))


def _indices(dim: int) -> Sequence[int]:
    return [int(i) for i in np.unique(np.geomspace(1, dim, 30).astype(int))]
