"""From risks of networks and of linear problems to a study: its rows, and a verdict for each
line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from isoloss.formats import Precision
from isoloss.linear.studies.on_networks.beside import Array, Beside
from isoloss.linear.studies.on_networks.verdict import Verdict, judged, log_slope
from isoloss.linear.studies.question import Study
from isoloss.linear.studies.tables import GAP, noise_name

Rows = list[dict[str, Any]]


def data_noises(eps_add: float, eps_mul: float) -> dict[str, str]:
    """The precisions that round data with one of the noises of the papers, by its name."""
    levels = {"add": eps_add, "vec": eps_mul, "coord": eps_mul}
    return {noise_name(each): f"d:{each}({eps})" for each, eps in levels.items()}


def row(
    found: Beside, reading: str, k: int, x: float, series: str, panel: str, **more: Any
) -> Rows:
    """The rows of precision k less that of precision 0: of networks, and of the linear problem."""
    network, sgd = found.setting.network, found.setting.sgd
    common = {
        "precision": str(Precision.parse(found.setting.precisions[k])),
        "tokens": float(sgd.steps * sgd.batch),
        "params": float(network.params),
        "metric": "excess_risk",
        "inputs": reading,
        "x": x,
        "panel": panel,
        **more,
    }
    loss, loss_se = _mean(found.networks[reading][k])
    gap, gap_se = _mean(found.increments(reading, k))
    of_networks = {
        "loss": loss, "loss_se": loss_se, "gap": gap, "gap_se": gap_se, "series": series,
        "how": "sampled",
    }  # fmt: skip
    of_linear = {
        "loss": float(found.linear[reading][k]),
        "gap": found.linear_increment(reading, k),
        "series": f"{series}, linear",
        "how": "exact",
        "params": float(network.dim),
    }
    return [common | of_networks, common | of_linear]


def _mean(values: Array) -> tuple[float, float]:
    """The mean over replicates with its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)


def said(verdict: Verdict) -> dict[str, Any]:
    """A verdict as columns of a row, with its sentence."""
    return {**verdict.columns, "said": str(verdict)}


def slope_line(
    found: Sequence[Beside], reading: str, k: int, x: Sequence[int], quantity: str, name: str,
    panel: str, column: str,
) -> Rows:  # fmt: skip
    """The rows of precision k at every x, with the verdict on the slope of its increments."""
    slope = log_slope(x)
    values = np.stack([each.increments(reading, k) for each in found])
    linear = slope(np.array([each.linear_increment(reading, k) for each in found]))
    more = said(judged(f"{panel}, {name}", quantity, slope, values, linear))
    return [
        each
        for at, cell in zip(x, found, strict=True)
        for each in row(cell, reading, k, float(at), name, panel, **{column: at}, **more)
    ]


def in_study(
    name: str, question: str, rows: Rows, x: str, y: str = "gap", label: str = GAP
) -> Study:
    """The study of some rows; its answer is their verdicts, each once."""
    sentences = (each["said"] for each in rows if "said" in each)
    table = pl.DataFrame(rows, infer_schema_length=None)
    answer = tuple(dict.fromkeys(sentences))
    return Study(name, question, table, "x", y, "series", "panel", (x, label), answer)
