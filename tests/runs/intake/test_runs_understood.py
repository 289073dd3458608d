"""How a table was read: one screen, one line to copy, and a file that reads it so again."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import polars as pl
import pytest

from isoloss.files import FilesError, load, save
from isoloss.laws import preset
from isoloss.runs import EndingTaken, LossConverted, Run, Runs, RunsError, TableMap, read

MANY = [(p, t) for p in (1e8, 3e8, 9e8) for t in (3.0, 11.0, 60.0)]


def export(**columns) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "N": [p for p, _ in MANY],
            "tokens (B)": [t for _, t in MANY],
            "eval/bpb": [1.2 - 0.01 * k for k in range(9)],
            "bits": [4, 8, 16] * 3,
            "State": ["finished"] * 8 + ["crashed"],
            "Name": [f"r{k}" for k in range(9)],
            **columns,
        }
    )


HOW = {
    "columns": {"params": "N", "tokens": "tokens (B)*1e9", "loss": "eval/bpb"},
    "precision": "w{bits}",
}


@pytest.fixture
def runs(tmp_path):
    path = tmp_path / "export.parquet"
    export().write_parquet(path)
    with pytest.warns((EndingTaken, LossConverted)):
        return read(path, **HOW, seed=3)


@pytest.mark.parametrize(
    "line",
    [
        "export.parquet is read as:",
        "params column N parameters 100M to 900M",
        "tokens tokens (B)*1e9 tokens 3B to 60B",
        "precision w{bits} w4, w8, w:bf16",
        "loss column eval/bpb nats/byte, from bits per byte 0.78326 to 0.83178",
        "seed 3 in all rows 3",
        "rows 9, 8 usable, 1 excluded",
        "endings column State: 8 ok, 1 unfinished",
        "runs each row is a run of its own",
        "not used Name",
        "again --column params=N --column 'tokens=tokens (B)*1e9' --column loss=eval/bpb "
        "--precision 'w{bits}' --set seed=3",
    ],
)
def test_the_screen_says_what_was_taken_for_what(runs, line):
    assert line in [" ".join(each.split()) for each in str(runs.understood).splitlines()]


@pytest.mark.filterwarnings("ignore::isoloss.runs.RunsWarning")
def test_the_line_and_the_file_read_the_table_so_again(runs, tmp_path):
    words = shlex.split(runs.understood.line)
    pairs = [words[i + 1] for i, word in enumerate(words) if word == "--column"]
    precision = words[words.index("--precision") + 1]
    assert read(export(), columns=pairs, precision=precision, seed=3).usable == runs.usable
    path = save(runs.understood.map, tmp_path / "map.json")
    assert load(path) == runs.understood.map
    again = read(export(), map=path)
    assert again == read(export(), map=runs.understood.map)
    assert again.usable == runs.usable


@pytest.mark.filterwarnings("ignore::isoloss.runs.RunsWarning")
def test_what_is_given_beside_a_map_stands_in_its_place(runs):
    kept = runs.understood.map
    again = read(export(), map=kept, columns={"params": "N*2", "seed": "bits"}, precision="fp")
    assert again["params"][0] == 2e8
    assert set(again["precision"]) == {"fp"}
    assert again["seed"].tolist() == [4, 8, 16] * 3
    assert again.understood.map.columns["loss"] == "eval/bpb"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "no column says how runs ended: all are taken as finished"),
        ({"run": [k // 3 for k in range(9)]}, "along 3 runs (column run); all are kept"),
        ({"group": ["a"] * 9}, "1 groups of rows that are not independent"),
    ],
)
@pytest.mark.filterwarnings("ignore::isoloss.runs.RunsWarning")
def test_what_is_not_known_is_said(columns, said):
    table = export(**columns).drop("State")
    found = read(table, columns=HOW["columns"], precision="bf16", metric="nats")
    assert said in str(found.understood)


@pytest.mark.filterwarnings("ignore::isoloss.runs.RunsWarning")
def test_parts_of_a_precision_without_a_value_are_said():
    table = export(bits=[4, None, 16] * 3).drop("State")
    found = read(table, columns=HOW["columns"], precision="w{bits}", metric="nats")
    said = "column bits is empty in 3 rows: that part is taken as not quantised"
    assert dict(found.understood.facts)["precision"] == said


def test_rows_of_a_table_keep_how_it_was_read_and_others_have_none(runs, tmp_path):
    assert runs.usable.where(seed=3).take([0]).understood == runs.understood
    path = runs.save(tmp_path / "clean.parquet")
    assert pl.read_parquet_metadata(path)["isoloss"] == str(runs.understood)
    assert read(path) == runs
    kept = read(path).understood
    assert kept == replace(runs.understood, saved_in="clean.parquet")
    assert str(kept).startswith("clean.parquet was saved from export.parquet, which was read as:\n")
    again = read(path).save(tmp_path / "again.parquet")
    assert read(again).understood == replace(kept, saved_in="again.parquet")
    assert read(runs.save(tmp_path / "clean.csv")).understood is None
    assert Runs([Run(1e8, 1e9, "bf16", 3.0)]).understood is None


@pytest.mark.parametrize(
    "note", ["", "no JSON", "[]", '{"source": "x"}', "[" * 10**5, "cut", "rows", "roles", "escape"]
)
def test_a_note_that_nothing_wrote_is_none(runs, tmp_path, note):
    path = runs.save(tmp_path / "clean.parquet")
    whole = json.loads(pl.read_parquet_metadata(path)["isoloss.understood"])
    made = {
        "cut": {**whole, "map": None},
        "rows": {**whole, "facts": []},
        "roles": {**whole, "roles": []},
        "escape": {**whole, "source": "\x1b[31m"},
    }
    said = json.dumps(made[note]) if note in made else note
    pl.read_parquet(path).write_parquet(path, metadata={"isoloss.understood": said})
    assert read(path) == runs
    assert read(path).understood is None


def test_each_of_several_files_has_its_own_map(tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    export().head(3).drop("State").write_csv(first)
    pl.DataFrame({"size": [1e8, 2e8], "tokens": [1e9, 2e9], "loss": [3.5, 3.4]}).write_csv(second)
    mine = TableMap(columns=HOW["columns"], precision="w{bits}", constants={"metric": "nats"})
    other = save(TableMap(columns={"params": "size"}, precision="bf16"), tmp_path / "b.json")
    runs = read([first, second], map={"a.csv": mine, str(second): other})
    assert runs["params"].tolist() == [1e8, 1e8, 1e8, 1e8, 2e8]
    assert len(read(second, map={"b.csv": other})) == 2
    with pytest.raises(RunsError, match=r"map is given for 'c.csv', and no source is called so"):
        read([first, second], map={"c.csv": mine})
    with pytest.raises(RunsError, match=r"map is given for 'a.csv', and several sources are"):
        read([first, tmp_path / "x" / "a.csv"], map={"a.csv": mine})


def test_what_is_no_map_is_refused(tmp_path):
    law = preset("chinchilla").save(tmp_path / "law.json")
    with pytest.raises(RunsError, match="map is a Law; it is a TableMap, or a file of one"):
        read(export(), map=law)
    path = save(TableMap(columns={"sise": "N"}), tmp_path / "map.json")
    with pytest.raises(FilesError, match="runs have no column 'sise'"):
        read(export(), map=path)


NEW = "without it every token counts as new"


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("epochs", [1.0, 2.0, 4.0] * 3, "'unique_tokens=tokens (B)*1e9/epochs'"),
        ("unique_fraction", [1.0, 0.5, 0.25] * 3, "'unique_tokens=tokens (B)*1e9*unique_fraction'"),
        ("distinct tokens", [1e9] * 9, "'unique_tokens=distinct tokens'"),
        ("epochs", [1.0] * 9, None),
        ("epochs", ["many"] * 9, None),
        ("unique_id", [1.0, 2.0, 3.0] * 3, None),
    ],
)
def test_a_column_of_repeats_that_is_not_used_is_proposed(name, values, said, tmp_path) -> None:
    path = tmp_path / "export.parquet"
    export(**{name: values}).write_parquet(path)
    with pytest.warns((EndingTaken, LossConverted)):
        told = dict(read(path, **HOW).understood.facts).get("repeats")
    assert (told is None) == (said is None)
    if said is not None:
        assert told == f"column {name} may tell them: --column {said}; {NEW}"
        made = {**HOW["columns"], "unique_tokens": said.strip("'").partition("=")[2]}
        with pytest.warns((EndingTaken, LossConverted)):
            again = read(path, columns=made, precision="w{bits}")
        assert "repeats" not in dict(again.understood.facts)
        # Its third row: 60 billion tokens, 4 epochs.
        wanted = 1e9 if name == "distinct tokens" else 15e9
        assert again.usable["unique_tokens"][2] == pytest.approx(wanted)


def test_columns_that_stand_for_nothing_are_not_read_as_numbers(monkeypatch) -> None:
    def refuse(text: object) -> float:
        raise AssertionError(text)

    monkeypatch.setattr("isoloss.runs.intake.content.hints.number", refuse)
    more = {f"x{k}": [0.5, 1.5] for k in range(3)}
    table = pl.DataFrame({"params": [1e8, 4e8], "tokens": 2e9, "loss": [3.1, 2.7], **more})
    assert read(table, precision="bf16").understood.unused == tuple(more)


@pytest.mark.parametrize(
    ("more", "how", "unused"),
    [
        # Names that stand in other names, and one whose name another column was given.
        (
            {"val_loss": 2.5, "val": 1.0, "l": 1.0},
            {"columns": {"loss": "val_loss"}},
            ("loss", "val", "l"),
        ),
        (
            {"N (B)": 0.1, "N": 1.0, "e9": 1.0},
            {"columns": {"params": "N (B)*1e9"}},
            ("params", "N", "e9"),
        ),
        ({"w": 4.0, "bits": 4.0}, {"precision": "w{bits}"}, ("precision", "w")),
        ({"unit": "nats"}, {}, ()),
    ],
)
@pytest.mark.filterwarnings("ignore::isoloss.runs.LossConverted")
def test_every_column_that_is_not_used_is_named(more, how, unused):
    table = pl.DataFrame({"params": [1e8, 4e8], "tokens": 2e9, "loss": [3.1, 2.7]})
    table = table.with_columns(precision=pl.lit("bf16"), **{k: pl.lit(v) for k, v in more.items()})
    assert read(table, **how).understood.unused == unused
