"""Exports as trackers and people write them, each of nine runs on one law: what must come out.

Every case of a reader has a test on an input of our own:

=============================  =====================================================================
case                           test
=============================  =====================================================================
tracker_state_column           here, 'W&B table'; test_runs_endings, a_fit_of_such_an_export
tracker_export_dclm            here, hint_of_an_isoflop_export; test_runs_counts, flops_in_another
tracker_api_dicts              here, 'W&B API'; test_runs_hints, cells_that_hold_objects
tracker_wide_history           test_runs_hints and test_runs_histories, an_export_of_a_chart
many_evals_a_run               test_runs_trajectories, evaluations_along_runs, the_last_row
tokens_in_billions(_column)    test_runs_counts, counts_in_another_unit, a_unit_in_a_name
params_in_millions             the same
two_units_one_column           tests/fits/units/test_fits_rows, a_column_that_splits_cells
bits_per_char                  test_runs_loss_units, a_unit_in_the_name_of_the_loss_column
bits_column                    test_runs_hints, what_is_proposed
mlflow_search_runs             here, 'MLflow'
a column twice                 test_runs_hints, a_frame_with_a_column_twice
a number that overflows        test_runs_broken, a_whole_number_of_hundreds_of_digits
a cell of escape sequences     here, escape_sequences; tests/cli/test_cli_beyond, what_a_terminal
a full disk                    test_runs_reading, a_full_disk_leaves_the_table
=============================  =====================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pandas as pd
import polars as pl
import pytest

from isoloss.runs import RunsError, read

CELLS = [(p, t) for p in (1e7, 4e7, 2e8) for t in (3e8, 2e9, 9e9)]


def law(params: float, tokens: float) -> float:
    return 1.69 + 406.4 / params**0.34 + 410.7 / tokens**0.28


LOSSES = [law(*cell) for cell in CELLS]
SIZES, LENGTHS = [p for p, _ in CELLS], [t for _, t in CELLS]
BAD = 3


def frame(state: str, good: str, bad: tuple[str, str, str], **names: str) -> pd.DataFrame:
    """The nine runs, and three that did not finish with losses far off."""
    return pd.DataFrame(
        {
            names["params"]: SIZES + [1e9] * BAD,
            names["tokens"]: LENGTHS + [1e10] * BAD,
            names["loss"]: LOSSES + [8.5] * BAD,
            state: [good] * 9 + list(bad),
        }
    )


def wandb_table(path: Path) -> None:
    bad = ("crashed", "running", "failed")
    table = frame("State", "finished", bad, params="n_params", tokens="tokens", loss="eval/loss")
    table.insert(0, "Name", [f"run-{k}" for k in range(12)])
    table.assign(Tags="", Created="2026-01-01T10:00:00.000Z", Runtime=3600).to_csv(
        path, index=False
    )


def wandb_api(path: Path) -> None:
    rows = zip(CELLS, LOSSES, strict=True)
    pd.DataFrame(
        {
            "summary": [
                {"eval/loss": loss, "_step": 9, "_wandb": {"runtime": 5}} for _, loss in rows
            ],
            "config": [{"n_params": p, "tokens": t} for p, t in CELLS],
            "name": [f"r{k}" for k in range(9)],
        }
    ).to_csv(path)


def mlflow(path: Path) -> None:
    names = {"params": "params.n_params", "tokens": "params.tokens", "loss": "metrics.val_loss"}
    table = frame("status", "FINISHED", ("FAILED", "KILLED", "RUNNING"), **names)
    table.assign(run_id="0" * 32, artifact_uri="x").to_csv(path)


def optuna(path: Path) -> None:
    names = {"params": "params_size", "tokens": "params_tokens", "loss": "value"}
    table = frame("state", "COMPLETE", ("PRUNED", "FAIL", "RUNNING"), **names)
    table.assign(number=range(12), datetime_start="2026-01-01").to_csv(path, index=False)


def european(path: Path) -> None:
    lines = ["Params;Tokens;Verlust"]
    for (p, t), loss in zip(CELLS, LOSSES, strict=True):
        lines.append(f"{p / 1e6:g}M;{t / 1e9:g}B;{loss!r}".replace(".", ","))
    path.write_text("\n".join([*lines, ""]), encoding="utf-8-sig")


def excel(path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["N", "tokens (B)", "final loss"])
    for (p, t), loss in zip(CELLS, LOSSES, strict=True):
        book.active.append([p, t / 1e9, loss])
    book.create_sheet("notes").append(["asked", "on Monday"])
    book.save(path)


@dataclass(frozen=True)
class Export:
    """How a tracker writes runs, and the columns that one command names."""

    write: Callable[[Path], None]
    params: str
    tokens: str
    loss: str
    name: str = "export.csv"
    part: str = ""
    left: int = 0


EXPORTS = {
    "W&B table": Export(wandb_table, "n_params", "tokens", "eval/loss", left=BAD),
    "W&B API": Export(wandb_api, "config.n_params", "config.tokens", "summary.eval/loss"),
    "MLflow": Export(mlflow, "params.n_params", "params.tokens", "metrics.val_loss", left=BAD),
    "Optuna": Export(optuna, "params_size", "params_tokens", "value", left=BAD),
    "semicolons": Export(european, "Params", "Tokens", "Verlust"),
    "Excel": Export(excel, "N", "tokens (B)*1e9", "final loss", "runs.xlsx", "#Sheet"),
}


@pytest.mark.parametrize("kind", EXPORTS)
@pytest.mark.filterwarnings("ignore::isoloss.runs.EndingTaken")
def test_an_export_is_the_runs_that_finished_and_nothing_else(kind, tmp_path):
    export = EXPORTS[kind]
    export.write(tmp_path / export.name)
    columns = {"params": export.params, "tokens": export.tokens, "loss": export.loss}
    runs = read(f"{tmp_path / export.name}{export.part}", columns=columns, precision="bf16")
    assert (len(runs.usable), len(runs.excluded)) == (9, export.left)
    assert runs.usable["params"].tolist() == SIZES
    assert runs.usable["tokens"].tolist() == pytest.approx(LENGTHS)
    assert runs.usable["loss"].tolist() == pytest.approx(LOSSES, rel=1e-14)
    assert all("(status) is unfinished" in r or "'status' is" in r for r in runs.excluded["reason"])


def test_the_hint_of_an_isoflop_export_names_counts_and_never_a_batch(tmp_path):
    table = pl.DataFrame(
        {
            "parameter_count": SIZES,
            "throughput/total_tokens": LENGTHS,
            "throughput/total_gflops": [6 * p * t / 1e9 for p, t in CELLS],
            "eval/macro_loss": LOSSES,
            "trainer.train_batch_size": [16] * 9,
            "model.hidden_dim": [512] * 9,
        }
    )
    table.write_csv(tmp_path / "export.csv")
    with pytest.raises(RunsError) as error:
        read(tmp_path / "export.csv", precision="bf16")
    said = str(error.value)
    assert "--column params=parameter_count --column tokens=throughput/total_tokens" in said
    assert "--column loss=eval/macro_loss" in said
    assert "batch_size" not in said.partition("name them with")[2]
    flops = {"flops": "throughput/total_gflops"}
    names = dict(word.split("=") for word in said.split() if "=" in word)
    with pytest.raises(RunsError, match=r"its name says billions: read it with --column flops="):
        read(tmp_path / "export.csv", columns=names | flops, precision="bf16")


def test_columns_that_were_made_are_not_said_to_be_in_the_file(tmp_path):
    wandb_table(tmp_path / "export.csv")
    with pytest.warns(match="'State'"), pytest.raises(RunsError) as error:
        read(tmp_path / "export.csv")
    assert "State, n_params" not in str(error.value)
    assert "status" not in str(error.value)


@pytest.mark.parametrize("word", ["\x1b]0;x\x07\x1b[31m", "\u202ebf16\u2066", "a\x00b", "\x9b31m"])
@pytest.mark.parametrize("name", ["runs.jsonl", "runs.parquet", "runs.xlsx"])
@pytest.mark.filterwarnings("ignore::isoloss.runs.RunsWarning")
def test_escape_sequences_and_signs_of_direction_are_shown_as_text(word, name, tmp_path):
    row = {"params": 1e8, "tokens": 2e9, "precision": word, "loss": 3.5, "corpus": word, word: word}
    path = tmp_path / name
    if name.endswith("xlsx"):
        book = openpyxl.Workbook()
        for values in (row, row.values()):
            book.active.append([_writable(value) for value in values])
        book.save(path)
    elif name.endswith("parquet"):
        pl.DataFrame([row]).write_parquet(path)
    else:
        path.write_text(json.dumps(row))
    runs = read(path)
    for text in [*runs.columns, runs["reason"][0], runs["corpus"][0], str(runs.understood)]:
        assert text.replace("\n", "").isprintable()


def _writable(value: object) -> object:
    """A cell as Excel can hold it: other signs of direction for control characters."""
    return "".join(c if c >= " " else "\u202d" for c in value) if isinstance(value, str) else value
