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

from isoloss.files import reason, shown
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
        The step, or tokens, of the first loss that is no finite number, where the rows end; None
        where there is none.
    notes
        What was left out, in words.
    """

    name: str
    step: np.ndarray | None
    tokens: np.ndarray | None
    loss: np.ndarray
    diverged: float | None = None
    notes: tuple[str, ...] = field(default=())

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
        One row a step: of a step that was logged twice the later, as a run that was resumed logs
        it again; rows without a loss are of something else and left out.

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
    """Rows with a loss, the later of two of one step, in order, up to the first that is no
    number.
    """
    known = np.all([each != _EMPTY for each in values.values()], axis=0)
    rows = {kind: each[known] for kind, each in values.items()}
    place = rows.get("step", rows.get("tokens"))
    assert place is not None
    if not len(place):
        raise RunsError(f"{name} has no row with a loss yet")
    if np.isnan(place).any():
        raise RunsError(
            f"{name} has a step that is no number in row {np.isnan(place).argmax() + 1}"
        )
    kept = {float(at): row for row, at in enumerate(place)}
    order = [kept[at] for at in sorted(kept)]
    rows = {kind: each[order] for kind, each in rows.items()}
    place, finite = place[order], np.isfinite(rows["loss"])
    ends = len(finite) if finite.all() else int(finite.argmin())
    _check_order(rows, name)
    return TrainingLog(
        name,
        rows["step"][:ends] if "step" in rows else None,
        rows["tokens"][:ends] if "tokens" in rows else None,
        rows["loss"][:ends],
        float(place[ends]) if ends < len(finite) else None,
        notes,
    )


def _check_order(rows: Mapping[str, np.ndarray], name: str) -> None:
    """RunsError where tokens fall while steps rise, as where two runs are in one file."""
    tokens: Sequence[float] | np.ndarray = rows.get("tokens", ())
    if len(tokens) and bool(np.any(np.diff(tokens) < 0)):
        raise RunsError(f"the tokens of {name} fall between two steps; a log is of one run")
