"""The command line as it was typed, noted in what the command saves."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import isoloss as il

_WORDS: ContextVar[Sequence[str]] = ContextVar("words", default=())


@contextmanager
def typed(words: Sequence[str]) -> Iterator[None]:
    """Remember the words behind `isoloss`, while they run."""
    token = _WORDS.set(words)
    try:
        yield
    finally:
        _WORDS.reset(token)


@contextmanager
def noted() -> Iterator[None]:
    """Note the command in what it saves, without what a tracker's address keeps secret."""
    words = _WORDS.get()
    line = shlex.join(["isoloss", *words]) if words else ""
    with il.files.made_by(il.runs.without_secrets(line) if {*line} & {*":="} else line):
        yield
