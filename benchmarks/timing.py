"""Small pieces that the studies share: seconds of a call, shares with their error, and tables in
Markdown.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isoloss.fits import share_of


def seconds(
    call: Callable[[], Any], repeats: int = 1, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, Any]:
    """The least time of some calls, on the wall or by another clock, and what the last returned."""
    best, result = float("inf"), None
    for _ in range(repeats):
        start = clock()
        result = call()
        best = min(best, clock() - start)
    return best, result


def memory(what: str, process: int | str = "self") -> float:
    """MB that a process has in memory (VmRSS), or had at most (VmHWM; that of getrusage is that of
    the parent too).
    """
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) * 1.024e-3


def share(hits: Sequence[bool] | np.ndarray) -> str:
    """A share in percent with its standard error, that of none or all included."""
    p, error = share_of(float(np.sum(hits)), len(hits))
    return f"{100 * p:.1f}% (se {100 * error:.1f})"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(c) for c in line) + " |" for line in lines)


def repeats(default: int) -> int:
    """How often a study repeats, from ISOLOSS_REPEATS where that is set."""
    return int(os.environ.get("ISOLOSS_REPEATS", default))


def asked(usage: str | None, words: Sequence[str], *kinds: Callable[[str], Any]) -> list[Any]:
    """The words after the name of a study, each of its kind; more may be left out than given.

    ``--help`` prints the usage, the text of the study, and what cannot be read is one sentence.
    """
    if {"-h", "--help"} & set(words):
        print((usage or "").strip())
        raise SystemExit
    if len(words) > len(kinds):
        raise SystemExit(f"{words[len(kinds)]!r} is one word too many; --help says what there is")
    found = []
    for kind, word in zip(kinds, words, strict=False):
        try:
            found.append(kind(word))
        except ValueError:
            said = f"{word!r} is no number; --help says what is accepted"
            raise SystemExit(said) from None
    return found
