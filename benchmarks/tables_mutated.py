"""Tables that nobody foresaw: each is read with every row kept, usable or with its reason, or
refused in one sentence.

Cells are replaced, columns renamed, added and made one kind, files damaged; the report of what was
read, warnings and errors must not move a terminal. ``python -m benchmarks.tables_mutated [TABLES
[SEED]]``.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from click.testing import CliRunner
from typer.main import get_command

from benchmarks.timing import asked
from benchmarks.timing import table as printed
from isoloss.cli.entry import app
from isoloss.cli.refusing import sentence
from isoloss.runs import Runs, RunsError, read

#: Every so many tables from files are shown by the command as well.
SHOWN = 10
COMMAND = get_command(app)
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
OPTIONS: tuple[dict[str, Any], ...] = (
    {}, {}, {}, {}, {"precision": "w{bits}"}, {"columns": {"tokens": "tokens*1e9"}},
    {"columns": {"params": "tokens/params"}}, {"perplexity": True}, {"last": "run"},
    {"status": "ok"}, {"columns": {"status": "State"}},
    {"metric": "bpb"}, {"columns": {"loss": "loss/2*2"}}, {"seed": 3}, {"strict": True},
)  # fmt: skip


def table(rng: random.Random) -> dict[str, list[Any]]:
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


def mutated(rng: random.Random) -> dict[str, list[Any]]:
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


def written(columns: dict[str, list[Any]], ending: str, rng: random.Random) -> bytes:
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


def sane(found: Runs, rows: int | None) -> bool:
    """Whether every row is there, and is usable or says why it is not."""
    frame = found.frame()
    good = pl.all_horizontal(
        *(pl.col(name).is_finite() & (pl.col(name) > 0) for name in ("params", "tokens", "loss"))
    )
    told = pl.col("reason").is_not_null() & (pl.col("reason") != "")
    fine = frame.select(pl.when(pl.col("status") == "ok").then(good).otherwise(told)).to_series()
    return bool(fine.all()) and rows in (None, len(found))


@dataclass
class Report:
    """What became of the tables: read whole, or refused in one sentence; and what must not be."""

    counts: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)


def study(folder: Path, count: int, seed: int = 0) -> Report:
    """Read so many tables, each from a file or as a frame."""
    rng, report = random.Random(seed), Report()
    for number in range(count):
        columns, how = mutated(rng), rng.choice(OPTIONS)
        rows: int | None = len(next(iter(columns.values())))
        ending = rng.choice((".csv", ".tsv", ".json", ".jsonl", "frame"))
        source: Any = folder / f"runs{ending}"
        if ending == "frame":
            series = [pl.Series(name, values, strict=False) for name, values in columns.items()]
            source = pl.DataFrame(series)
        else:
            content = written(columns, ending, rng)
            if rng.random() < 0.2:
                content, rows = damaged(content, rng), None
            source.write_bytes(content)
        what, problem = outcome(source, how, rows)
        if ending != "frame" and number % SHOWN == 0:
            problem = problem or _shown(source)
        report.counts[what] += 1
        if problem:
            report.bad.append(f"{number} {ending} {how}: {problem}"[:300])
    return report


def outcome(source: Any, how: dict[str, Any], rows: int | None) -> tuple[str, str]:
    """What became of a table, and what must not be of it, if anything."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            found = read(source, **how)
            problem = "" if sane(found, rows) else "a row is lost, or not usable and without reason"
            said = str(found)
            what = "read"
        except RunsError as error:
            said, what = sentence(error), "refused"
            problem = "" if len(str(error).splitlines()) == 1 else "no sentence"
        except Exception as error:
            return "traceback", f"{type(error).__name__}: {error}"
    foreign = [each for each in warned if not issubclass(each.category, UserWarning)]
    if foreign:
        problem = problem or f"a warning of a library: {foreign[0].message}"
    lines = [*said.splitlines(), *(sentence(str(each.message)) for each in warned)]
    if odd := next((line for line in lines if not line.isprintable()), None):
        problem = problem or f"a terminal would obey {odd!r}"
    return what, problem


def _shown(path: Path) -> str:
    """What must not be of `isoloss runs PATH`, if anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = CliRunner().invoke(COMMAND, ["runs", str(path)], prog_name="isoloss")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return f"traceback of the command, {type(result.exception).__name__}: {result.exception}"
    odd = next((line for line in result.output.splitlines() if not line.isprintable()), None)
    return "" if odd is None else f"a terminal would obey {odd!r}"


def main(count: int = 20_000, seed: int = 0) -> None:
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        report = study(Path(folder), count, seed)
    spent = time.process_time() - began
    print(f"### {count} mutated tables (seed {seed})\n")
    rows = [[what, str(report.counts[what])] for what in ("read", "refused", "traceback")]
    lost = sum("a row is lost" in each for each in report.bad)
    odd = sum("a terminal would" in each for each in report.bad)
    rows += [["rows lost in silence", str(lost)], ["escape sequences", str(odd)]]
    rows += [["anything that must not be", str(len(report.bad))]]
    rows += [["processor ms a table", f"{1e3 * spent / count:.1f}"]]
    print(printed(["what", "tables"], rows), "\n")
    print("\n".join(report.bad[:20]))
    if report.bad:
        raise SystemExit("a table was neither read whole nor refused in one sentence")


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], int, int))
