"""The log of one run in training: its loss by step and tokens, from a file that may still grow or a
tracker.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from isoloss.files import reason, shown, shown_value
from isoloss.runs.intake import (
    Opened,
    is_source,
    open_bytes,
    open_file,
    open_source,
    unit_in_name,
)
from isoloss.runs.numbers import number
from isoloss.runs.problems import RunsError

#: Names of columns, as loggers write them, in the order in which they are looked for.
NAMES: Mapping[str, tuple[str, ...]] = {
    "step": (
        "step", "_step", "global_step", "trainer/global_step", "train/global_step", "steps",
        "iteration", "iter",
    ),
    "tokens": (
        "tokens", "tokens_seen", "train/tokens", "train/tokens_seen", "num_input_tokens_seen",
        "train/num_input_tokens_seen", "consumed_tokens", "total_tokens",
    ),
    "loss": (
        "loss", "train_loss", "train/loss", "training_loss", "lm_loss", "lm loss", "train/lm_loss",
        "train/ce_loss", "train/cross_entropy",
    ),
}  # fmt: skip
#: Endings of files that are appended to line by line, whose last line may be half written.
APPENDED = (".jsonl", ".csv", ".tsv", ".txt")


@dataclass(frozen=True, eq=False)
class TrainingLog:
    """What a run in training has logged, in the order of steps.

    Rows are given as they were written and kept in the order of steps (of tokens, where there are
    no steps), each step once: where a run was resumed and logged a step again, what it wrote last
    is what it went on from, and the rows from that step on that were written before are left out.
    A loss that is no finite number and comes back, as of a step that mixed precision skips, is left
    out too; `notes` say how many rows are.

    Attributes
    ----------
    name
        The file or tracker, for messages.
    step
        Steps, shape (rows,); None where the log has tokens alone.
    tokens
        Tokens seen, shape (rows,); None where the log has steps alone.
    loss
        Training loss in nats per token, shape (rows,), finite.
    diverged
        The step, or tokens, from which on no loss is a finite number, up to the end of the log;
        None where the last one is finite.
    notes
        What was left out, in words.

    Raises
    ------
    RunsError
        Columns of different lengths, steps or tokens that are no finite numbers of zero or more,
        tokens that fall while steps rise, neither steps nor tokens.
    """

    name: str
    step: np.ndarray | None
    tokens: np.ndarray | None
    loss: np.ndarray
    diverged: float | None = None
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        given = {kind: getattr(self, kind) for kind in NAMES}
        rows = {k: _numbers(self.name, k, v) for k, v in given.items() if v is not None}
        _check_rows(self.name, rows)
        by = "step" if "step" in rows else "tokens"
        order, again = _order(self.name, rows[by])
        rows = {kind: each[order] for kind, each in rows.items()}
        _check_order(rows, self.name)
        finite = np.isfinite(rows["loss"])
        diverged, skipped = _not_finite(self.name, by, rows[by], finite)
        for kind, each in rows.items():
            object.__setattr__(self, kind, each[finite])
        if diverged is not None:
            object.__setattr__(self, "diverged", diverged)
        object.__setattr__(self, "notes", (*self.notes, *again, *skipped))

    def __len__(self) -> int:
        return len(self.loss)


def read_log(source: str | Path, columns: Mapping[str, str] | None = None) -> TrainingLog:
    """Read the log of one run, as far as it is written.

    Parameters
    ----------
    source
        A file of rows (JSON lines, CSV and all other endings of `READERS`), or a tracker of
        `SOURCES` that holds one run, as "wandb:entity/project/run".
    columns
        Names of the columns step, tokens and loss, where they are not among those that loggers
        use; of a tracker the loss must be named, as {"loss": "train/loss"}.

    Returns
    -------
    TrainingLog
        One row a step, as `TrainingLog` keeps them; rows without a loss are of something else and
        left out.

    Raises
    ------
    RunsError
        It cannot be read, has no such column or several that may be it, holds several runs, or a
        value that is no number.
    """
    asked = dict(columns or {})
    if unknown := [name for name in asked if name not in NAMES]:
        raise RunsError(f"logs have no column {unknown[0]!r}; accepted are {', '.join(NAMES)}")
    opened, notes = _opened(source, asked)
    frame, name = opened.frame, opened.origin.name
    named = {kind: _column(frame, kind, asked.get(kind), name) for kind in NAMES}
    if named["loss"] is None or (named["step"] is None and named["tokens"] is None):
        lacking = "loss" if named["loss"] is None else "step or tokens"
        raise RunsError(
            f"{name} has no column of {lacking}; it has {', '.join(frame.columns)}: name it like "
            f"--column {lacking.split()[0]}=NAME"
        )
    _check_nats(named["loss"], name)
    values = {kind: _floats(frame[own], opened) for kind, own in named.items() if own is not None}
    return _log(name, values, (*opened.notes, *notes))


def _check_nats(column: str, name: str) -> None:
    """Raise RunsError where the name of a loss column says another unit than nats per token."""
    unit = unit_in_name(column)
    if unit is not None and (unit.metric != "nats" or unit.scale != 1):
        raise RunsError(
            f"column {column!r} of {name} is in {unit.words}; accepted is a loss in nats per token"
        )


def _opened(source: str | Path, asked: Mapping[str, str]) -> tuple[Opened, tuple[str, ...]]:
    """The raw rows of a log, a line that is half written left out."""
    if isinstance(source, str) and is_source(source):
        if "loss" not in asked:
            raise RunsError("the loss of a tracker has a name of its own; give --column loss=NAME")
        opened = open_source(source, [own for kind, own in asked.items() if kind != "step"])
        if len(runs := set(opened.origin.rows or ())) > 1:
            raise RunsError(
                f"{opened.origin.name} holds {len(runs)} runs; name one, as its address ends in "
                "its id"
            )
        return opened, ()
    path = Path(source)
    if path.suffix.lower() not in APPENDED or not path.is_file():
        return open_file(path), ()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunsError(f"cannot read {shown(path)}: {reason(error)}") from None
    whole, last, rest = data.rpartition(b"\n")
    if not rest.strip() or not last:
        return open_bytes(data, path.name), ()
    note = f"the last line of {path.name} has no end yet and is left out"
    return open_bytes(whole + last, path.name), (note,)


def _column(frame: pl.DataFrame, kind: str, own: str | None, name: str) -> str | None:
    """The column of a kind; RunsError where the one that is named is not there."""
    if own is not None:
        if own not in frame.columns:
            raise RunsError(f"{name} has no column {own!r}; it has {', '.join(frame.columns)}")
        return own
    by_name = {column.lower(): column for column in reversed(frame.columns)}
    found = [by_name[word] for word in NAMES[kind] if word in by_name]
    found = [column for column in found if frame[column].null_count() < frame.height]
    if kind == "loss" and len(found) > 1:
        raise RunsError(
            f"{name} has several columns of losses, {', '.join(found)}: name one like "
            f"--column loss={found[0]}"
        )
    return found[0] if found else None


def _floats(series: pl.Series, opened: Opened) -> np.ndarray:
    """A column as numbers: NaN for what is none, -inf for empty cells."""
    out = np.empty(len(series))
    for row, cell in enumerate(series.to_list()):
        out[row] = _float(cell, series.name, opened.origin.place(row))
    return out


#: Stands for an empty cell, which no log holds as a number.
_EMPTY = -math.inf


def _float(cell: object, column: str, place: str) -> float:
    text = str(cell).strip().lower()
    if cell is None or not text:
        return _EMPTY
    if text.lstrip("+-") in ("nan", "inf", "infinity"):
        return math.nan
    try:
        return number(cell)
    except RunsError as error:
        raise RunsError(f"column '{column}': {error} {place}") from None


def _log(name: str, values: dict[str, np.ndarray], notes: tuple[str, ...]) -> TrainingLog:
    """The rows with a loss; RunsError where there is none."""
    known = np.all([each != _EMPTY for each in values.values()], axis=0)
    if not known.any():
        raise RunsError(f"{name} has no row with a loss yet")
    rows = {kind: each[known] for kind, each in values.items()}
    return TrainingLog(name, rows.get("step"), rows.get("tokens"), rows["loss"], notes=notes)


def _numbers(name: str, kind: str, values: object) -> np.ndarray:
    """A column as an array of numbers; RunsError where it is none."""
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise RunsError(
            f"{kind} of {name} is {shown_value(values)}; it is an array of numbers"
        ) from None
    if found.ndim != 1:
        raise RunsError(f"{kind} of {name} has the shape {found.shape}; accepted is (rows,)")
    return found


def _check_rows(name: str, rows: Mapping[str, np.ndarray]) -> None:
    """RunsError for columns of different lengths, and places that are no finite numbers."""
    if "loss" not in rows or len(rows) < 2:
        lacking = "loss" if "loss" not in rows else "step and no tokens"
        raise RunsError(f"{name} has no {lacking}; a log is losses by steps, tokens or both")
    if len({len(each) for each in rows.values()}) > 1:
        lengths = ", ".join(f"{kind} {len(each)}" for kind, each in rows.items())
        raise RunsError(f"the columns of {name} have different lengths: {lengths}")
    for kind in rows.keys() - {"loss"}:
        wrong = np.flatnonzero(~(np.isfinite(rows[kind]) & (rows[kind] >= 0)))
        if len(wrong):
            raise RunsError(
                f"{kind} of {name} is {rows[kind][wrong[0]]:g} in row {wrong[0] + 1}; accepted are "
                "finite numbers of zero or more"
            )


def _order(name: str, place: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The rows that count in the order of their places, and what is left out.

    A place that falls onto one that was there before is that of a run that was resumed: what was
    written before from that place on is not what it went on from. If it falls elsewhere, rows are
    in no order of writing, and the last of each place counts.
    """
    again = np.ones(len(place), dtype=bool)
    again[np.unique(place, return_index=True)[1]] = False
    falls = np.flatnonzero(np.diff(place) < 0) + 1
    notes: tuple[str, ...] = ()
    if again[falls].all():
        resumed = np.minimum.accumulate(np.where(again, place, np.inf)[::-1])[::-1]
        kept = np.flatnonzero(place < np.append(resumed[1:], np.inf)[: len(place)])
    else:
        kept = len(place) - 1 - np.unique(place[::-1], return_index=True)[1]
        notes = (f"rows of {name} do not ascend and were sorted",)
    if left := len(place) - len(kept):
        said = "their places, or earlier ones, were logged again later"
        notes += (f"{_rows(left)} of {name} left out: {said}",)
    return kept, notes


