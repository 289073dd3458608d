"""Evaluations along runs are said, and the last of each is kept on request; files are sources."""

from __future__ import annotations

import polars as pl
import pytest

from isoloss.fits import FitError, fit
from isoloss.runs import Run, Runs, RunsError, TrajectoriesFound, joined, read


def history(name: str = "run", steps=(1, 2, 3, 4, 5, 6, 7)) -> pl.DataFrame:
    """Four runs with evaluations at these steps of 1e9 tokens."""
    rows = [(p, 1e9 * k) for p in (2e7, 6e7, 2e8, 6e8) for k in steps]
    return pl.DataFrame(
        {
            name: [f"m{p:g}" for p, _ in rows],
            "params": [p for p, _ in rows],
            "tokens": [t for _, t in rows],
            "loss": [1.7 + 400 / p**0.34 + 400 / t**0.28 for p, t in rows],
            "precision": ["bf16"] * len(rows),
        }
    )


@pytest.mark.parametrize(
    ("name", "steps"),
    [("run", (1, 2, 7)), ("config.run_id", (1, 2, 7)), ("what", (1, 2, 3, 4, 5, 6, 7))],
)
def test_evaluations_along_runs_are_said_with_what_to_do(name, steps):
    with pytest.warns(TrajectoriesFound, match=rf"along 4 runs, which column '{name}' names: .*"):
        read(history(name, steps))
    kept = read(history(name, steps), last=name)
    assert kept.usable["tokens"].tolist() == [7e9] * 4
    assert len(kept) == 4 * len(steps)
    assert f"not the last row of its run, which column '{name}' names" in kept["reason"][0]


@pytest.mark.parametrize(
    ("name", "steps"), [("model", (1, 2, 7)), ("run", (1, 2)), ("what", (1, 2, 3, 4, 5, 6, 20))]
)
def test_a_grid_of_separate_runs_is_not_said_to_be_evaluations(name, steps):
    assert len(read(history(name, steps)).usable) == 4 * len(steps)


def test_a_group_says_the_same_and_is_not_asked_again():
    assert len(read(history(), columns={"group": "run"}).usable) == 28


def test_the_last_row_is_the_one_of_most_tokens_also_where_it_cannot_be_used():
    table = history().sample(fraction=1, shuffle=True, seed=0)
    lost = (pl.col("tokens") == 7e9) & (pl.col("params") == 2e8)
    table = table.with_columns(loss=pl.when(lost).then(float("nan")).otherwise("loss"))
    kept = read(table, last="run")
    assert sorted(kept.usable["params"]) == [2e7, 6e7, 6e8]
    assert any("column 'loss' has nan" in reason for reason in kept.excluded["reason"])


@pytest.mark.parametrize("empty", [None, ""])
def test_a_step_without_an_evaluation_is_not_the_last_row(empty):
    steps = pl.col("tokens") >= 6e9
    table = history().with_columns(pl.col("loss").cast(pl.String))
    table = table.with_columns(loss=pl.when(steps).then(pl.lit(empty)).otherwise("loss"))
    assert read(table, last="run").usable["tokens"].tolist() == [5e9] * 4


def test_runs_without_a_name_are_told_by_their_params():
    table = history("what").drop("what").rename({"params": "N"})
    with pytest.warns(TrajectoriesFound, match="4 runs, of one size each: .* --column group=N"):
        read(table, columns={"params": "N"})
    grouped = read(table, columns={"params": "N", "group": "N"})
    assert (len(grouped.usable), len(set(grouped["group"]))) == (28, 4)
    table = table.rename({"N": "params"})
    assert len(read(table, last="params").usable) == 4
    assert len(read(table, columns={"group": "params"}).usable) == 28


def test_a_row_without_a_run_and_a_column_that_is_not_there():
    table = history().with_columns(run=pl.when(pl.col("tokens") == 1e9).then(None).otherwise("run"))
    kept = read(table, last="run")
    assert "column 'run' is empty, so whose last row it is is not known" in kept["reason"][0]
    with pytest.raises(RunsError, match="no column 'rum' to tell runs by; did you mean 'run'"):
        read(table, last="rum")
    with pytest.raises(
        RunsError, match="is a public table; columns, precision, perplexity, last and m"
    ):
        read("isoloss2026", last="group")


def test_last_takes_the_name_of_the_file_also_where_the_column_is_named():
    kept = read(history(), columns={"group": "run"}, last="run")
    assert len(kept.usable) == 4


def test_rows_of_several_files_are_several_sources_until_told_otherwise(tmp_path):
    one, two = history("model", (1, 3)), history("model", (2, 4))
    one.write_csv(tmp_path / "a.csv")
    two.write_parquet(tmp_path / "b.parquet")
    files = [tmp_path / "a.csv", tmp_path / "b.parquet"]
    runs = read(files)
    assert sorted(runs.split()) == ["a.csv", "b.parquet"]
    with pytest.raises(FitError, match=r"runs differ in source \(a\.csv, b\.parquet\)"):
        fit("chinchilla", runs, draws=2)
    assert set(read(files, source="mine")["source"]) == {"mine"}
    assert set(read([one, two])["source"]) == {"table 1", "table 2"}


@pytest.mark.parametrize("columns", [None, {"tokens": "tokens_B*1e9"}])
def test_files_with_other_columns_are_said_with_a_map_for_each(tmp_path, columns):
    plain, billions = tmp_path / "a.csv", tmp_path / "b.csv"
    table = history("model", (1, 3))
    table.write_csv(plain)
    table.select(pl.col("tokens").alias("tokens_B") / 1e9, pl.exclude("tokens")).write_csv(billions)
    with pytest.raises(RunsError, match=r"keep how each is read.*, --map [ab]\.csv=[ab]\.json"):
        read([plain, billions], columns=columns)
    how = read(billions, columns={"tokens": "tokens_B*1e9"}).understood.map
    assert len(read([plain, billions], map={"b.csv": how}).usable) == 16


def test_one_file_and_runs_keep_the_sources_they_have():
    runs = Runs([Run(1e8, 1e9, "bf16", 3.0)])
    assert set(joined([runs], ["a.csv"])["source"]) == {None}
    assert set(read([runs, runs])["source"]) == {None}
    assert set(joined([runs, runs], ["a.csv", "a.csv"])["source"]) == {None}


def test_a_column_that_does_not_tell_runs_apart_is_refused():
    with pytest.raises(RunsError, match=r"not tell runs apart: '1' has params 2e\+07 and 6"):
        read(history().with_columns(step=pl.Series([1, 2, 3, 4, 5, 6, 7] * 4)), last="step")
