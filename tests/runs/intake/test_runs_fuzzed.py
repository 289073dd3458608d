"""Mutated tables: each is read with every row kept, or refused in one sentence."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import random
from collections import Counter

import openpyxl
import polars as pl
import pytest
import zstandard

from isoloss.runs import RunsError, read

CELLS = (
    "", " ", "nan", "inf", "-inf", "-1", "0", "1e999", "1" + "0" * 400, "1,5", "1.5.2",
    "2.5 billion", "125M params", "0x10", "\x1b[31m", "\u202ex", "\u0661\u0662", "None", "true",
    "{}", "{'a': nan}", '{"a": {"b": 1}}', "[1, 2]", "{" * 50, "crashed", "FINISHED", "a" * 5000,
    "bf16", "w4 a8", "e4m3", "1e-320", "1e308", "5e-324", "--", "NaN%", "*", "/", "w{x}",
)  # fmt: skip
NAMES = (
    "loss", "", "State", "diverged", "run", "bits", "params", "tokens (B)", "val_ppl", "a/b", "a*b",
    "metric", "status", "params_kind", "x - loss__MIN", "unique_tokens", "seed", "group", "source",
    "n_params", "config.tokens", "precision", "loss_se", "\x1b[1m", "flops", "inputs", "reason",
)  # fmt: skip
OPTIONS: tuple[dict, ...] = (
    {}, {}, {}, {}, {"precision": "w{bits}"}, {"columns": {"tokens": "tokens*1e9"}},
    {"columns": {"params": "tokens/params"}}, {"perplexity": True}, {"last": "run"},
    {"status": "ok"}, {"columns": {"status": "State"}},
    {"metric": "bpb"}, {"columns": {"loss": "loss/2*2"}}, {"seed": 3}, {"strict": True},
)  # fmt: skip


def table(rng: random.Random) -> dict[str, list]:
    """A sane table of up to 12 rows, with a few further columns."""
    rows = rng.randint(1, 12)
    scale = rng.choice((1, 1, 1e6, 1e-6))
    out = {
        "params": [rng.choice((1e7, 3e7, 1e8)) * scale for _ in range(rows)],
        "tokens": [rng.choice((1e9, 2e9, 5e9)) for _ in range(rows)],
        "precision": [rng.choice(("bf16", "w4", "w8 a8")) for _ in range(rows)],
        "loss": [round(rng.uniform(2, 4), 4) for _ in range(rows)],
        "State": [rng.choice(("finished", "crashed")) for _ in range(rows)],
        "run": [f"r{row // 4}" for row in range(rows)],
        "bits": [rng.choice((4, 8, 16)) for _ in range(rows)],
    }
    for name in rng.sample(list(out), rng.choice((0, 0, 0, 1))):
        del out[name]
    return out


def mutated(rng: random.Random) -> dict[str, list]:
    """The same with cells replaced, and columns renamed, added and made one kind."""
    columns = table(rng)
    for _ in range(rng.randint(0, 4)):
        name = rng.choice(list(columns))
        kind = rng.randint(0, 4)
        if kind < 2:
            columns[name][rng.randrange(len(columns[name]))] = rng.choice(CELLS)
        elif kind == 2:
            columns[name] = [rng.choice(CELLS) for _ in columns[name]]
        elif kind == 3:
            columns[rng.choice(NAMES)] = columns.pop(name)
        else:
            columns[rng.choice(NAMES)] = [rng.choice((*CELLS, 1.5, None)) for _ in columns[name]]
    return columns


def written(columns: dict[str, list], ending: str, rng: random.Random) -> bytes:
    """The content of a file."""
    names, rows = list(columns), list(zip(*columns.values(), strict=True))
    if ending in (".csv", ".tsv"):
        texts = [["" if cell is None else str(cell) for cell in row] for row in (names, *rows)]
        quoted = [['"' + text.replace('"', '""') + '"' for text in row] for row in texts]
        separator = "," if ending == ".csv" else "\t"
        return "\n".join(separator.join(row) for row in quoted).encode()
    records = [dict(zip(names, row, strict=True)) for row in rows]
    if ending == ".json":
        return json.dumps(rng.choice((columns, records))).encode()
    return "\n".join(map(json.dumps, records)).encode()


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content with a piece cut out, doubled or written over."""
    start = rng.randrange(len(content))
    end = min(len(content), start + rng.choice((1, 1, 5, 50)))
    middle = rng.choice((b"", content[start:end] * 2, rng.randbytes(3), b'"', b"{", b",", b"\n"))
    return content[:start] + middle + content[end:]


