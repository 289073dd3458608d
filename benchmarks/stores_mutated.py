"""Stores that were damaged or tampered with, every use of each: what they hold, or one sentence.

Bytes are changed, files cut, pages lost; columns, triggers, views and values of other kinds put in.
``python -m benchmarks.stores_mutated [STORES]``.
"""

from __future__ import annotations

import math
import random
import sqlite3
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.timing import asked, table
from isoloss.runs import Run, RunsError, Store, Task, read
from isoloss.runs.database import TABLES

ROWS = 60
PAGE = 4096
STRANGE = (None, "", "x", -1, 2**62, math.inf, b"", bytes(8), b"\xff" * 9, 0.5, "1e999", "\x1b[31m")


@dataclass
class Report:
    """What became of the stores: refused in one sentence, or read whole; and what must not be, as
    another value that nobody noticed.
    """

    counts: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)


def mutated(folder: Path, count: int, seed: int = 0) -> Report:
    """Use so many stores, each a mutation of one."""
    rng, report = random.Random(seed), Report()
    whole = folder / "whole.db"
    _make(whole)
    expected = _facts(whole)
    for number in range(count):
        path = folder / f"{number}.db"
        kind = MUTATIONS[number % len(MUTATIONS)]
        path.write_bytes(whole.read_bytes())
        kind(path, rng)
        try:
            found = _facts(path)
        except RunsError as error:
            _check_sentence(str(error), f"{number} {kind.__name__}", report)
            report.counts["refused in one sentence"] += 1
        except Exception as error:
            report.bad.append(f"{number} {kind.__name__}: {type(error).__name__}: {error}"[:200])
        else:
            _count(found, expected, f"{number} {kind.__name__}", report)
        _write(path, f"{number} {kind.__name__}", report)
        for each in folder.glob(f"{number}.db*"):
            each.unlink()
    return report


def _make(path: Path) -> None:
    store = Store(path)
    tasks = [Task(f"t{k}", (f"r{k}",), print, f"task {k}", flops=1e9) for k in range(6)]
    store.enter(tasks)
    for one in tasks[:4]:
        store.claim(one, f"sweep:{one.key}")
    store.end("t0", "sweep:t0", "done")
    store.end("t1", "sweep:t1", "failed", "no memory", "Traceback ...")
    store.say("t1", "the learning rate is high")
    for k in range(ROWS):
        more = {"gap": k / 7, "note": f"{k} " * 9}
        store.add("t0", Run(1e6 + k, 2e7, "w4", 3 + 1 / (1 + k), seed=k, key=f"r{k}"), **more)
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode = DELETE")


def _facts(path: Path) -> tuple[Sequence[object], ...]:
    """Everything that a reader sees of a store."""
    store = Store(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runs = read(path)
    rows = [tuple(str(runs[name][k]) for name in runs.columns) for k in range(len(runs))]
    return rows, [str(each) for each in store.tasks()], store.notes()


def _count(
    found: tuple[Sequence[object], ...],
    expected: tuple[Sequence[object], ...],
    name: str,
    report: Report,
) -> None:
    if found == expected:
        report.counts["read whole"] += 1
    elif any(len(a) < len(b) for a, b in zip(found, expected, strict=True)):
        report.bad.append(f"{name}: fewer rows, tasks or notes, and nothing said")
    else:
        report.bad.append(f"{name}: another value, and nothing said")


def _write(path: Path, name: str, report: Report) -> None:
    """Write to the store as a sweep does; only a sentence may come of it."""
    store, one = Store(path), Task("t4", ("r4",), print, "task 4")
    calls: tuple[Callable[[], object], ...] = (
        lambda: store.enter([one]),
        lambda: store.claim(one, "sweep:next"),
        lambda: store.beat("t4", "sweep:next", 0.5, None, 1.0),
        lambda: store.add("t4", Run(1e6, 1e6, "w4", 3.0, key="new")),
        lambda: store.end("t4", "sweep:next", "done"),
    )
    for call in calls:
        try:
            call()
        except RunsError as error:
            _check_sentence(str(error), name, report)
        except Exception as error:
            report.bad.append(f"{name}, written: {type(error).__name__}: {error}"[:200])


def _check_sentence(text: str, name: str, report: Report) -> None:
    if "\n" in text or len(text) > 600:
        report.bad.append(f"{name}: no sentence: {text[:200]!r}")


# ---- mutations
def bytes_changed(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(content)


def cut(path: Path, rng: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: rng.randrange(1, path.stat().st_size)])


def page_lost(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    start = PAGE * rng.randrange(1, max(2, len(content) // PAGE))
    content[start : start + PAGE] = bytes(PAGE)
    path.write_bytes(content)


def another_value(path: Path, rng: random.Random) -> None:
    name = rng.choice(list(TABLES))
    column = rng.choice([each for each in TABLES[name] if each not in ("PRIMARY", "id")])
    _run(
        path,
        f'UPDATE OR IGNORE {name} SET "{column}" = ? WHERE rowid = (SELECT rowid FROM {name} ORDER '
        "BY random() LIMIT 1)",
        rng.choice(STRANGE),
    )


def another_shape(path: Path, rng: random.Random) -> None:
    name = rng.choice(list(TABLES))
    column = rng.choice([each for each in TABLES[name] if each != "PRIMARY"])
    _run(
        path,
        rng.choice(
            (
                f"CREATE TRIGGER t AFTER INSERT ON {name} BEGIN DELETE FROM rows; END",
                f"CREATE VIEW v AS SELECT * FROM {name}",
                f"DROP TABLE {name}",
                f"ALTER TABLE {name} RENAME TO other",
                f'ALTER TABLE {name} RENAME COLUMN "{column}" TO other',
                f"ALTER TABLE {name} ADD COLUMN more TEXT NOT NULL DEFAULT 'x'",
                f"CREATE TABLE other AS SELECT * FROM {name}",
                "PRAGMA user_version = 77",
                "PRAGMA user_version = 1",
                "PRAGMA user_version = -1",
                "PRAGMA application_id = 1",
            )
        ),
    )


MUTATIONS = (bytes_changed, cut, page_lost, another_value, another_shape)


def _run(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as base:
        try:
            base.execute(sql, values)
            base.commit()
        except sqlite3.IntegrityError:
            pass  # the store's own rules keep that value out


def main(count: int = 500) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = mutated(Path(folder), count)
    print(f"### {count} mutated stores\n")
    rows = [[what, number] for what, number in report.counts.most_common()]
    rows += [
        [
            "tracebacks, sentences of many lines, rows dropped or values changed in silence",
            len(report.bad),
        ]
    ]
    print(table(["what", "stores"], rows), "\n")
    print("\n".join(report.bad[:20]))
    if report.bad:
        raise SystemExit("a store was neither read nor refused")


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], int))
