"""Files of one run: its evaluations along training, which no column names, and its last values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from isoloss.runs.intake.content.trajectories import names_runs
from isoloss.runs.problems import RunsError

#: Columns by which the history of a run of Weights & Biases is known: two of them.
OF_A_HISTORY = ("_step", "_runtime", "_timestamp")
_EVALUATED = re.compile(r"eval_(?:.+_)?loss")


def with_run(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """The history of one run with a column 'run' that holds the name of its file; any other frame
    as it is.
    """
    own = [column for column in frame.columns if names_runs(column)]
    known = sum(column in frame.columns for column in OF_A_HISTORY)
    if own or known < 2 or frame.height < 2:
        return frame
    return frame.with_columns(pl.lit(name).alias("run"))


def is_one_run(content: Mapping[str, Any]) -> bool:
    """Whether an object holds the values of one run, as wandb-summary.json: numbers or texts, and
    objects of these.
    """
    lists = any(isinstance(value, list) for value in content.values())
    plain = any(not isinstance(value, list | Mapping) for value in content.values())
    return plain and (not lists or any(column in content for column in OF_A_HISTORY))


def evaluations_of(
    state: Mapping[str, Any], name: str
) -> tuple[list[dict[str, Any]], list[int], str]:
    """The evaluations in the trainer_state.json of a Hugging Face Trainer.

    Parameters
    ----------
    state
        The content of the file.
    name
        Its name, which becomes the run of every row.

    Returns
    -------
    tuple
        One row an evaluation, or a line of its log where there is none; the place of each in the
        log; and what was taken for what.

    Raises
    ------
    RunsError
        The log holds no loss.
    """
    log = [entry if isinstance(entry, Mapping) else {} for entry in state["log_history"]]
    evaluated = [i for i, entry in enumerate(log) if any(map(_EVALUATED.fullmatch, entry))]
    places = evaluated or [i for i, entry in enumerate(log) if "loss" in entry]
    if not places:
        raise RunsError(
            f"{name} has no loss in its log_history; train with logging, and with evaluations for "
            "losses of unseen data"
        )
    rows = [_renamed(log[i], name) for i in places]
    tokens = all("tokens" in row for row in rows)
    note = "the evaluations" if evaluated else "no evaluation, but the training log"
    note += " of a Hugging Face Trainer"
    note += ", loss from eval_loss" if any("loss" in row for row in rows) else ""
    return rows, [i + 1 for i in places], note + (", tokens from num_input_tokens_seen" * tokens)


def _renamed(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An entry of the log under names of its own: the loss there is that of training."""
    row: dict[str, Any] = {"run": name}
    for key, value in entry.items():
        row[{"loss": "train_loss", "eval_loss": "loss"}.get(key, key)] = value
    seen = row.get("num_input_tokens_seen")
    if isinstance(seen, int | float) and seen > 0:
        row["tokens"] = row.pop("num_input_tokens_seen")
    return row
