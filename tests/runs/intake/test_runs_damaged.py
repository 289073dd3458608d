"""Damaged files of every kind: read with every row usable or with its reason, or refused in one
sentence.
"""

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


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content with a piece cut out, doubled or written over."""
    start = rng.randrange(len(content))
    end = min(len(content), start + rng.choice((1, 1, 5, 50)))
    middle = rng.choice((b"", content[start:end] * 2, rng.randbytes(3), b'"', b"{", b",", b"\n"))
    return content[:start] + middle + content[end:]


def sane(found) -> bool:
    """Whether every row is there, and is usable or says why it is not."""
    frame = found.frame()
    good = pl.all_horizontal(
        *(pl.col(name).is_finite() & (pl.col(name) > 0) for name in ("params", "tokens", "loss"))
    )
    told = pl.col("reason").is_not_null() & (pl.col("reason") != "")
    fine = frame.select(pl.when(pl.col("status") == "ok").then(good).otherwise(told)).to_series()
    return bool(fine.all())


def outcome(source, how: dict) -> str:
    """What became of a table: read whole, or refused in one sentence."""
    try:
        return "read" if sane(read(source, **how)) else "lost"
    except RunsError as error:
        return "refused" if len(str(error).splitlines()) == 1 else "long"


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
    assert outcome(path, how) == "read"
    outcomes: Counter[str] = Counter()
    for _ in range(150):
        path.write_bytes(damaged(damaged(whole, rng), rng) or b"x")
        outcomes[outcome(path, how)] += 1
    assert set(outcomes) <= {"read", "refused"}
    assert outcomes["refused"] > 20
