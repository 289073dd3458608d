"""The verb ``simulate``: the excess risk of every combination of a grid, as a table of runs for
laws.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import polars as pl

from isoloss.files import shown_value
from isoloss.formats import Format, Precision
from isoloss.linear.asked import check_descent, check_problem, check_reading
from isoloss.linear.checks import whole
from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import INPUT_WORDS, Inputs, Parts, Risk
from isoloss.linear.risk_of import excess_risks
from isoloss.linear.sampled import REPLICATES, Manner, Replicates, Sampling, manner_of, swept_risks
from isoloss.runs import Grid, Runs

Cell = dict[str, Any]
#: What a grid may vary beside precision: fields of the problem, of the descent, and how the risk is
#: read.
OF_PROBLEM = ("dim", "decay", "noise_var", "target", "sketch", "kurtosis", "site", "seed")
OF_DESCENT = ("steps", "samples", "batch", "step_size", "schedule", "momentum", "rule")
OF_READING = ("iterate", "inputs")
OF_MANNER = ("passes", "stored", "error_feedback")
KNOWN = ("precision", *OF_DESCENT, *OF_PROBLEM, *OF_READING, *OF_MANNER)
#: Lists with a column of their own wherever they are given.
IN_COLUMNS = ("noise_var", "target", "kurtosis", "site", "momentum", "rule")
#: The largest whole number that a column of a table holds.
LARGEST_COUNT = 2**127 - 1
_PARTS = tuple(each.name for each in fields(Parts))


@dataclass(frozen=True)
class _Setting:
    """A cell of a grid: the point, how its risk is read and sampled, and columns of its own."""

    point: tuple[Regression, SGD, Precision]
    iterate: str
    inputs: Inputs
    manner: Manner
    columns: Cell = field(default_factory=dict)


def simulate(
    problem: Regression,
    grid: Grid | Mapping[str, Any],
    sgd: SGD | None = None,
    *,
    iterate: str = "average",
    inputs: str = "clean",
    method: str = "exact",
    scales: Scales = DEFAULT_SCALES,
    replicates: int | None = None,
    seed: int | None = None,
    passes: int = 1,
    stored: Format | str | None = None,
    error_feedback: bool = False,
) -> Runs:
    """Excess risk of every combination of a grid, as runs that laws can be fitted to.

    Parameters
    ----------
    problem : Regression
        What the grid leaves out of the problem.
    grid : Grid or dict
        Lists of precision; of samples or steps, batch, step_size, schedule, momentum, rule of the
        descent; of dim, decay, noise_var, target, sketch, kurtosis, site, seed of the problem; of
        iterate and inputs; of passes, stored and error_feedback of method 'sampled'.
    sgd : SGD, optional
        What the grid leaves out of the descent; by default one step of half the stability limit.
    iterate, inputs, method, scales
        As in `excess_risk`, where the grid does not say.
    replicates, seed : int, optional
        Of method 'sampled', by default 1000 and 0; precisions share their random numbers.
    passes, stored, error_feedback
        Of method 'sampled', as in `sample_risk`, where the grid does not say; a grid spells weights
        in full precision as stored 'fp'.

    Returns
    -------
    Runs
        One row a combination: params (sketch or dim), tokens (steps x batch), precision, loss
        (excess risk) and its parts in columns of their own; the first five sum to the loss,
        `quantised_norm` is null on clean inputs. An unstable step size stays as a
        diverged row with the limit as its reason. Sampled rows that have full precision beside them
        say what they cost more, `gap`, by pairs of replicates, with its standard error `gap_se`.

    Raises
    ------
    ValueError
        An unknown list, a value that is out of range, an argument that the method or the grid
        has no use for, two numbers of samples that are the same steps, or every combination
        diverges.
    """
    check_problem(problem)
    base = SGD(1) if sgd is None else check_descent(sgd)
    check_reading(iterate, inputs, scales)
    usual: Cell = {
        "iterate": iterate,
        "inputs": inputs,
        "passes": passes,
        "stored": stored,
        "error_feedback": error_feedback,
    }
    cells = [dict(cell) for cell in _grid_of(grid)]
    _check_lists(cells[0])
    asked = [_setting(problem, base, cell, usual, method) for cell in cells]
    _check_samples(cells, [each.point for each in asked])
    drawing = _drawing(method, replicates, seed)
    scales.check_used(_rounded(asked))
    if method == "sampled":
        drawn = [Sampling(each.point, each.iterate, each.inputs, each.manner) for each in asked]
        found = swept_risks(drawn, scales, *drawing)
        risks = [each if isinstance(each, str) else each.risk for each in found]
        beside = _gaps(asked, found)
    else:
        risks, beside = _exact(asked, method, scales), [{}] * len(asked)
    rows = [_row(*each[:2]) | each[2] for each in zip(asked, risks, beside, strict=True)]
    if all(row["status"] == "diverged" for row in rows):
        raise ValueError(rows[0]["reason"])
    return Runs.from_frame(pl.DataFrame(rows, infer_schema_length=None))


def grid_points(
    problem: Regression, grid: Grid | Mapping[str, Any], sgd: SGD | None = None
) -> list[tuple[Regression, SGD, Precision]]:
    """Every combination of a grid as a point, which `excess_risks` and the bounds take.

    Parameters
    ----------
    problem, grid, sgd
        As in `simulate`; lists of the problem, the descent and precision.

    Returns
    -------
    list of (Regression, SGD, Precision)
        The last list that was written runs fastest.

    Raises
    ------
    ValueError
        An unknown list, a value that is out of range, or two numbers of samples that are the same
        steps.
    """
    check_problem(problem)
    base = SGD(1) if sgd is None else check_descent(sgd)
    cells = [dict(cell) for cell in _grid_of(grid)]
    _check_lists(cells[0], ("precision", *OF_DESCENT, *OF_PROBLEM))
    points = [_point(problem, base, cell) for cell in cells]
    _check_samples(cells, points)
    return points


def _grid_of(grid: object) -> Grid:
    if isinstance(grid, Grid):
        return grid
    if isinstance(grid, Mapping) and all(isinstance(name, str) for name in grid):
        return Grid(**grid)
    raise ValueError(
        f"grid is {shown_value(grid)}; accepted is a Grid, such as Grid(samples=[1e3, 1e4]), or "
        "a dict"
    )


def _check_lists(cell: Cell, known: tuple[str, ...] = KNOWN) -> None:
    for name in cell:
        if name not in known:
            raise ValueError(f"cannot vary '{name}' in regression; lists are {', '.join(known)}")
    if "samples" in cell and "steps" in cell:
        raise ValueError("a grid has samples or steps, not both: samples are steps x batch")


def _drawing(method: str, replicates: int | None, seed: int | None) -> tuple[int, int]:
    """Replicates and seed of a simulation. Raises ValueError where nothing is drawn."""
    for name, given in (("replicates", replicates), ("seed", seed)):
        if given is not None and method != "sampled":
            raise ValueError(
                f"{name} is {shown_value(given)}, but method {method!r} draws nothing; leave it "
                "out or use method='sampled'"
            )
    count = REPLICATES if replicates is None else whole("replicates", replicates, 4)
    return count, 0 if seed is None else whole("seed", seed, 0)


def _check_samples(
    cells: Sequence[Cell], points: Sequence[tuple[Regression, SGD, Precision]]
) -> None:
    """Raise ValueError for two numbers of samples of which whole batches leave the same."""
    others = (*OF_READING, *OF_MANNER)
    known: dict[tuple[Any, ...], int] = {}
    for cell, point in zip(cells, points, strict=True):
        if "samples" not in cell:
            return
        samples, sgd = int(cell["samples"]), point[1]
        first = known.setdefault((point, *(str(cell.get(name)) for name in others)), samples)
        if first != samples:
            raise ValueError(
                f"{first} and {samples} samples are the same {sgd.steps} steps of batch "
                f"{sgd.batch}; give multiples of the batch"
            )


def _rounded(asked: Sequence[_Setting]) -> Iterator[Precision]:
    """The precisions of a grid, and the formats that weights are stored in."""
    for each in asked:
        yield each.point[2]
        if each.manner.stored is not None:
            yield Precision.parse(f"w:{each.manner.stored}")


def _setting(problem: Regression, base: SGD, cell: Cell, usual: Cell, method: str) -> _Setting:
    """A cell checked. Raises ValueError for a value out of range, or what has no effect on it."""
    point, said = _point(problem, base, cell), usual | cell
    for name in ("site", "seed"):
        if name in cell and point[0].sketch is None:
            raise ValueError(f"{name} is of a sketch, and there is none; give sketch too")
    check_reading(said["iterate"], said["inputs"], DEFAULT_SCALES)
    if not isinstance(said["error_feedback"], bool):
        raise ValueError(
            f"error_feedback is {shown_value(said['error_feedback'])}; accepted are True and False"
        )
    manner = manner_of(point[1], *(said[name] for name in OF_MANNER))
    if manner != Manner() and method != "sampled":
        raise ValueError(
            "several passes, stored weights and error feedback have no exact risk; use "
            "method='sampled'"
        )
    columns = {name: cell[name] for name in IN_COLUMNS if name in cell}
    if "target" in columns:
        columns["target"] = str(columns["target"])
    if any(name in cell or usual[name] not in (1, None, False) for name in OF_MANNER):
        columns["passes"] = manner.passes
        columns["unique_tokens"] = float(point[1].steps * point[1].batch // manner.passes)
        columns["stored"] = str(manner.stored or "fp")
        columns["error_feedback"] = manner.feedback
    return _Setting(point, said["iterate"], said["inputs"], manner, columns)


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
                "whole number of a table"
            )
    return posed, descent, precision


def _exact(asked: Sequence[_Setting], method: str, scales: Scales) -> list[Risk | str]:
    """The exact risk of each; those of one reading run side by side."""
    found: dict[int, Risk | str] = {}
    readings = [(each.iterate, each.inputs) for each in asked]
    for reading in dict.fromkeys(readings):
        members = [k for k, each in enumerate(readings) if each == reading]
        risks = _risks([asked[k].point for k in members], *reading, method, scales)
        found |= dict(zip(members, risks, strict=True))
    return [found[k] for k in range(len(asked))]


def _gaps(asked: Sequence[_Setting], found: Sequence[Replicates | str]) -> list[Cell]:
    """What each costs beside the full precision of the same setting, by pairs of replicates."""
    settings = [(*each.point[:2], each.iterate, each.inputs, each.manner) for each in asked]
    exact = {
        setting: one
        for setting, each, one in zip(settings, asked, found, strict=True)
        if str(each.point[2]) == "fp" and not isinstance(one, str)
    }
    gaps = [
        None if isinstance(one, str) or setting not in exact else one.minus(exact[setting])
        for setting, one in zip(settings, found, strict=True)
    ]
    if all(str(each.point[2]) == "fp" for each in asked) or not exact:
        return [{}] * len(asked)
    return [{"gap": gap and gap.value, "gap_se": gap and gap.standard_error} for gap in gaps]


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


def _row(asked: _Setting, risk: Risk | str) -> Cell:
    (problem, sgd, precision), iterate, inputs = asked.point, asked.iterate, asked.inputs
    spectrum = f"i^-{problem.decay:g}" if problem.spectrum is None else "given"
    setting = f"regression, spectrum {spectrum}, noise {problem.noise_var:g}"
    family = f"{setting}, {iterate} iterate, {INPUT_WORDS[inputs]}{_spoken(asked.manner)}"
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
    if isinstance(risk, str):
        return row | asked.columns | _diverged(risk, sgd)
    return row | asked.columns | _measured(risk)


def _spoken(manner: Manner) -> str:
    """How a descent is run beyond one pass with weights in full precision."""
    passes = f", {manner.passes} passes" if manner.passes > 1 else ""
    stored = "" if manner.stored is None else f", weights stored in {manner.stored}"
    return passes + stored + (", error feedback" if manner.feedback else "")


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


def _diverged(why: str, sgd: SGD) -> Cell:
    unknown = dict.fromkeys(("loss", "loss_se", "how", *_PARTS))
    size = float(sgd.step_size) if sgd.share is None else None
    return {**unknown, "status": "diverged", "reason": why, "lr_peak": size}
