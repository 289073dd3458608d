"""Tables read by whole columns: against cells of known meaning row by row, and against the csv
module.
"""

import csv
import io
import math
import random
import warnings
from collections import Counter
from decimal import Decimal

import polars as pl
import pytest

from isoloss.runs import read
from isoloss.runs.intake.cells import by_frequency, each_once, more_than
from isoloss.runs.intake.readers.at_once import rows_at_once, simple

NUMBER = "write a finite number like 1.3B, 20M, 4k, 1e21 or 1,300,000"
POINT = "write it with a point, like 3.14"
ABOVE = "accepted is a finite number above 0"
#: Cells as they may stand in a file: what each means, and what is wrong with it.
CELLS: dict[str, dict[str, tuple[object, str | None]]] = {
    "params": {
        "1e6": (1e6, None),
        "3000000.0": (3e6, None),
        "1.1B": (1.1e9, None),
        "1.3b params": (1.3e9, None),
        " 20 M ": (2e7, None),
        "1,300,000": (1.3e6, None),
        "2.5 billion": (2.5e9, None),
        "": (None, f"is empty; {ABOVE}"),
        "N/A": (None, f"is empty; {ABOVE}"),
        "-5": (-5.0, f"has '-5'; {ABOVE}"),
        "1e70": (1e70, "has '1e70'; accepted is a number from 1e-60 to 1e+60"),
        "much": (None, f"has 'much'; {NUMBER}"),
    },
    "tokens": {
        "1e9": (1e9, None),
        "0.5T tokens": (5e11, None),
        "inf": (math.inf, f"has 'inf'; {ABOVE}"),
    },
    "loss": {
        "2.5": (2.5, None),
        "+3": (3.0, None),
        "3,1": (None, f"has '3,1', where the comma may be decimal; {POINT}"),
    },
    "precision": {
        "bf16": ("bf16", None),
        " w4 a8": ("w4 a8", None),
        "": (None, "is empty; accepted is a spelling like 'bf16' or 'w4 a8 kv:e4m3'"),
    },
    "lr_peak": {"0.1": (0.1, None), "": (None, None), "-1": (None, None), "?": (None, None)},
    "seed": {"1": (1, None), "2.0": (2, None), "1.5": (None, None), "nan": (None, None)},
    "status": {"ok": ("ok", None), "Finished": ("ok", None), " done": ("ok", None)},
    "corpus": {"c4": ("c4", None), " c4\x07": ("c4\\x07", None), "NA": (None, None)},
}  # fmt: skip


def drawn(seed: int, rows: int) -> dict[str, list[str]]:
    """Cells of a table, most of them the first of their column."""
    rng = random.Random(seed)
    rate = rng.choice([0.0, 0.1, 0.6])
    usual = {name: next(iter(cells)) for name, cells in CELLS.items()}
    return {
        name: [rng.choice(list(cells)) if rng.random() < rate else usual[name] for _ in range(rows)]
        for name, cells in CELLS.items()
    }


def slow(table: dict[str, list[str]], file: str, first: int) -> list[dict[str, object]]:
    """What every row means: one cell after the other."""
    out = []
    for row in range(len(table["loss"])):
        judged = {name: CELLS[name][cells[row]] for name, cells in table.items()}
        wrong = [
            f"column '{name}' {words} ({file}, row {row + first})"
            for name in ("params", "tokens", "precision", "loss")
            if (words := judged[name][1]) is not None
        ]
        known = {name: value for name, (value, _) in judged.items()}
        ending = {"status": "excluded" if wrong else "ok", "reason": "; ".join(wrong) or None}
        out.append(known | ending)
    return out


def written(table, path):
    frame = pl.DataFrame(table)
    match path.suffix:
        case ".parquet":
            frame.write_parquet(path)
        case ".jsonl":
            frame.write_ndjson(path)
        case _ if "quoted" in path.name:
            frame.write_csv(path, quote_style="always")
        case _:
            frame.write_csv(path)
    return path


@pytest.mark.parametrize(
    ("name", "first"), [("a.csv", 2), ("quoted.csv", 2), ("a.parquet", 1), ("a.jsonl", 1)]
)
@pytest.mark.parametrize("seed", range(4))
def test_a_fast_reading_is_the_slow_one_row_by_row(tmp_path, name, first, seed):
    table = drawn(seed, 60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = read(written(table, tmp_path / name)).frame().select(*CELLS, "reason")
    assert found.rows(named=True) == slow(table, name, first)


@pytest.mark.parametrize("seed", range(3))
def test_bytes_read_at_once_are_the_rows_of_the_csv_module(seed):
    rng, read_so = random.Random(seed), 0
    for _ in range(300):
        lines = [
            ",".join(rng.choices(["a", "", "é 1", "2"], k=2)) for _ in range(rng.randint(1, 4))
        ]
        data = "\n".join(["x,y", *lines]) + rng.choice(["", "\n"])
        for _ in range(rng.choice([0, 0, 1, 2])):
            at = rng.randrange(4, len(data) + 1)
            data = data[:at] + rng.choice(list('a,"\n\r\0é')) + data[at + rng.randint(0, 1) :]
        content = simple(data.encode())
        frame = None if content is None else rows_at_once(content, 4, ["x", "y"], ",")
        if frame is not None:
            expected = list(csv.reader(io.StringIO(data.replace("\r\n", "\n"), newline="")))[1:]
            assert [list(row) for row in frame.rows()] == expected
            read_so += 1
    assert read_so > 100


@pytest.mark.parametrize("data", [b"x,y\n1,\xff\n", b"x,y\n1,2\r3,4\n", b"x,y\n1,\0\n"])
def test_a_content_that_is_not_simple_is_left_to_the_careful_reader(data):
    assert simple(data) is None


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 8, 100])
def test_pieces_of_any_size_are_counted_alike(monkeypatch, piece):
    data = b'x,y\n"a",""\n"b,c","d"\n1,"e,"\n"",2'
    monkeypatch.setattr("isoloss.runs.intake.readers.at_once.PIECE", piece)
    frame = rows_at_once(data, 4, ["x", "y"], ",")
    assert frame.rows() == [("a", ""), ("b,c", "d"), ("1", "e,"), ("", "2")]
    for bad in (b'"', b'"f', b'"a\nb"', b'x"y"', b'"a"b', b'"a""b"'):
        assert rows_at_once(data + b"\n1," + bad, 4, ["x", "y"], ",") is None


