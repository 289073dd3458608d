"""How runs ended, found by what a column holds."""

from __future__ import annotations

import polars as pl
import pytest

from isoloss.fits import fit
from isoloss.runs import EndingTaken, RunsError, read


def law(params: float, tokens: float) -> float:
    return 1.69 + 406.4 / params**0.34 + 410.7 / tokens**0.28


def frame(**columns) -> pl.DataFrame:
    """Nine runs on Hoffmann's law, and one far off it for each further value of `columns`."""
    cells = [(p, t) for p in (1e7, 4e7, 2e8) for t in (3e8, 2e9, 9e9)]
    odd = len(next(iter(columns.values()), ())) - len(cells)
    return pl.DataFrame(
        {
            "params": [p for p, _ in cells] + [1e9] * odd,
            "tokens": [t for _, t in cells] + [1e10] * odd,
            "loss": [law(p, t) for p, t in cells] + [8.5] * odd,
            **columns,
        }
    )


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("State", "finished", ["crashed", "running", "failed"]),
        ("run info.STATUS", "FINISHED", ["KILLED", "FAILED", "SCHEDULED"]),
        ("job", "COMPLETED", ["TIMEOUT", "OUT_OF_MEMORY", "CANCELLED by 1000"]),
        ("trial state", "COMPLETE", ["PRUNED", "FAIL", "Running"]),
        ("has_crashed", False, [True]),
        ("summary.diverged", "False", ["True"]),
        ("completed", 1, [0]),
        ("exit_code", 0, [137, 1, -9]),
        ("ExitCode", "0:0", ["0:9", "1:0"]),
        ("summary.return code", "0", ["2"]),
    ],
)
def test_a_column_of_endings_is_the_ending_whatever_its_name(name, good, bad):
    table = frame(**{name: [good] * 9 + bad})
    with pytest.warns(EndingTaken, match=f"column '{name}' of the data frame is read as the end"):
        runs = read(table, precision="bf16")
    assert (len(runs.usable), len(runs.excluded)) == (9, len(bad))
    assert all(f"column '{name}' (status) is" in reason for reason in runs.excluded["reason"])


def test_a_fit_of_such_an_export_is_of_its_finished_runs():
    table = frame(State=["finished"] * 9 + ["crashed", "running", "failed"])
    with pytest.warns(EndingTaken):
        found = fit("chinchilla", read(table, precision="bf16"), draws=20)
    value = {constant.name: constant.value for constant in found.law.constants}
    assert value["alpha"] == pytest.approx(0.34, abs=1e-4)
    assert value["E"] == pytest.approx(1.69, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("State", ["CA", "NY", "TX"]),  # places
        ("note", ["ok", "failed", "see the log"]),
        ("timeout", [0, 1, 1]),  # a setting
        ("n_failed", [0, 1, 1]),
        ("State", ["finished"] * 3),  # leaves nothing out
    ],
)
def test_other_columns_are_no_endings(name, values):
    table = frame()[:3].with_columns(pl.Series(name, values))
    assert len(read(table, precision="bf16").usable) == 3


def test_a_word_that_is_no_ending_costs_its_row_where_others_are():
    table = frame(State=["finished"] * 9 + ["crashed", "eaten by a dog"])
    with pytest.warns(EndingTaken):
        runs = read(table, precision="bf16")
    assert "has 'eaten by a dog'; accepted is one of ok" in runs["reason"][10]


def test_the_ending_that_is_named_is_the_only_one():
    table = frame(State=["crashed"] * 9, other=["finished"] * 8 + ["killed"])
    with pytest.raises(
        RunsError, match=r"'State' and 'other' both hold endings and disagree.*row 1"
    ):
        read(table, precision="bf16")
    assert len(read(table, precision="bf16", columns={"status": "other"}).usable) == 8
    assert len(read(table, precision="bf16", status="ok").usable) == 9


def test_a_flag_beside_the_status_counts_too_and_a_saved_table_reads_back(tmp_path):
    table = frame(status=["finished"] * 9, diverged=[False] * 8 + [True])
    with pytest.warns(EndingTaken):
        runs = read(table, precision="bf16")
    assert runs["status"].tolist() == ["ok"] * 8 + ["diverged"]
    assert read(runs.save(tmp_path / "runs.parquet")) == runs
    kept = read(table, precision="bf16", columns={"status": "status"})
    assert read(kept.save(tmp_path / "kept.csv"))["status"].tolist() == ["ok"] * 9


def few(**columns) -> pl.DataFrame:
    return (
        frame()
        .head(4)
        .with_columns(
            pl.lit("bf16").alias("precision"), *(pl.Series(n, v) for n, v in columns.items())
        )
    )


@pytest.mark.parametrize("name", ["State", "status", "completed"])
@pytest.mark.filterwarnings("ignore::isoloss.runs.EndingTaken")
def test_a_run_of_which_nothing_is_said_is_no_finished_one_where_others_are(name):
    good = "true" if name == "completed" else "finished"
    runs = read(few(**{name: [good, "", good, None]}))
    assert runs["status"].tolist() == ["ok", "excluded", "ok", "excluded"]
    word = "finished" if name == "status" else "ok"
    assert f"is empty where other rows say '{word}'" in runs["reason"][1]


def test_empty_cells_beside_marked_runs_are_finished_ones_and_said():
    with pytest.warns(EndingTaken, match="1 diverged, 3 empty"):
        runs = read(few(note=["", "diverged", "", ""]))
    assert runs["status"].tolist() == ["ok", "diverged", "ok", "ok"]
    assert "column note: 3 ok, 1 diverged (3 empty, taken as finished)" in str(runs.understood)


@pytest.mark.filterwarnings("ignore::isoloss.runs.EndingTaken")
def test_an_ending_that_one_of_two_columns_says_is_known():
    runs = read(few(status=["ok", "", "ok", "ok"], failed=["no", "no", "yes", ""]))
    assert runs["status"].tolist() == ["ok", "ok", "unfinished", "ok"]