def _not_finite(
    name: str, by: str, place: np.ndarray, finite: np.ndarray
) -> tuple[float | None, tuple[str, ...]]:
    """The place from which on no loss is finite, and what to say of losses that are not."""
    if finite.all():
        return None, ()
    first, end = int(finite.argmin()), int(np.flatnonzero(finite)[-1]) + 1 if finite.any() else 0
    notes: tuple[str, ...] = ()
    if skipped := end - int(finite.sum()):
        later = int(finite[first:].sum())
        notes = (
            f"{_rows(skipped)} of {name} left out, whose loss is no finite number, from {by} "
            f"{place[first]:g} on; finite rows after it: {later}",
        )
    if end == len(place):
        return None, notes
    lost = f"in the last {_rows(len(place) - end)} of {name}, from {by} {place[end]:g} on"
    return float(place[end]), (*notes, f"the loss is no finite number {lost}")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _check_order(rows: Mapping[str, np.ndarray], name: str) -> None:
    """RunsError where tokens fall while steps rise, as where two runs are in one file."""
    tokens: Sequence[float] | np.ndarray = rows.get("tokens", ())
    if len(tokens) and bool(np.any(np.diff(tokens) < 0)):
        raise RunsError(f"the tokens of {name} fall between two steps; a log is of one run")
