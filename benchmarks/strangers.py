"""Seven changes of a stranger, each made in a clone of this checkout, counted by git and checked.

``python -m benchmarks.strangers`` clones HEAD into a folder of its own and adds a law, a format, a
method after training, a machine, a figure, a reader and a command, one commit each; then a law and
a format of a module outside the package. It prints what each took and ends with 1 where a check
fails. ``--tests`` also runs the house test and the linter on the clone with all seven.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.strangers_changes import CHANGES, MINE, OPENING, OUTSIDE, Change

ROOT = Path(__file__).parents[1]
COLUMNS = ("change", "files added", "their lines", "files edited", "lines added", "lines changed")


@dataclass(frozen=True)
class Cost:
    """What a change took, as git counts it.

    Attributes
    ----------
    files, lines
        New files, and the lines in them.
    edited, added, changed
        Files that were there before, the lines that they have more, and those that differ.
    """

    files: int
    lines: int
    edited: int
    added: int
    changed: int


def main(*words: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clone, desk = Path(folder) / "clone", Path(folder) / "desk"
        desk.mkdir()
        _run("git", "clone", "-q", "--no-hardlinks", str(ROOT), str(clone))
        print("| " + " | ".join((*COLUMNS, "checked, in new processes")) + " |")
        print("|---" * (len(COLUMNS) + 1) + "|")
        failed = [change.name for change in CHANGES if not _made(change, clone, desk)]
        (desk / "mine.py").write_text(MINE)
        if not _passes(OUTSIDE, clone, desk):
            failed.append("outside the package")
        print(
            "\nA law and a format of a module outside the package: saved, read, compared, planned"
        )
        print("with --use, and refused in one sentence without it.")
        if "--tests" in words and not _tested(clone):
            failed.append("tests")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def _made(change: Change, clone: Path, desk: Path) -> bool:
    """Make a change, print its row, and say whether its check passes."""
    for name, text in change.files.items():
        if (clone / name).exists():
            raise FileExistsError(name)
        (clone / name).write_text(text)
    for name, before, after in change.edits:
        text = (clone / name).read_text()
        if text.count(before) != 1:
            raise ValueError(f"{name} has {before!r} {text.count(before)} times, not once")
        (clone / name).write_text(text.replace(before, after))
    cost = _cost(clone)
    passed = _passes(change.check, clone, desk)
    numbers = (cost.files, cost.lines, cost.edited, cost.added, cost.changed)
    checked = change.checked if passed else f"FAILED: {change.checked}"
    print("| " + " | ".join((change.name, *map(str, numbers), checked)) + " |", flush=True)
    return passed


def _cost(clone: Path) -> Cost:
    """Commit what changed, and count it."""
    _run("git", "add", "-A", cwd=clone)
    new = _run("git", "diff", "--cached", "--diff-filter=A", "--numstat", cwd=clone)
    old = _run("git", "diff", "--cached", "--diff-filter=a", "--numstat", cwd=clone)
    _run(
        "git", "-c", "user.name=stranger", "-c", "user.email=stranger@example.org",
        "commit", "-q", "-m", "a change", cwd=clone,
    )  # fmt: skip
    rows = [[int(number) for number in line.split()[:2]] for line in old.splitlines()]
    return Cost(
        files=len(new.splitlines()),
        lines=sum(int(line.split()[0]) for line in new.splitlines()),
        edited=len(rows),
        # A line that differs is one that git takes away and one that it adds.
        added=sum(plus - minus for plus, minus in rows),
        changed=sum(minus for _, minus in rows),
    )


def _passes(check: str, clone: Path, desk: Path) -> bool:
    """Whether code runs through in a new process that imports the clone; its error is shown."""
    source = str(clone / "src")
    done = subprocess.run(
        [sys.executable, "-c", f"{OPENING}\nassert il.__file__.startswith({source!r})\n{check}"],
        cwd=desk,
        env={**os.environ, "PYTHONPATH": source, "COLUMNS": "400"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
    return done.returncode == 0


def _tested(clone: Path) -> bool:
    """Whether the clone with all changes passes the house test, the linter and its formatter."""
    python = [sys.executable, "-m"]
    lines = (
        [*python, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_house.py"],
        [*python, "ruff", "check", "-q", "."],
        [*python, "ruff", "format", "-q", "--check", "."],
    )
    env = {**os.environ, "PYTHONPATH": str(clone / "src")}
    codes = [
        subprocess.run(line, cwd=clone, env=env, stdout=sys.stderr).returncode for line in lines
    ]
    return not any(codes)


def _run(*words: str, cwd: Path | None = None) -> str:
    return subprocess.run(words, cwd=cwd, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
