"""The regression laboratory: the exact risk of quantised SGD as spectrum, noise, batch and
dimension move.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import isoloss as il
from isoloss.app.asked import RegressionAsked
from isoloss.app.lines import call, command, plain

#: Numbers of samples at which the risk is computed.
POINTS = 17
#: Eigenvalues that are drawn.
EIGENVALUES = 60
#: The parts of a risk that are drawn, by their columns.
PARTS = ("bias", "variance", "approximation", "rounding", "floor")


def samples_of(asked: RegressionAsked) -> list[int]:
    """Numbers of samples up to what is asked, whole steps, evenly apart in their logarithm."""
    low = max(10, asked.samples // 10_000)
    steps = np.geomspace(low / asked.batch, asked.samples / asked.batch, POINTS)
    whole = dict.fromkeys(int(max(1, round(each))) * asked.batch for each in steps)
    return list(whole)


def regression(asked: RegressionAsked) -> dict[str, Any]:
    """Risk against samples, rounded and not, with its parts, and the spectrum."""
    problem: dict[str, Any] = {"dim": asked.dim, "decay": asked.decay, "noise_var": asked.noise_var}
    lists: dict[str, Any] = {
        "samples": samples_of(asked), "batch": [asked.batch], "step_size": [asked.step_size],
        "precision": list(dict.fromkeys(["fp", asked.precision])), "iterate": [asked.iterate],
        "inputs": [asked.inputs],
    }  # fmt: skip
    runs = il.simulate(il.Regression(**problem), il.Grid(**lists))
    names = [name for name in PARTS if name in runs.columns]
    curves = [_curve(runs, precision, names) for precision in lists["precision"]]
    index = np.unique(np.geomspace(1, asked.dim, EIGENVALUES).astype(int))
    words = {name: plain(value) for name, value in problem.items()}
    shell = command(
        "simulate", **words, samples=",".join(map(str, lists["samples"])), batch=asked.batch,
        step_size=plain(asked.step_size), precision=",".join(lists["precision"]),
        iterate=asked.iterate, inputs=asked.inputs,
    )  # fmt: skip
    made = call("il.Regression", **problem), call("il.Grid", **lists)
    return {
        "curves": curves,
        "spectrum": {
            "index": index, "eigenvalue": index.astype(float) ** -asked.decay,
            "noise": asked.noise_var,
        },
        "shell": [shell],
        "notebook": ["import isoloss as il", f"il.simulate({made[0]}, {made[1]})"],
    }  # fmt: skip


def _curve(runs: Any, precision: str, parts: list[str]) -> dict[str, Any]:
    spelled = str(il.Precision(precision))
    kept = [str(each) in (precision, spelled) for each in runs["precision"]]
    rows = np.flatnonzero(kept)
    reasons = dict.fromkeys(str(runs["reason"][i]) for i in rows if runs["reason"][i])
    return {
        "precision": precision,
        "samples": runs["tokens"][rows],
        "risk": runs["loss"][rows],
        "parts": {name: runs[name][rows] for name in parts},
        "why": list(reasons),
    }
