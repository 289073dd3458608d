"""How a command reads a file: said before the first fit, kept by --map, and refused in doubt."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest

import isoloss as il
from isoloss.files import load
from isoloss.laws import preset
from isoloss.runs import LoggedResult, LoggedRun, Sent, TrackedRow

MAP = ("--column", "params=size_M*1e6", "--column", "tokens=D*1e9", "--column", "loss=val/loss")


@pytest.fixture
def export(shell) -> Path:
    lines = ["size_M,D,val/loss,State,Name"]
    for size in (120, 350, 800):
        for length in (4, 11, 60):
            loss = 1.7 + 400 / (size * 1e6) ** 0.34 + 400 / (length * 1e9) ** 0.28
            lines.append(f"{size},{length},{loss:.5f},finished,r")
    path = Path("export.csv")
    path.write_text("\n".join([*lines, "800,90,7.5,crashed,r"]))
    return path


def test_a_command_says_how_it_reads_a_file_and_keeps_it(shell, export):
    words = ("fit", export, "--law", "chinchilla", "--draws", "5", "--starts", "4")
    first = shell(*words, *MAP, "--precision", "bf16", "--map", "how.json")
    assert first.exit_code == 0, first.stderr
    assert "export.csv is read as:\n  params     size_M*1e6" in first.stderr
    assert "endings    column State: 9 ok, 1 unfinished" in first.stderr
    assert "kept how it is read as how.json" in first.stderr
    again = shell(*words, "--map", "how.json")
    assert again.stdout == first.stdout
    assert "export.csv is read as how.json says: 10, 9 usable, 1 excluded\n" in again.stderr
    assert load("how.json").columns["tokens"] == "D*1e9"


def test_a_clean_table_needs_no_options_and_carries_how_it_was_read(shell, export):
    kept = shell("runs", export, *MAP, "--precision", "bf16", "-o", "clean.parquet")
    assert kept.exit_code == 0, kept.stderr
    assert "--column 'params=size_M*1e6'" in pl.read_parquet_metadata("clean.parquet")["isoloss"]
    again = shell("runs", "clean.parquet")
    assert "is read as" not in again.stderr
    assert (
        "clean.parquet was saved from export.csv, read with --column 'params=size_M*1e6' --column "
        "'tokens=D*1e9' --column loss=val/loss --precision bf16: 10, 9 usable, 1 excluded"
    ) in again.stderr
    assert "10 runs, 9 usable, 1 excluded" in again.stdout


def test_each_of_several_files_has_a_map_of_its_own(shell, export):
    shell("runs", export, *MAP, "--set", "precision=bf16", "--map", "how.json")
    Path("plain.csv").write_text("size,tokens,precision,loss\n2e8,9e9,w4,3.1\n")
    words = ("runs", export, "plain.csv", "--map", "export.csv=how.json")
    lacking = shell(*words)
    assert "plain.csv has no column 'params'" in lacking.stderr
    shell("runs", "plain.csv", "--column", "params=size", "--map", "other.json")
    both = shell(*words, "--map", "plain.csv=other.json")
    assert both.exit_code == 0, both.stderr
    assert "export.csv, plain.csv: 11 runs, 10 usable" in both.stdout
    kept = shell(*words, "--map", "other.json")
    assert kept.stdout == both.stdout


def test_json_says_how_each_file_was_read(shell, export):
    result = shell("runs", export, "quest2025", *MAP, "--precision", "bf16", "--json")
    (how,) = json.loads(result.stdout)["read"]
    assert (how["source"], how["saved_in"], how["not_used"]) == ("export.csv", None, ["Name"])
    assert how["columns"]["tokens"] == {
        "from": "D*1e9", "unit": "tokens", "usable": "4B to 60B"
    }  # fmt: skip
    assert how["facts"]["endings"] == "column State: 9 ok, 1 unfinished"
    assert how["options"] == (
        "--column 'params=size_M*1e6' --column 'tokens=D*1e9' --column loss=val/loss "
        "--precision bf16"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("export.csv",), "name them with --column params='size_M*1e6' --column tokens=NAME"),
        (
            ("export.csv", *MAP[2:], "--column", "params=size_M", "--precision", "bf16"),
            "its name says millions: read it with --column params='size_M*1e6', or, where the",
        ),
        (("export.csv", *MAP, "--map", "how.txt"), "how.txt': accepted endings are .json"),
        (("simulated2024", "--map", "how.json"), "--map how.json is for files of your own"),
        (("export.csv", "--last", "run", *MAP, "--set", "precision=fp"), "no column 'run' to tell"),
        (("export.csv", *MAP, "--set", "precision=fp", "--map", "other.json"), "map is a Law"),
        (("export.csv", *MAP, "--map", "a.csv=how.json"), "no table is called so; there are exp"),
        (("export.csv", *MAP, "--map", "a.json", "--map", "b.json"), "two files for all tables"),
        (
            ("export.csv", "--map", "export.csv=a.json", "--map", "export.csv=b.json"),
            "--map gives two files for export.csv, a.json and b.json",
        ),
        (("export.csv", "quest2025", "--map", "quest2025=a.json"), "for files of your own, not"),
        (("export.csv", "--set", "last=run"), "--set last: runs have no column 'last'; see --last"),
        (("export.csv", "--set", "precision=fp", "--precision", "w4"), "is given twice, by --prec"),
    ],
)
def test_what_is_in_doubt_or_no_map_is_refused_in_one_sentence(shell, export, words, message):
    preset("chinchilla").save("other.json")
    result = shell("runs", *words)
    assert result.exit_code != 0
    assert message in result.stderr


def test_the_last_rows_of_runs_are_kept(shell):
    cells = [(name, size, step) for name, size in (("a", 1e8), ("b", 3e8)) for step in (1, 2, 3)]
    lines = [f"{n},{s:g},{k}e9,bf16,{4 - k / 10 - s / 1e9}" for n, s, k in cells]
    Path("history.csv").write_text("\n".join(["run,params,tokens,precision,loss", *lines]))
    asked = shell("runs", "history.csv")
    assert "look like evaluations along 2 runs" in asked.stderr
    found = shell("runs", "history.csv", "--last", "run")
    assert "history.csv: 6 runs, 2 usable, 4 excluded" in found.stdout
    assert "not the last row of its run, which column 'run' names" in found.stdout


def test_two_files_are_two_sources_until_told_otherwise(shell):
    for name in ("a.csv", "b.csv"):
        Path(name).write_text("params,tokens,precision,loss\n1e8,2e9,bf16,3.1\n3e8,4e9,w4,2.9\n")
    assert "source" in shell("runs", "a.csv", "b.csv").stdout
    assert "a.csv (2), b.csv (2)" in shell("runs", "a.csv", "b.csv").stdout
    assert "a.csv (2)" not in shell("runs", "a.csv", "b.csv", "--set", "source=me").stdout


@pytest.fixture
def tracker() -> Iterator[list[LoggedRun | LoggedResult]]:
    """A source "mine", which gives a run, and what was sent to it."""
    before = il.runs.SOURCES.state()
    sent: list[LoggedRun | LoggedResult] = []

    def send(where: str, what: list[LoggedRun] | LoggedResult) -> Sent:
        each = what if isinstance(what, list) else [what]
        sent.extend(each)
        return Sent(f"mine:{where}", len(each))

    def rows(where: str, history: Sequence[str]) -> list[TrackedRow]:
        steps = range(3) if history else [2]
        run = {"params": 1e6, "precision": "w4", "run": "r1"}
        each = [{"tokens": 1e6 * (s + 1), "loss": 5.0 - s, "step": s} for s in steps]
        return [TrackedRow("r1", run | step) for step in each]

    il.runs.SOURCES.register("mine", il.runs.Source("PLACE", rows, send, send))
    yield sent
    il.runs.SOURCES.restore(before)


def test_a_command_takes_a_tracker_as_a_table(shell, tracker):
    words = ("mine://me:sesame@h/lm", "--history", "loss", "--last", "run")
    found = shell("runs", *words, "-o", "clean.csv")
    assert found.exit_code == 0, found.stderr
    assert "mine://...@h/lm: 3 runs, 1 usable, 2 excluded" in found.stdout
    assert "again" in found.stderr
    assert "--history loss --last run" in found.stderr
    assert shell("plot", "mine:h.db", "-o", "runs.svg").exit_code == 0
    assert "sesame" not in found.stdout + found.stderr


def test_a_table_and_a_plan_are_logged_to_a_tracker(shell, tracker):
    plain = ("params,tokens,precision,loss", "1M,20M,w4,4.0", "1M,40M,w4,3.9")
    Path("mine.csv").write_text("\n".join(plain))
    found = shell("runs", "mine.csv", "--to", "mine:here")
    assert found.exit_code == 0, found.stderr
    assert "logged 2 runs to mine:here" in found.stderr
    assert [run.metrics["loss"] for run in tracker] == [4.0, 3.9]
    plan = ("plan", "kumar2024", "--train", "1e18flop", "--hardware", "linear-bits")
    words = (*plan, "--precision", "w6 a6 kv6,bf16", "--draws", "3", "--to", "mine:here", "--json")
    planned = shell(*words)
    assert planned.exit_code == 0, planned.stderr
    best = json.loads(planned.stdout)["choices"][0]
    assert (tracker[2].kind, tracker[2].params["precision"]) == ("plan", best["precision"])
    assert tracker[2].metrics["loss"] == best["loss"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("runs", "mine.csv", "--to", "trackio:lm"), "cannot write to trackio:lm; accepted are ml"),
        (("runs", "mine.csv", "--to", "mine.csv"), "'mine.csv' names no tracker; "),
        (("plan", "kumar2024", "--to", "wandb:"), "'wandb:' names nothing; write it like wandb:en"),
        (("runs", "mlflow:http://h"), "names no experiment; write it like mlflow:URI#experiment"),
        (
            ("runs", "mine.csv", "--set", "history=loss"),
            "have no column 'history'; see --history",
        ),
        (("runs", "--to", "wandb:me/lm"), "name at least one table to read"),
    ],
)
def test_a_place_that_takes_nothing_is_refused_before_any_work(shell, words, message):
    found = shell(*words)
    assert found.exit_code != 0
    assert message in found.stderr
