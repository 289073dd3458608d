"""The experiments of the two papers as studies, on exact risk: samples, dimension, batch, spectrum,
sketch.

Zhang, Su, Zou 2025 (arXiv 2510.18259) and Zhang, Tang, Liang, Zou 2026 (2602.19241); step sizes,
grids of samples and which parts are rounded were not seen in the papers and are choices of ours,
named in each question.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from isoloss.formats import fake_quantise
from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import INPUT_WORDS, INPUTS
from isoloss.linear.simulating import simulate
from isoloss.linear.studies.question import (
    Study,
    all_parts,
    answered,
    said,
    slope,
    with_gap,
)

NOISES = {"add": "additive", "vec": "shared factor", "coord": "factor by element"}
SAMPLES = [round(n) for n in np.geomspace(100, 100_000, 13)]
RISK = ("samples", "excess risk")


def samples_study() -> Study:
    """Risk against samples at several noise levels."""
    levels = (0.0, 1e-3, 5e-3, 1e-2)
    tables = []
    for noise in ("add", "vec"):
        for eps in levels:
            grid = {"precision": all_parts(noise, eps), "samples": SAMPLES}
            runs = simulate(Regression(200), grid, SGD(1, step_size=0.1))
            tables.append(said(runs.frame(), eps=f"eps {eps:g}", noise=NOISES[noise]))
    table = pl.concat(tables, how="diagonal_relaxed")
    study = Study(
        "samples",
        "How does rounding change the risk as samples grow? d = 200, eigenvalues i^-2, w* = 1, "
        "noise 1, batch 1, step "
        "0.1, averaged iterate, clean inputs; the same noise on all five quantisers.",
        table, "tokens", "loss", "eps", "noise", RISK, (),
    )  # fmt: skip
    ends = {
        key: study.at(NOISES[key], "eps 0.01")[1][-1] / study.at(NOISES[key], "eps 0")[1][-1]
        for key in ("add", "vec")
    }
    found = (
        f"at {SAMPLES[-1]} samples and eps 0.01 additive noise costs {ends['add']:.1f} times the "
        "risk, a shared factor "
        f"{ends['vec']:.3f} times",
    )
    return answered(study, found)


def dims_study() -> Study:
    """The gap to full precision against samples, at several dimensions."""
    tables = []
    for noise in ("add", "vec"):
        for inputs in INPUTS:
            grid = {
                "dim": [50, 100, 200, 400],
                "precision": ["fp", all_parts(noise, 0.01)],
                "samples": SAMPLES,
            }
            runs = simulate(Regression(50), grid, SGD(1, step_size=0.1), inputs=inputs)
            gapped = with_gap(runs.frame(), "loss", ["dim", "tokens"]).filter(
                pl.col("precision") != "fp"
            )
            tables.append(said(gapped, noise=f"{NOISES[noise]}, {INPUT_WORDS[inputs]}"))
    table = pl.concat(tables, how="diagonal_relaxed").with_columns(
        pl.format("d = {}", "dim").alias("size")
    )
    study = Study(
        "dims",
        "Does the cost of rounding grow with the dimension? eps 0.01 on all five quantisers, "
        "step 0.1; the risk less that "
        "of full precision, on clean inputs and with features rounded in use too.",
        table, "tokens", "gap", "size", "noise", ("samples", "risk less that of full "
                                                             "precision"), (),
    )  # fmt: skip
    return answered(study, _growth(study))


def _growth(study: Study) -> list[str]:
    found = []
    for panel in dict.fromkeys(panel for panel, *_ in study.lines()):
        small, large = (study.at(panel, f"d = {d}")[1][4] for d in (50, 400))
        found.append(
            f"{panel}: from d = 50 to 400 the gap at {SAMPLES[4]} samples grows "
            f"{large / small:.2f} times"
        )
    return found


def batch_study() -> Study:
    """The gap to full precision against the batch, for each part and noise model."""
    batches = [2**k for k in range(11)]
    parts = {
        "d": "data",
        "l": "labels",
        "w": "parameter",
        "a": "activations",
        "g": "output gradients",
    }
    tables = []
    for noise in NOISES:
        precisions = ["fp", *(f"{part}:{noise}(0.1)" for part in parts)]
        grid = {"precision": precisions, "batch": batches}
        runs = simulate(Regression(100), grid, SGD(1000, step_size=0.1), iterate="last")
        gapped = with_gap(runs.frame(), "loss", ["batch_tokens"]).filter(
            pl.col("precision") != "fp"
        )
        named = pl.col("precision").str.slice(0, 1).replace_strict(parts)
        tables.append(said(gapped.with_columns(named.alias("part")), noise=NOISES[noise]))
    study = Study(
        "batch",
        "Does a larger batch average rounding away? eps 0.1 on one quantiser, d = 100, 1000 "
        "steps of 0.1, last iterate; "
        "the risk less that of full precision at the same batch.",
        pl.concat(tables), "batch_tokens", "gap", "part", "noise", ("batch", "risk less that of "
                                                                             "full precision"), (),
    )  # fmt: skip
    found = [
        f"{panel}, {series}: slope {slope(x[-5:], y[-5:]):+.2f} from batch 64 to 1024"
        for panel, series, x, y in study.lines()
    ]
    return answered(study, found)


def dimension_study() -> Study:
    """Risk against dimension at fixed samples, ideal noise and real integers, two ways of using the
    model.
    """
    dims = [round(d) for d in np.geomspace(100, 300_000, 12)]
    eps = 1e-4
    ways = {
        "full precision": ("fp", Scales()),
        "additive noise": (f"d:add({eps})", Scales()),
        "shared factor": ("d:vec(0.02)", Scales()),
        "real integers, stochastic": ("d:int16~sr", Scales(d=float(np.sqrt(6 * eps)))),
    }
    tables = []
    for inputs in INPUTS:
        for name, (precision, scales) in ways.items():
            grid = {"dim": dims, "precision": precision}
            runs = simulate(
                Regression(100), grid, SGD(10_000, step_size=0.05), inputs=inputs, scales=scales
            )
            tables.append(said(runs.frame(), way=name, inputs_=INPUT_WORDS[inputs]))
    study = Study(
        "dimension",
        "At fixed samples, does the risk grow with the dimension? 10000 samples, step 0.05, "
        "averaged iterate; data rounded: "
        "additive noise 1e-4, a shared factor 0.02, and a real grid whose step has step^2 / 6 = "
        "1e-4.",
        pl.concat(tables, how="diagonal_relaxed"),
        "params", "loss", "way", "inputs_", ("dimension", "excess risk"), (),
    )  # fmt: skip
    found = []
    for name in ways:
        clean, used = (study.at(INPUT_WORDS[inputs], name)[1] for inputs in INPUTS)
        found.append(
            f"{name}: from d = {dims[3]} to {dims[-1]} the risk grows {clean[-1] / clean[3]:.3f} "
            "times on clean inputs, "
            f"{used[-1] / used[3]:.3f} times with rounded features in use"
        )
    return answered(study, found)


def spectrum_study() -> Study:
    """How rounding distorts the spectrum of the features, measured on drawn ones beside theory."""
    dim, count, eps = 200, 40_000, 1e-3
    lam = np.arange(1.0, dim + 1) ** -2.0
    x = np.random.default_rng(0).standard_normal((count, dim)) * np.sqrt(lam)
    step = float(np.sqrt(6 * eps))
    ways = {
        "additive noise": (f"add({eps})", None),
        "shared factor": ("vec(0.02)", None),
        "real int, stochastic": ("int16~sr", step),
        "real int, nearest": ("int16", step),
        "real e6m1, stochastic": ("e6m1~sr", 1.0),
    }
    theory = {"additive noise": (lam + eps) / lam, "shared factor": np.full(dim, 1.02)}
    rows = []
    for name, (spelled, scale) in ways.items():
        drawn = "~sr" in spelled or "(" in spelled
        out = fake_quantise(x, spelled, random=1 if drawn else None, scale=scale)
        values = np.sort(np.linalg.eigvalsh(out.T @ out / count))[::-1]
        rows += [
            (i + 1, float(values[i] / lam[i]), name, "measured eigenvalues") for i in range(dim)
        ]
        diagonal = theory.get(name, np.mean(out**2, axis=0) / lam)
        rows += [(i + 1, float(diagonal[i]), name, "diagonal of E u u'") for i in range(dim)]
    table = pl.DataFrame(rows, schema=["index", "ratio", "way", "what"], orient="row")
    study = Study(
        "spectrum",
        f"What does rounding the data do to their spectrum? {count} features of variance i^-2, d "
        f"= {dim}: additive noise "
        "1e-3, a shared factor 0.02, integers with step^2 / 6 = 1e-3, floats of 1 mantissa bit.",
        table, "index", "ratio", "way", "what", ("index i", "eigenvalue with rounding / "
                                                            "without"), (),
    )  # fmt: skip
    found = [
        f"{name}: at i = 1, 10, 100 the eigenvalue is "
        f"{', '.join(f'{v:.3g}' for v in study.at('measured eigenvalues', name)[1][[0, 9, 99]])} "
        "times that without rounding"
        for name in ways
    ]
    return answered(study, found)


def sketch_study() -> Study:
    """Risk against the rows of a sketch: effective model size."""
    rows = [16, 32, 64, 128, 256, 512]
    ways = {
        "full precision": "fp",
        "shared factor 0.02": "d:vec(0.02)",
        "additive 1e-3": "d:add(0.001)",
        "additive 1e-2": "d:add(0.01)",
        "factor by element 0.02": "d:coord(0.02)",
    }
    tables = []
    for inputs in INPUTS:
        for name, precision in ways.items():
            grid = {"sketch": rows, "precision": precision}
            problem = Regression(2000, decay=1.5)
            runs = simulate(problem, grid, SGD(10**7, step_size="0.1 limit"), inputs=inputs)
            tables.append(said(runs.frame(), way=name, inputs_=INPUT_WORDS[inputs]))
    study = Study(
        "sketch",
        "How large is a model in effect when its data are rounded? A Gaussian sketch of M rows, "
        "d = 2000, eigenvalues "
        "i^-1.5, data rounded after the sketch, 1e7 samples, step a tenth of the stability limit.",
        pl.concat(tables, how="diagonal_relaxed"),
        "params", "loss", "way", "inputs_", ("rows of the sketch M", "excess risk"), (),
    )  # fmt: skip
    full = study.at("features rounded in use", "full precision")[1]
    found = []
    for name in list(ways)[1:]:
        risk = study.at("features rounded in use", name)[1]
        gain = (risk[-2] - risk[-1]) / (full[-2] - full[-1])
        found.append(
            f"{name}, rounded in use: doubling M from 256 to 512 gains {gain:.2f} of what full "
            "precision gains"
        )
    return answered(study, found)


def divergence_study() -> Study:
    """Training that converges while the risk with rounded features in use grows with the
    dimension.
    """
    dims = [100, 300, 1000, 3000, 10_000, 18_000]
    eps, ways = 1e-3, {}
    ways["additive noise (ideal integers)"] = (f"d:add({eps})", Scales())
    ways["real integers, stochastic"] = ("d:int16~sr", Scales(d=float(np.sqrt(6 * eps))))
    tables = []
    for batch in (1, 16):
        for inputs in INPUTS:
            for name, (precision, scales) in ways.items():
                grid = {"dim": dims, "precision": precision}
                sgd = SGD(10_000, batch, step_size=0.05)
                runs = simulate(
                    Regression(100), grid, sgd, iterate="last", inputs=inputs, scales=scales
                )
                tables.append(
                    said(runs.frame(), way=f"{name}, {INPUT_WORDS[inputs]}", size=f"batch {batch}")
                )
    study = Study(
        "divergence",
        "Can training converge while the risk with rounded features in use diverges? 10000 steps "
        "of 0.05, last iterate, data "
        "rounded with eps 1e-3 (integers with step^2 / 6 = 1e-3).",
        pl.concat(tables, how="diagonal_relaxed"),
        "params", "loss", "way", "size", ("dimension", "excess risk"), (),
    )  # fmt: skip
    found = []
    for name in ways:
        for batch in (1, 16):
            clean, used = (
                study.at(f"batch {batch}", f"{name}, {INPUT_WORDS[i]}")[1] for i in INPUTS
            )
            found.append(
                f"{name}, batch {batch}: from d = {dims[0]} to {dims[-1]} clean {clean[0]:.4f} "
                f"to {clean[-1]:.4f}, in use "
                f"{used[0]:.4f} to {used[-1]:.4f}"
            )
    return answered(study, found)
