"""Simulated regression as a table on the screen: what counts, what differs between rows, the risk
and its parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import isoloss as il
from isoloss.cli.output.runs_report import sections
from isoloss.fits import Section
from isoloss.runs import Runs, compact

#: A table of more rows is summed up, not printed.
MOST_ROWS = 60
COUNTS = {"params": "params", "tokens": "samples", "batch_tokens": "batch"}
#: Settings that are shown where rows differ in them.
DIFFERING = (
    "decay", "noise_var", "target", "kurtosis", "site", "seed", "schedule", "momentum", "rule",
    "iterate", "inputs", "passes", "stored", "error_feedback",
)  # fmt: skip


def simulated_sections(runs: Runs) -> list[Section]:
    """One row a run, or a summary where there are many."""
    if len(runs) > MOST_ROWS:
        return sections(runs, "regression")
    columns = dict(_settings(runs)) | {"risk": _numbers(runs, "loss")}
    columns |= {head: _numbers(runs, name) for name, head in _parts(runs)}
    pairs = zip(runs["how"], runs["status"], strict=True)
    columns["how"] = [str(how or status) for how, status in pairs]
    why = tuple(dict.fromkeys(str(reason) for reason in runs.excluded["reason"]))
    count = f"{len(runs)} run{'s' if len(runs) > 1 else ''}"
    title = f"{count} of quantised SGD on linear regression"
    iterates, inputs = (tuple(dict.fromkeys(runs[name])) for name in ("iterate", "inputs"))
    read = [f"{iterates[0]} iterate"] if len(iterates) == 1 else []
    read += [il.linear.INPUT_WORDS[inputs[0]]] if len(inputs) == 1 else []
    lines = (", ".join(["excess risk", *read]), *why)
    return [Section(title, lines, tuple(columns), tuple(zip(*columns.values(), strict=True)))]


def _settings(runs: Runs) -> Iterator[tuple[str, list[str]]]:
    """Columns of settings by their heads."""
    for name, head in COUNTS.items():
        yield head, [compact(float(value)) for value in runs[name]]
    if any(runs["params"] != runs["dim"]) and len(set(runs["dim"].tolist())) > 1:
        yield "dim", [compact(float(value)) for value in runs["dim"]]
    yield "step size", _numbers(runs, "lr_peak")
    yield "precision", [str(value) for value in runs["precision"]]
    for name in DIFFERING:
        if name in runs.columns and len(set(runs[name].tolist())) > 1:
            yield name.replace("_", " "), [_word(value) for value in runs[name].tolist()]


def _parts(runs: Runs) -> Iterator[tuple[str, str]]:
    """Columns of the risk's parts with their heads; those that no row has are left out."""
    if any(value > 0 for value in runs["loss_se"]):
        yield "loss_se", "+-"
    if "gap" in runs.columns:
        yield from (("gap", "over fp"), ("gap_se", "+- paired"))
    yield from (("bias", "bias"), ("variance", "variance"))
    if any(value > 0 for value in runs["approximation"]):
        yield "approximation", "approximation"
    if any(value > 0 for value in runs["rounding"]):
        yield "rounding", "rounding"
    if "clean" in runs["inputs"]:
        yield "asymptotic_bias", "asymptotic bias"
    if "in use" in runs["inputs"]:
        yield from (("floor", "floor"), ("quantised_norm", "quantised norm"))


def _numbers(runs: Runs, name: str) -> list[str]:
    return ["-" if value != value else f"{value:.4g}" for value in runs[name].tolist()]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, int | float) else str(value)