VALUES = {
    "texts": pl.Series("v", ["b", None, "a", "b", "", None] * 3),
    "integers": pl.Series("v", [3, None, 1, 3, 0]),
    "floats": pl.Series("v", [0.0, -0.0, None, math.nan, 1.5, 1.5]),
    "truths": pl.Series("v", [True, None, False, True]),
    "lists": pl.Series("v", [[1], None, [1, 2], [1]]),
    "one": pl.Series("v", ["a", "a"]),
    "none": pl.Series("v", [None, None], dtype=pl.String),
}


@pytest.mark.parametrize("name", VALUES)
def test_judging_each_value_once_is_judging_each_cell(name):
    series, calls = VALUES[name], Counter[str]()

    def judge(value):
        calls[repr(value)] += 1
        return f"<{value}>", f"bad {value}" if len(str(value)) % 2 else None

    new, bad = each_once(series, judge, pl.String)
    if name in ("texts", "integers", "truths"):
        assert set(calls.values()) == {1}
    cells = [judge(value) for value in series.to_list()]
    assert new.to_list() == [cell for cell, _ in cells]
    assert bad == {row: words for row, (_, words) in enumerate(cells) if words is not None}


@pytest.mark.parametrize("seed", range(3))
def test_frequencies_are_those_of_a_counter(seed):
    values = random.Random(seed).choices(["a", "b", "c", None, "d"], k=40)
    known = [value for value in values if value is not None]
    assert by_frequency(pl.Series("v", values)) == Counter(known).most_common()
    for most in range(1, 7):
        assert more_than(pl.Series(values), most) == (len(set(values)) > most)


def typed() -> pl.DataFrame:
    """Runs in every kind of column that Parquet has."""
    n = 6
    size = [1e6 * 2**k for k in range(n)]
    return pl.DataFrame(
        {
            "config": [{"n": int(s), "layers": [1, 2], "more": {"kind": "a"}} for s in size],
            "tokens": pl.Series([str(40 * s) for s in size]).cast(pl.Decimal(20, 2)),
            "loss": pl.Series([Decimal(f"3.{9 - k}") for k in range(n)]),
            "precision": pl.Series(["bf16", "w4"] * 3, dtype=pl.Enum(["w4", "bf16"])),
            "corpus": pl.Series(["c4", None] * 3, dtype=pl.Categorical),
            "curve": [[3.0, 2.0], []] * 3,
            "nested": [[{"a": 1}], None] * 3,
            "finished_on": pl.Series([f"2026-01-0{k + 1}" for k in range(n)]).str.to_date(),
            "q": [k // 3 for k in range(n)],
        }
    )  # fmt: skip


def test_decimal_nested_and_categorical_columns_of_parquet_are_read(tmp_path):
    typed().write_parquet(tmp_path / "a.parquet")
    runs = read(tmp_path / "a.parquet", columns={"params": "config.n"})
    assert runs.usable["params"].tolist() == [1e6 * 2**k for k in range(6)]
    assert runs["tokens"].tolist() == [4e7 * 2**k for k in range(6)]
    assert runs["loss"].tolist() == [3.9, 3.8, 3.7, 3.6, 3.5, 3.4]
    assert runs["precision"].tolist() == ["bf16", "w4"] * 3
    assert runs["corpus"].tolist() == ["c4", None] * 3
    assert runs["config.more.kind"].tolist() == ["a"] * 6
    assert runs["config.layers"].tolist() == ["[1, 2]"] * 6
    assert runs.frame()["curve"].to_list() == [[3.0, 2.0], []] * 3
    assert runs.frame()["nested"].to_list() == [[{"a": 1}], None] * 3


@pytest.mark.parametrize("name", ["precision", "curve", "nested", "finished_on"])
def test_a_column_of_another_kind_is_said_in_every_row_and_is_no_crash(tmp_path, name):
    typed().with_columns(pl.col(name).alias("params")).write_parquet(tmp_path / "a.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runs = read(tmp_path / "a.parquet")
    assert set(runs["status"]) == {"excluded"}
    assert all(why.startswith("column 'params' ") for why in runs["reason"])


@pytest.mark.parametrize("name", ["p", "q", "t", "n", "_run", "row", "value"])
def test_a_column_of_any_name_and_few_values_is_read(name):
    frame = typed().rename({"q": "z"}).with_columns(pl.col("tokens").alias("params"))
    runs = read(frame.with_columns(pl.Series(name, ["x", "y"] * 3)))
    assert runs[name].tolist() == ["x", "y"] * 3
