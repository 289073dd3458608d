"""How runs ended: the words of trackers and schedulers, and the columns that hold them.

A column whose values are all endings is the ending, whatever its name; so is one of true and false
whose name is an ending, as 'diverged'. What is taken so is said, and two columns that disagree are
refused with both.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import dataclass

import polars as pl

from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.texts import EMPTY_TEXTS
from isoloss.runs.once import more_than
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
    status = list(own)
    for each in taken:
        status = [
            old if new in (None, "ok") or (old and ending_of(str(old)) != "ok") else new
            for old, new in zip(status, each.status, strict=True)
        ]
    names = " and ".join(f"'{f.name}'" for f in taken)
    listed = ", ".join(f"{n} {word}" for f in taken for word, n in f.words.most_common(6))
    warnings.warn(
        f"column {names} of {origin.name} is read as the ending of each run ({listed}); name "
        "another with --column status=NAME, or keep all rows with status='ok' (--set status=ok)",
        EndingTaken,
        stacklevel=2,
    )
    return frame.with_columns(pl.Series("status", status, dtype=pl.String)), " and ".join(
        f.name for f in taken
    )


def _leaves_out(found: _Found) -> bool:
    return any(status not in (None, "ok") for status in found.status)


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
    flag = _flag(series.name)
    if series.dtype not in (pl.String, pl.Boolean) and not (flag and series.dtype.is_numeric()):
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


def _flag(name: str) -> str | None:
    """The status that a true in a column of this name means, as 'is_diverged'."""
    *before, last = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word] or [""]
    return ENDINGS[last] if last in _FLAGS and set(before) <= _BEFORE_A_FLAG else None


def _of_flag(status: str, said: bool) -> str | None:
    if status == "ok":
        return "ok" if said else "unfinished"
    return status if said else "ok"