def sane(found, rows: int | None) -> bool:
    """Whether every row is there, and is usable or says why it is not."""
    frame = found.frame()
    good = pl.all_horizontal(
        *(pl.col(name).is_finite() & (pl.col(name) > 0) for name in ("params", "tokens", "loss"))
    )
    told = pl.col("reason").is_not_null() & (pl.col("reason") != "")
    fine = frame.select(pl.when(pl.col("status") == "ok").then(good).otherwise(told)).to_series()
    return bool(fine.all()) and rows in (None, len(found))


def outcome(source, how: dict, rows: int | None) -> str:
    """What became of a table: read whole, or refused in one sentence."""
    try:
        return "read" if sane(read(source, **how), rows) else "lost"
    except RunsError as error:
        return "refused" if len(str(error).splitlines()) == 1 else "long"


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.filterwarnings("ignore::isoloss.runs.RunsWarning")
def test_a_mutated_table_keeps_its_rows_or_is_refused_in_one_sentence(seed, tmp_path):
    rng = random.Random(seed)
    outcomes: Counter[str] = Counter()
    for _ in range(250):
        columns, how = mutated(rng), rng.choice(OPTIONS)
        rows: int | None = len(next(iter(columns.values())))
        ending = rng.choice((".csv", ".tsv", ".json", ".jsonl", "frame"))
        if ending == "frame":
            series = [pl.Series(name, values, strict=False) for name, values in columns.items()]
            outcomes[outcome(pl.DataFrame(series), how, rows)] += 1
            continue
        content = written(columns, ending, rng)
        if rng.random() < 0.2:
            content, rows = damaged(content, rng), None
        path = tmp_path / f"runs{ending}"
        path.write_bytes(content)
        outcomes[outcome(path, how, rows)] += 1
    assert set(outcomes) == {"read", "refused"}
    assert min(outcomes.values()) > 50


def wholes() -> dict[str, bytes]:
    """A whole file of each kind that is opened with more than a parser of text."""
    rows = b"params,tokens,precision,loss\n1M,20M,w4,3.5\n2M,30M,w4,3.4\n"
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in (("params", "tokens", "precision", "loss"), (1e6, 2e7, "w4", 3.5), ("=1", 2, "", 3)):
        book.active.append(row)
    book.active.merge_cells("C2:C3")
    book.save(out)
    log = [{"eval_loss": 3.8, "step": 1, "num_input_tokens_seen": 1e8}, {"loss": 3.0, "step": 2}]
    return {
        "r.xlsx": out.getvalue(),
        "r.csv.gz": gzip.compress(rows),
        "r.csv.zst": zstandard.compress(rows),
        "r.csv.xz": lzma.compress(rows),
        "trainer_state.json": json.dumps({"log_history": log}).encode(),
        "r.csv": b"# a\n" + rows.replace(b",", b";").replace(b".", b","),
        "r.tsv": b"sep=;\n" + rows.replace(b",", b";"),
    }


@pytest.mark.parametrize("name", sorted(wholes()))
@pytest.mark.filterwarnings("ignore::isoloss.runs.RunsWarning")
def test_a_damaged_file_of_any_kind_is_read_or_refused_in_one_sentence(name, tmp_path):
    rng, path, whole = random.Random(0), tmp_path / name, wholes()[name]
    path.write_bytes(whole)
    how = {"params": "1M", "precision": "w4"} if name.endswith("json") else {}
    assert outcome(path, how, None) == "read"
    outcomes: Counter[str] = Counter()
    for _ in range(150):
        path.write_bytes(damaged(damaged(whole, rng), rng) or b"x")
        outcomes[outcome(path, how, None)] += 1
    assert set(outcomes) <= {"read", "refused"}
    assert outcomes["refused"] > 20
