"""The open questions of the two papers as studies: real integers, factors by element after a
sketch, momentum.

Their authors and reviewers ask for biased rounding, momentum, several passes, and how loose the
bounds are (theory notes, section 7).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import INPUT_WORDS, INPUTS
from isoloss.linear.simulating import simulate
from isoloss.linear.studies.question import Study, answered, said, slope, with_gap

_INTEGERS = (
    "additive noise of step^2 / 6",
    "real integers, stochastic",
    "real integers, nearest",
)


def _integers(step: float, inputs: str) -> list[pl.DataFrame]:
    """Rows of the integers of one step, real ones and the additive model of them."""
    noise = (f"d:add({step**2 / 6!r})", Scales())
    stochastic, nearest = (("d:int16~sr", Scales(d=step)), ("d:int16", Scales(d=step)))
    tables = []
    for name, (precision, scales) in zip(_INTEGERS, (noise, stochastic, nearest), strict=True):
        sgd = SGD(50_000, step_size=0.02)
        runs = simulate(
            Regression(200), {"precision": precision}, sgd, inputs=inputs, scales=scales
        )
        table = said(runs.frame(), way=name, on=INPUT_WORDS[inputs])
        tables.append(table.with_columns(step=step))
    return tables


def integers_study() -> Study:
    """When real integers with stochastic rounding are not additive noise."""
    steps = np.geomspace(0.02, 1.0, 12)
    tables = [
        table for inputs in INPUTS for step in steps for table in _integers(float(step), inputs)
    ]
    study = Study(
        "integers",
        "When is rounding data to integers not additive noise? The step of the grid against the "
        "standard deviation 1 of the "
        "largest feature; d = 200, variances i^-2, 50000 samples, step size 0.02, averaged "
        "iterate.",
        pl.concat(tables, how="diagonal_relaxed"),
        "step", "loss", "way", "on", ("step of the grid / largest deviation", "excess risk"), (),
    )  # fmt: skip
    found = []
    for panel in ("clean inputs", "features rounded in use"):
        model, real, nearest = (study.at(panel, name)[1] for name in _INTEGERS)
        off = [
            f"{100 * (m / r - 1):+.0f}% at step {s:.2g}"
            for s, m, r in zip(steps, model, real, strict=True)
        ][1::4]
        found.append(f"{panel}: the model is off stochastic integers by {', '.join(off)}")
        found.append(
            f"{panel}: nearest integers cost {nearest[-1] / real[-1]:.2f} times stochastic ones "
            f"at step {steps[-1]:.2g}"
        )
    return answered(study, found)


def elementwise_study() -> Study:
    """What factors by element, as real floats have them, do after a dense sketch."""
    rows = [16, 32, 64, 128, 256, 512]
    ways = {
        "full precision": "fp",
        "shared factor 0.02": "d:vec(0.02)",
        "factor by element 0.02": "d:coord(0.02)",
        "additive 0.02 tr H / M": None,
    }
    tables = []
    for name, precision in ways.items():
        for count in rows:
            problem = Regression(2000, decay=2.0, sketch=count)
            spelled = precision or f"d:add({0.02 * float(np.sum(problem.lam)) / count!r})"
            runs = simulate(
                problem,
                {"precision": spelled},
                SGD(10**8, step_size="0.1 limit"),
                inputs="in use",
            )
            tables.append(said(runs.frame(), way=name, on="features rounded in use"))
    study = Study(
        "elementwise",
        "Are floats multiplicative after a dense sketch? M rows, d = 2000, eigenvalues i^-2, "
        "data rounded after the sketch and "
        "in use, 1e8 samples. Every coordinate of a sketched vector has the variance tr H / M, "
        "so a factor by element adds "
        "about eps tr H / M to every eigenvalue.",
        pl.concat(tables, how="diagonal_relaxed"),
        "params", "loss", "way", "on", ("rows of the sketch M", "excess risk"), (),
    )  # fmt: skip
    found = [
        f"{series}: risk falls as M^{slope(x[-3:], y[-3:]):.2f} from M = 128 to 512"
        for _, series, x, y in study.lines()
    ]
    return answered(study, found)


def momentum_study() -> Study:
    """Whether momentum makes rounding cost more."""
    tables = []
    batches = [1, 8]
    noise = {"additive": "add(0.05)", "factor by element": "coord(0.05)"}
    for momentum in (0.0, 0.5, 0.9):
        for label, spelled in noise.items():
            precision = f"w:{spelled} a:{spelled} g:{spelled}"
            grid = {
                "precision": ["fp", precision],
                "steps": [100, 300, 1000, 3000, 10_000],
                "batch": batches,
            }
            sgd = SGD(1, step_size=0.1 * (1 - momentum), momentum=momentum)
            runs = simulate(Regression(100), grid, sgd, iterate="last")
            gapped = with_gap(runs.frame(), "loss", ["steps", "batch_tokens"]).filter(
                pl.col("precision") != "fp"
            )
            panel = pl.format("{}, batch {}", pl.lit(label), pl.col("batch_tokens").cast(pl.Int64))
            tables.append(
                said(gapped, way=f"momentum {momentum:g}").with_columns(panel.alias("on"))
            )
    study = Study(
        "momentum",
        "Does momentum make rounding cost more? The same noise on parameter, activations and "
        "output gradients, d = 100, step "
        "size 0.1 (1 - momentum), so that all learn at the same rate; last iterate, the risk "
        "less that of full precision.",
        pl.concat(tables), "steps", "gap", "way", "on", ("steps", "risk less that of full "
                                                                  "precision"), (),
    )  # fmt: skip
    found = []
    for place in dict.fromkeys(place for place, *_ in study.lines()):
        plain, heavy = (study.at(place, f"momentum {b}")[1][-1] for b in ("0", "0.9"))
        found.append(
            f"{place}: after 10000 steps rounding costs {heavy / plain:.2f} times as much with "
            "momentum 0.9 as without"
        )
    return answered(study, found)
