"""Command lines that pass usage, with words that nobody foresaw: an answer or one sentence, never a
traceback.

The examples of quick commands, with values of options changed, all in one process; a line that
takes longer than `LIMIT` is cut off and counted. ``python -m benchmarks.command_lines [LINES
[SEED]]``.
"""

from __future__ import annotations

import os
import random
import resource
import shlex
import signal
import sys
import tempfile
import warnings
from collections import Counter
from types import FrameType

from typer.testing import CliRunner

from benchmarks.timing import table
from isoloss.cli.entry import VERBS, app

#: Commands whose examples take less than a second or so.
QUICK = (
    *("laws", "formats", "simulate", "predict", "plan", "disagree", "runs", "plot"),
    *("theory bounds", "theory conditions", "theory sizes", "theory limit", "theory training"),
    *("theory bits", "theory allocate", "theory directions", "theory sketches"),
)
LIMIT = 4.0
#: What a process that ran every command may hold: compilers and figures stay loaded.
MOST_MB = 700.0
NUMBERS = (
    *("0", "-1", "1", "nan", "inf", "-inf", "1e999999999999999999999", "1e-400", "1e308"),
    *("0.5", "1e9", "1e15", "3", "2,4", "7B", "1e400B", "0x10", "1_000", "\u0663", "\u00b2"),
    *("1e", "--", "1;2", "9" * 401),
)
WORDS = (
    *("", " ", ",", "=", "x=1", "a=b=c", "..", "/", ".", "'", '"', "%s", "{0}"),
    *("\x1b[31mred", "\u202eback", "\ud83d\ude00", "(" * 3000, "[" * 50, "w4," * 400),
    *("w4", "w4 a8", "w4 w4", "w4 -> w3", "bf16,fp", "d:add(1e999)", "w:int99999999999"),
    *("int0", "int4/0", "e99m99", "w4+had@quest@gptq", "kumar2024", "published", "chinchilla"),
    *("quest2025", "h100", "1e18flop", "$2M", "80GB", "0 h100 for 30 days", "NaN flop"),
    *("1e400 h100 for 1e400 days", "h100:h100", "llama3-8b"),
)


class _TooLong(BaseException):
    """The line took longer than LIMIT."""


def examples() -> list[list[str]]:
    """The words of every example of a quick command, after `isoloss`, that writes no file."""
    lines = [shlex.split(each.line)[1:] for verb in VERBS for each in verb.examples
             if verb.name in QUICK and not each.needs]  # fmt: skip
    return [line for line in lines if "fit.json" not in line]


def changed(line: list[str], rng: random.Random) -> list[str]:
    """The line with one to three words changed, mostly values of options."""
    words = list(line)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        values = [k for k, word in enumerate(words) if k and not word.startswith("-")]
        if not values:
            break
        place = rng.choice(values)
        new = rng.choice(NUMBERS if rng.random() < 0.5 else WORDS)
        kind = rng.random()
        if kind < 0.7:
            words[place] = new
        elif kind < 0.8:
            words[place] = f"{words[place]},{new}"
        elif kind < 0.9:
            words[place] = words[place] + new
        else:
            words[place] = words[place][: rng.randrange(len(words[place]) + 1)]
    return words


def tried(words: list[str]) -> tuple[str, str]:
    """How a line ended, and for what must not be, what it was."""

    def late(number: int, frame: FrameType | None) -> None:
        if any("numba" in each for each in _files(frame)):
            signal.setitimer(signal.ITIMER_REAL, 0.2)  # what it compiles must be whole
            return
        raise _TooLong

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = CliRunner().invoke(app, words, prog_name="isoloss")
    except _TooLong:
        return "cut off", ""
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return "traceback", f"{type(result.exception).__name__}: {result.exception}"
    if result.exit_code == 1:
        problems = [line for line in result.stderr.splitlines() if line[:7] != "warning"]
        good = len(problems) == 1 and problems[0].isprintable()
        return ("one sentence", "") if good else ("no sentence", result.stderr[-300:])
    return ("usage", "") if result.exit_code == 2 else ("an answer", "")


def _files(frame: FrameType | None) -> list[str]:
    """The files of the calls under way."""
    found = []
    while frame is not None:
        found.append(frame.f_code.co_filename)
        frame = frame.f_back
    return found


def _megabytes() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(count: int = 2000, seed: int = 0) -> None:
    rng, counts, bad = random.Random(seed), Counter[str](), Counter[str]()
    known, shown = examples(), {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        while counts.total() - counts["usage"] < count:
            words = changed(rng.choice(known), rng)
            before = _megabytes()
            how, what = tried(words)
            if _megabytes() > max(before, MOST_MB) + 1:
                what = what or f"{_megabytes():.0f} MB, {how}"
            counts[how] += 1
            if what:
                bad[what[:160]] += 1
                shown.setdefault(what[:160], shlex.join(words)[:300])
        os.chdir("/")
    print(f"### {count} command lines past usage, in one process (seed {seed})\n")
    names = ("an answer", "one sentence", "cut off", "no sentence", "traceback", "usage")
    rows = [[name, counts[name]] for name in names] + [["MB at most", f"{_megabytes():.0f}"]]
    print(table(["ended in", "lines"], rows), "\n")
    for what, number in bad.most_common(40):
        print(f"{number} x {what!r}\n    isoloss {shown[what]!r}")
    if bad:
        raise SystemExit("a line ended in neither an answer nor one sentence")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
