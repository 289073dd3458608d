"""Command lines that pass usage, with words that nobody foresaw: an answer or one sentence, never a
traceback.

The examples of quick commands, with values of options changed, each line once, all in one process;
a line that takes the processor longer than `LIMIT` is cut off and counted. Memory is measured line
by line: what it takes beside that which the process held before, where packages stay loaded.
``python -m benchmarks.command_lines [LINES [SEED]]``.
"""

from __future__ import annotations

import contextlib
import random
import resource
import shlex
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from click.testing import CliRunner
from typer.main import get_command

from benchmarks.timing import asked, memory, table
from isoloss.cli.entry import VERBS, app

#: Commands whose examples take less than a second or so.
QUICK = (
    *("laws", "formats", "simulate", "predict", "plan", "disagree", "runs", "plot"),
    *("theory bounds", "theory conditions", "theory sizes", "theory limit", "theory training"),
    *("theory bits", "theory allocate", "theory directions", "theory sketches"),
)
#: Seconds of the processor that a line may take.
LIMIT = 1.0
#: What a line may take in MB: 500 for a command with the 150 to 250 of its packages.
MOST_MB = 250.0
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


#: The app as click has it, made once: making it takes longer than most lines.
COMMAND = get_command(app)


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

    fired = []

    def late(number: int, frame: FrameType | None) -> None:
        if any("numba" in each for each in _files(frame)):
            signal.setitimer(signal.ITIMER_PROF, 0.2)  # what it compiles must be whole
            return
        fired.append(number)
        raise _TooLong

    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = CliRunner().invoke(COMMAND, words, prog_name="isoloss")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # libraries may make another kind of it
        if fired:
            return "cut off", ""
        return "traceback", f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if fired:
        return "cut off", ""
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


def _held(what: str) -> float:
    """The memory in MB that this process has (VmRSS), or had at most since `_forget` (VmHWM)."""
    try:
        return memory(what)
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _forget() -> None:
    """Let the system count the most memory anew, where it can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


@dataclass
class Report:
    """How the lines ended, what must not be with one line for each, and the most memory."""

    counts: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    shown: dict[str, str] = field(default_factory=dict)
    memory: float = 0.0
    taken: float = 0.0
    seconds: float = 0.0

    def add(self, words: list[str], how: str, what: str, before: float) -> None:
        """Count a line and the memory that it took beside what was held before."""
        self.counts[how] += 1
        self.memory = max(self.memory, most := _held("VmHWM"))
        self.taken = max(self.taken, held := most - before)
        if held > MOST_MB:
            what = what or f"more than {MOST_MB:.0f} MB: {' '.join(words[:2])[:40]}"
        if what:
            self.bad[what[:160]] += 1
            line = f"{shlex.join(words)[:300]} ({held:.0f} MB)"
            if self.shown.setdefault(what[:160], line) == line:
                print(f"{what[:160]!r}: isoloss {line!r}", file=sys.stderr, flush=True)


def study(count: int, seed: int) -> Report:
    """Run so many different lines that pass usage."""
    rng, known, report, seen = random.Random(seed), examples(), Report(), set[tuple[str, ...]]()
    began = time.process_time()
    while report.counts.total() - report.counts["usage"] < count:
        words = changed(rng.choice(known), rng)
        if tuple(words) in seen:
            continue
        seen.add(tuple(words))
        _forget()
        before = _held("VmRSS")
        report.add(words, *tried(words), before)
        if report.counts.total() % 1000 == 0:
            print(report.counts, f"{report.memory:.0f} MB", file=sys.stderr, flush=True)
    report.seconds = time.process_time() - began
    return report


def main(count: int = 2000, seed: int = 0) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        report = study(count, seed)
    print(f"### {count} command lines past usage, in one process (seed {seed})\n")
    names = ("an answer", "one sentence", "cut off", "no sentence", "traceback", "usage")
    rows = [[name, str(report.counts[name])] for name in names]
    rows += [["MB that a line took at most", f"{report.taken:.0f}"]]
    rows += [["MB of the process at most, all packages loaded", f"{report.memory:.0f}"]]
    rows += [["processor ms a line", f"{1e3 * report.seconds / report.counts.total():.0f}"]]
    print(table(["ended in", "lines"], rows), "\n")
    for what, number in report.bad.most_common(40):
        print(f"{number} x {what!r}\n    isoloss {report.shown[what]!r}")
    if report.bad:
        raise SystemExit("a line ended in neither an answer nor one sentence, or in much memory")


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], int, int))
