"""Several evaluations of one run: found by what columns hold, and the last of each kept on request.

A column names runs where it has few values, params and precision are the same in all rows of one,
and tokens are different in each. A grid of separate runs in a column of sizes looks the same, so
its name, or evenly spaced tokens on which the loss falls, must speak for it; nothing is left out
unasked.
"""

from __future__ import annotations

import re
import shlex
import warnings

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoloss.files import did_you_mean
from isoloss.runs.intake.cells import listed
from isoloss.runs.intake.origin import Origin
from isoloss.runs.problems import RunsError, TrajectoriesFound

#: Names of columns that name the run of a row.
NAMES_OF_RUNS = frozenset({
    "run", "run_id", "runid", "run_name", "run_uuid", "name", "id", "trial", "trial_id",
    "experiment",
})  # fmt: skip
#: Fewest rows of a run in the median for any of this, and for even steps to tell; the share of
#: runs that must look so; and the spread of steps that is even.
ROWS, EVEN_ROWS, MOST_RUNS, EVEN = 3, 6, 0.8, 0.02
#: First rows, of which two models of one value settle that it names no run.
FIRST = 1000


def not_last(frame: pl.DataFrame, column: str, origin: Origin, losses: pl.Series) -> dict[int, str]:
    """Why rows are left out where only the last of each run is kept, by position.

    The last row has the most tokens, also where its loss is NaN: the run ended so. One whose loss
    is empty is no evaluation, as in a history that logs more often than it evaluates. Where tokens
    are equal or cannot be read, the later row of the table is it.

    losses: the loss as it stood in the table.

    Raises RunsError where there is no such column, or one run would have several params.
    """
    names = {own: name for name, own in origin.called.items() if name in frame.columns}
    name = column if column in frame.columns else names.get(column)
    if name is None:
        meant = did_you_mean(column, frame.columns, 1, 0.6) or (
            f"its columns are {listed(frame.columns)}"
        )
        raise RunsError(f"{origin.name} has no column '{column}' to tell runs by; {meant}")
    tokens = [-1.0 if t is None or t != t else t for t in frame["tokens"].to_list()]
    runs = [None if value is None else str(value).strip() for value in frame[name].to_list()]
    last: dict[str, int] = {}
    sizes: dict[str, float] = {}
    for row, (run, size) in enumerate(zip(runs, frame["params"].to_list(), strict=True)):
        if run and size is not None and sizes.setdefault(run, size) != size:
            raise RunsError(
                f"column '{column}' of {origin.name} does not tell runs apart: '{run}' has params "
                f"{sizes[run]:g} and {size:g} {origin.place(row)}; name a column with a value a run"
            )
    texts = losses.dtype == pl.String
    logged = losses.str.strip_chars().fill_null("") != "" if texts else losses.is_not_null()
    reached = list(zip(logged.to_list(), tokens, strict=True))
    for row, run in enumerate(runs):
        if run and (run not in last or reached[row] >= reached[last[run]]):
            last[run] = row
    kept = set(last.values())
    return {
        row: f"column '{column}' is empty, so whose last row it is is not known {origin.place(row)}"
        if not run
        else f"not the last row of its run, which column '{column}' names {origin.place(row)}"
        for row, run in enumerate(runs)
        if row not in kept
    }


def say_trajectories(table: pl.DataFrame, origin: Origin) -> str | None:
    """Warn where usable rows look like evaluations along runs that no group declares.

    Returns
    -------
    str or None
        The column that names the runs, where there is one.
    """
    ok = table["status"] == "ok"
    rows = table if ok.all() else table.filter(ok)
    declared = "group" in rows.columns and rows["group"].null_count() < rows.height
    if declared or rows.height < 2:
        return None
    found = _column_of_runs(rows)
    if found is None:
        return None
    runs = rows[found].n_unique()
    names = "of one size each: " if found == "params" else f"which column '{found}' names: "
    along = f"{runs} runs" if runs > 1 else "one run"
    group = origin.called.get("params", found) if found == "params" else found
    warnings.warn(
        f"{rows.height} rows of {origin.name} look like evaluations along {along}, {names}"
        f"keep the last of each with last='{found}' (--last {found}), or say that rows of a run "
        f"are not independent with --column {shlex.quote(f'group={group}')}",
        TrajectoriesFound,
        stacklevel=2,
    )
    return found


def _column_of_runs(rows: pl.DataFrame) -> str | None:
    own = [name for name in rows.columns if name not in _NO_NAMES]
    own.sort(key=lambda name: not names_runs(name))
    for name in own:
        values = rows[name]
        if values.null_count() or (values.dtype == pl.Float64 and not names_runs(name)):
            continue
        count, least = values.n_unique(), ROWS
        if count == 1 and name == "run":  # all rows are of one run, however few
            least = 1
        elif rows.height < 2 * ROWS or not 1 <= count <= rows.height // ROWS:
            continue
        if _one_model(rows, name, least) and (names_runs(name) or _even(rows, name)):
            return name
    few = rows["params"].n_unique() <= rows.height // EVEN_ROWS
    return "params" if few and _one_model(rows, "params") and _even(rows, "params") else None


_NO_NAMES = frozenset({
    "params", "tokens", "loss", "metric", "status", "reason", "precision", "loss_se", "flops",
    "source", "corpus", "eval_set", "tokenizer", "family", "unique_tokens", "params_kind",
})  # fmt: skip


def names_runs(name: str) -> bool:
    """Whether a column of this name names the run of each row."""
    return re.sub(r"[\s-]+", "_", name.lower().rsplit(".", 1)[-1]) in NAMES_OF_RUNS


def _one_model(rows: pl.DataFrame, name: str, least: int = ROWS) -> bool:
    """Whether rows of one value are one model in one precision at different tokens."""
    first = rows.head(FIRST).select(pl.col(name).alias("_run"), "params")
    if first.n_unique() > first["_run"].n_unique():
        return False
    each = rows.group_by(pl.col(name).alias("_run")).agg(
        pl.col("params").n_unique().alias("p"),
        pl.col("precision").n_unique().alias("q"),
        pl.col("tokens").n_unique().alias("t"),
        pl.len().alias("n"),
    )
    alike = (each["p"] == 1).all() and (each["q"] == 1).all() and (each["t"] == each["n"]).all()
    return bool(alike and each["n"].median() >= least)  # type: ignore[operator]


def _even(rows: pl.DataFrame, name: str) -> bool:
    """Whether tokens of most values rise in even steps while the loss falls."""
    parts = rows.sort("tokens").partition_by(name)
    looks = [_one_run(p["tokens"].to_numpy(), p["loss"].to_numpy()) for p in parts]
    return float(np.mean(looks)) >= MOST_RUNS


def _one_run(tokens: NDArray[np.float64], loss: NDArray[np.float64]) -> bool:
    if len(tokens) < EVEN_ROWS:
        return False
    steps = np.diff(tokens)
    falls = float(np.mean(np.diff(loss) < 0))
    return bool(np.ptp(steps) <= EVEN * float(steps.mean()) and falls >= MOST_RUNS)
