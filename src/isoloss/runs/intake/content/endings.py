"""How runs ended: the words of trackers and schedulers, and the columns that hold them.

A column whose values are all endings is the ending, whatever its name; so is one of true and false
whose name is an ending, as 'diverged', and one of exit codes, of which 0 is a finished run. What is
taken so is said, and two columns that disagree are refused with both.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import dataclass

import polars as pl

from isoloss.runs.intake.cells import EMPTY_TEXTS, more_than
from isoloss.runs.intake.origin import Origin
from isoloss.runs.problems import EndingTaken, RunsError

_FINISHED = (
    "ok", "finished", "finish", "complete", "completed", "done", "success", "succeeded",
    "successful",
)  # fmt: skip
_UNFINISHED = (
    "unfinished", "crashed", "crash", "failed", "fail", "failure", "killed", "running", "pending",
    "preempted", "preempting", "cancelled", "canceled", "aborted", "interrupted", "stopped",
    "timeout", "timed_out", "oom", "out_of_memory", "error", "errored", "pruned", "queued",
    "scheduled", "waiting", "in_progress", "inprogress", "initializing", "suspended", "paused",
    "node_fail",
)  # fmt: skip
#: Words for how a run ended, and the status that each stands for.
ENDINGS: dict[str, str] = {
    **dict.fromkeys(_FINISHED, "ok"),
    **dict.fromkeys(_UNFINISHED, "unfinished"),
    "diverged": "diverged",
    "excluded": "excluded",
}
#: Most different values of a column of endings.
MOST_WORDS = 60
#: Names of columns of what processes return, and such a value; Slurm adds a signal behind ':'.
_CODES = frozenset({"exitcode", "exitstatus", "returncode"})
_CODE = re.compile(r"-?\d+(\.0)?(:\d+)?")
YES, NO = frozenset({"true", "yes", "1", "1.0"}), frozenset({"false", "no", "0", "0.0"})
NAMES = frozenset({"state", "status", "ending", "outcome"})
_BEFORE_A_FLAG = frozenset(
    {"is", "has", "was", "did", "run", "summary", "config", "tags", "params", "metrics"}
)
#: Endings that a column of true and false may be named after; 'timeout' is a setting.
_FLAGS = (
    *_FINISHED, "unfinished", "crashed", "failed", "killed", "preempted", "cancelled", "canceled",
    "aborted", "interrupted", "oom", "errored", "pruned", "diverged", "excluded",
)  # fmt: skip


def ending_of(word: str) -> str | None:
    """The status that a word for an ending stands for, in any case; None for another word."""
    bare = re.sub(r" by \d+$", "", word.strip().lower())  # Slurm says who cancelled a job
    return ENDINGS.get(re.sub(r"[\s_-]+", "_", bare))


@dataclass(frozen=True)
class _Found:
    """A column of endings: its name, the status of every row, and its words counted."""

    name: str
    status: list[str | None]
    words: Counter[str]
    flag: bool = False

    @property
    def counted(self) -> list[tuple[str, int]]:
        """The commonest words, and how many cells are empty."""
        empty = self.status.count(None)
        return self.words.most_common(6) + ([("empty", empty)] if empty else [])


def with_endings(frame: pl.DataFrame, origin: Origin) -> tuple[pl.DataFrame, str | None]:
    """The frame with the status that its columns of endings say, and their names.

    Raises RunsError where two columns of endings disagree; warns (EndingTaken) where rows are left
    out by a column that is not called status.
    """
    found = [f for series in frame.get_columns() if (f := _found(series)) is not None]
    words = sorted((f for f in found if not f.flag), key=lambda f: f.name != "status")
    for other in words[1:]:
        _check_agree(words[0], other, origin)
    taken = [f for f in found if f.name != "status" and _leaves_out(f)]
    if not taken:
        return frame, None
    there = "status" in frame.columns
    own = frame["status"].cast(pl.String).to_list() if there else [None] * frame.height
    status: list[str | None] = [str(each) if _is_known(each) else None for each in own]
    for each in taken:
        status = [_worse(*pair) for pair in zip(status, each.status, strict=True)]
    names = " and ".join(f"'{f.name}'" for f in taken)
    listed = ", ".join(f"{n} {word}" for f in taken for word, n in f.counted)
    warnings.warn(
        f"column {names} of {origin.name} is read as the ending of each run ({listed}); name "
        "another with --column status=NAME, or keep all rows with status='ok' (--set status=ok)",
        EndingTaken,
        stacklevel=2,
    )
    return frame.with_columns(pl.Series("status", status, dtype=pl.String)), " and ".join(
        f.name for f in taken
    )


def unknown_endings(status: pl.Series) -> dict[int, str]:
    """What is wrong with empty cells of a column of endings, by position.

    Where some runs are said to have finished, one of which nothing is said may not have; where only
    the others are marked, an empty cell is a run that finished.
    """
    texts = status.cast(pl.String).fill_null("").str.strip_chars()
    empty = texts.is_in(list(EMPTY_TEXTS))
    if not empty.any():
        return {}
    said = (str(v) for v in texts.unique(maintain_order=True) if v not in EMPTY_TEXTS)
    finished = next((word for word in said if ending_of(word) == "ok"), None)
    if finished is None:
        return {}
    what = f"is empty where other rows say {finished!r}: whether it finished is not known"
    return dict.fromkeys(empty.arg_true().to_list(), what)


def _is_known(value: object) -> bool:
    return value is not None and str(value).strip() not in EMPTY_TEXTS


def _worse(old: str | None, new: str | None) -> str | None:
    """Of two endings of one run the one that is not finished; what is said where one is not."""
    if old is None or new is None:
        return new if old is None else old
    return old if new == "ok" or ending_of(old) != "ok" else new


def _leaves_out(found: _Found) -> bool:
    """Whether rows are left out: unfinished ones, or empty cells beside finished ones."""
    kinds = set(found.status)
    return bool(kinds - {None, "ok"}) or kinds >= {None, "ok"}


def _check_agree(one: _Found, other: _Found, origin: Origin) -> None:
    for row, (a, b) in enumerate(zip(one.status, other.status, strict=True)):
        if a is not None and b is not None and a != b:
            raise RunsError(
                f"columns '{one.name}' and '{other.name}' both hold endings and "
                f"disagree, {a} and {b} {origin.place(row)}: choose one with --column "
                f"status='{one.name}' or --column status='{other.name}'"
            )


def _found(series: pl.Series) -> _Found | None:
    """The endings in a column; None for a column of anything else."""
    flag, code = _flag(series.name), _is_exit_code(series.name)
    numbers = bool(flag or code) and series.dtype.is_numeric()
    if series.dtype not in (pl.String, pl.Boolean) and not numbers:
        return None
    # Few different values stand in a column of endings: a look at these is enough.
    if more_than(series, MOST_WORDS):
        return None
    different = {value: str(value).strip() for value in series.unique().to_list()}
    words = {v: t for v, t in different.items() if t not in EMPTY_TEXTS}
    if not words:
        return None
    if flag and {text.lower() for text in words.values()} <= YES | NO:
        status = {v: _of_flag(flag, text.lower() in YES) for v, text in words.items()}
    elif code and all(_CODE.fullmatch(text) for text in words.values()):
        status = {v: "unfinished" if re.search("[1-9]", t) else "ok" for v, t in words.items()}
        flag = series.name
    else:
        status = {v: ending_of(text) for v, text in words.items()}
        known = [found for found in status.values() if found is not None]
        named = series.name.lower().rsplit(".", 1)[-1] in NAMES
        if not known or (len(known) < len(words) and not named):
            return None
        # A word that is no ending, in a column of endings, is judged with its row.
        status = {v: words[v] if s is None else s for v, s in status.items()}
        flag = None
    values = series.to_list()
    counted = Counter(words[v] for v in values if v in words)
    return _Found(series.name, [status.get(v) for v in values], counted, flag is not None)


def _is_exit_code(name: str) -> bool:
    """Whether a column of this name holds what processes return, as exit_code and ExitCode."""
    return re.sub(r"[^a-z]+", "", name.lower().rsplit(".", 1)[-1]) in _CODES


def _flag(name: str) -> str | None:
    """The status that a true in a column of this name means, as 'is_diverged'."""
    *before, last = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word] or [""]
    return ENDINGS[last] if last in _FLAGS and set(before) <= _BEFORE_A_FLAG else None


def _of_flag(status: str, said: bool) -> str | None:
    if status == "ok":
        return "ok" if said else "unfinished"
    return status if said else "ok"
