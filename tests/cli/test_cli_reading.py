"""How a command reads a file: said before the first fit, kept by --map, and refused in doubt."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from isoloss.files import load
from isoloss.laws import preset

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
