"""The verb ``simulate``: the excess risk of every combination of a grid, as a table of runs for
laws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import polars as pl

from isoloss.files import shown_value
from isoloss.formats import Precision
from isoloss.linear.asked import check_descent, check_problem, check_reading
from isoloss.linear.checks import whole
from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import INPUT_WORDS, Inputs, Parts, Risk
from isoloss.linear.risk_of import excess_risks
from isoloss.linear.sampled import REPLICATES, sample_risk
from isoloss.runs import Grid, Runs

Cell = dict[str, Any]
#: What a grid may vary beside precision: fields of the problem, of the descent, and how the risk is
#: read.
OF_PROBLEM = ("dim", "decay", "noise_var", "target", "sketch", "kurtosis", "site", "seed")
OF_DESCENT = ("steps", "samples", "batch", "step_size", "schedule", "momentum", "rule")
OF_READING = ("iterate", "inputs")
#: The largest whole number that a column of a table holds.
LARGEST_COUNT = 2**127 - 1
_PARTS = tuple(each.name for each in fields(Parts))


def simulate(
    problem: Regression,
    grid: Grid | Mapping[str, Any],
    sgd: SGD | None = None,
    *,
    iterate: str = "average",
    inputs: str = "clean",
    method: str = "exact",
    scales: Scales = DEFAULT_SCALES,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Runs:
    """Excess risk of every combination of a grid, as runs that laws can be fitted to.

    Parameters
    ----------
    problem : Regression
        What the grid leaves out of the problem.
    grid : Grid or dict
        Lists of precision; of samples or steps, batch, step_size, schedule, momentum, rule of
        the descent; of dim, decay, noise_var, target, sketch, kurtosis, site, seed of the problem;
        of iterate and inputs.
    sgd : SGD, optional
        What the grid leaves out of the descent; by default one step of half the stability limit.
    iterate, inputs, method, scales
        As in `excess_risk`, where the grid does not say.
    replicates, seed : int
        Of method 'sampled'; precisions share their random numbers.

    Returns
    -------
    Runs
        One row a combination: params (sketch or dim), tokens (steps x batch), precision, loss
        (excess risk) and its parts in columns of their own; the first five sum to the loss,
        `quantised_norm` is null on clean inputs. An unstable step size stays as a
        diverged row with the limit as its reason.

    Raises
    ------
    ValueError
        An unknown list, a value that is out of range, or every combination diverges.
    """
    check_problem(problem)
    base = SGD(1) if sgd is None else check_descent(sgd)
    check_reading(iterate, inputs, scales)
    whole("replicates", replicates, 4)
    whole("seed", seed, 0)
    cells = [dict(cell) for cell in _grid_of(grid)]
    _check_lists(cells[0])
    points = [_point(problem, base, cell) for cell in cells]
    readings = [(cell.get("iterate", iterate), cell.get("inputs", inputs)) for cell in cells]
    rows: list[Cell | None] = [None] * len(cells)
    for reading in dict.fromkeys(readings):
        members = [k for k, each in enumerate(readings) if each == reading]
        chosen = [points[k] for k in members]
        found = (
            _risks(chosen, *reading, method, scales)
            if method != "sampled"
            else _sampled(chosen, *reading, scales, replicates, seed)
        )
        for k, risk in zip(members, found, strict=True):
            rows[k] = _row(*points[k], *reading, risk)
    if all(row is not None and row["status"] == "diverged" for row in rows):
        raise ValueError(rows[0]["reason"])  # type: ignore[index]
    return Runs.from_frame(pl.DataFrame(rows, infer_schema_length=None))


def _grid_of(grid: object) -> Grid:
    if isinstance(grid, Grid):
        return grid
    if isinstance(grid, Mapping) and all(isinstance(name, str) for name in grid):
        return Grid(**grid)
    raise ValueError(
        f"grid is {shown_value(grid)}; accepted is a Grid, such as Grid(samples=[1e3, 1e4]), or "
        "a dict"
    )


def _check_lists(cell: Cell) -> None:
    known = ("precision", *OF_DESCENT, *OF_PROBLEM, *OF_READING)
    for name in cell:
        if name not in known:
            raise ValueError(f"cannot vary '{name}' in regression; lists are {', '.join(known)}")
    if "samples" in cell and "steps" in cell:
        raise ValueError("a grid has samples or steps, not both: samples are steps x batch")


def _point(problem: Regression, sgd: SGD, cell: Cell) -> tuple[Regression, SGD, Precision]:
    """The problem, the descent and the precision of a cell."""
    ours = {name: cell[name] for name in OF_PROBLEM if name in cell}
    theirs = {name: cell[name] for name in OF_DESCENT if name in cell}
    posed = replace(problem, **ours) if ours else problem
    precision = Precision.parse(cell.get("precision", "fp"))
    if "samples" in theirs:
        samples = theirs.pop("samples")
        kept = {each.name: getattr(sgd, each.name) for each in fields(sgd) if each.name != "steps"}
        descent = SGD.samples(samples, **(kept | theirs))
    else:
        descent = replace(sgd, **theirs)
    for name, count in (("dim", posed.dim), ("steps", descent.steps)):
        if count > LARGEST_COUNT:
            raise ValueError(
                f"{name} is {count:.6g}; accepted is at most {LARGEST_COUNT:.3g}, the largest "
                "whole "
                "number of a table"
            )
    return posed, descent, precision


def _risks(
    points: Sequence[tuple[Regression, SGD, Precision]],
    iterate: str,
    inputs: str,
    method: str,
    scales: Scales,
) -> list[Risk | str]:
    """The risk of each point, or the sentence that says why its step size diverges."""
    try:
        return list(excess_risks(points, iterate, inputs, method, scales))  # type: ignore[arg-type]
    except ValueError as error:
        if "unstable" not in str(error):
            raise
        if len(points) == 1:
            return [str(error)]
    middle = len(points) // 2
    halves = (points[:middle], points[middle:])
    return [risk for half in halves for risk in _risks(half, iterate, inputs, method, scales)]


def _sampled(
    points: Sequence[tuple[Regression, SGD, Precision]],
    iterate: str,
    inputs: Inputs,
    scales: Scales,
    replicates: int,
    seed: int,
) -> list[Risk | str]:
    """The sampled risk of each point, or the sentence that says why it diverges."""
    found: list[Risk | str] = []
    for problem, sgd, precision in points:
        try:
            found.append(
                sample_risk(
                    problem,
                    sgd,
                    precision,
                    iterate,
                    inputs,
                    replicates=replicates,
                    seed=seed,
                    scales=scales,
                )
            )
        except ValueError as error:
            if "unstable" not in str(error) and "diverge" not in str(error):
                raise
            found.append(str(error))
    return found


def _row(
    problem: Regression, sgd: SGD, precision: Precision, iterate: str, inputs: str, risk: Risk | str
) -> Cell:
    spectrum = f"i^-{problem.decay:g}" if problem.spectrum is None else "given"
    setting = f"regression, spectrum {spectrum}, noise {problem.noise_var:g}"
    family = f"{setting}, {iterate} iterate, {INPUT_WORDS[inputs]}"
    row: Cell = {
        "params": float(problem.sketch or problem.dim),
        "tokens": float(sgd.steps * sgd.batch),
        "precision": str(precision),
        "metric": "excess_risk",
        "seed": problem.seed,
        "source": "isoloss.linear",
        "family": family,
        "optimizer": f"sgd, {sgd.updating}" if sgd.updating else "sgd",
        "batch_tokens": float(sgd.batch),
        "schedule": sgd.schedule,
        "dim": problem.dim,
        "decay": problem.decay,
        "steps": sgd.steps,
        "iterate": iterate,
        "inputs": inputs,
    }
    return row | (_diverged(risk) if isinstance(risk, str) else _measured(risk))


def _measured(risk: Risk) -> Cell:
    # What is not known, or not measured, is null in a table.
    values = ((name, getattr(risk.parts, name)) for name in _PARTS)
    parts = {name: None if value is None or math.isnan(value) else value for name, value in values}
    return {
        "loss": risk.value,
        "loss_se": risk.standard_error or None,
        "status": "ok",
        "reason": None,
        "lr_peak": risk.step_size,
        "how": risk.how,
        **parts,
    }


def _diverged(why: str) -> Cell:
    unknown = dict.fromkeys(("loss", "loss_se", "lr_peak", "how", *_PARTS))
    return {**unknown, "status": "diverged", "reason": why}
