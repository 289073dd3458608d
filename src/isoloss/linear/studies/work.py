"""The work of a study: its points one after the other, each reported and kept once it is done.

A study lists its points first, which checks all of them, and hands the list to `Work.table`. What
is done stands in a file, if one is named, so that the same call goes on where it was stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from isoloss.files import FilesError, read_json, shown, write

#: One point of a study, or some that are found together: a function that makes their rows.
Point = Callable[[], pl.DataFrame]
#: The file of finished points is written at most so often, in seconds.
EVERY = 0.5
KIND = "unfinished study"


class Work:
    """Does the points of a study, tells how many are done, and keeps their rows.

    Parameters
    ----------
    tell : callable, optional
        Called with (points done, all points), first with none done.
    store : path, optional
        The file that finished points are kept in; those that it has are not done again.
    asked : dict
        Study and parameters, so that rows are not taken for those of another question.

    Raises
    ------
    FilesError
        The store has points of another question.
    """

    def __init__(
        self,
        tell: Callable[[int, int], None] | None = None,
        store: str | Path | None = None,
        asked: dict[str, Any] | None = None,
    ) -> None:
        self._tell = tell
        self._store = None if store is None else Path(store)
        self._asked = asked or {}
        self._kept = self._read()

    def table(self, points: Sequence[Point]) -> pl.DataFrame:
        """The rows of all points in their order; those that the store has are not done again."""
        return pl.concat(self.frames(points), how="diagonal_relaxed")

    def frames(self, points: Sequence[Point]) -> list[pl.DataFrame]:
        """The same, the rows of each point apart."""
        frames: list[pl.DataFrame] = []
        written, known = time.monotonic(), len(self._kept)
        try:
            for k, point in enumerate(points):
                self._say(k, len(points))
                if k < known:
                    frames.append(_frame(self._kept[k]))
                    continue
                frames.append(point())
                self._kept.append(_rows(frames[-1]))
                if time.monotonic() - written > EVERY:
                    self._write()
                    written, known = time.monotonic(), k + 1
        except BaseException:  # Ctrl-C above all: what is done is not lost
            self._write()
            raise
        if 0 < known < len(points):  # the store is there: it holds all, should saving fail
            self._write()
        self._say(len(points), len(points))
        return frames

    def _say(self, done: int, total: int) -> None:
        if self._tell is not None:
            self._tell(done, total)

    def _write(self) -> None:
        if self._store is not None and self._kept:
            content = {**self._head, "points": self._kept}
            write(self._store, json.dumps(content) + "\n", force=True)

    def _read(self) -> list[dict[str, Any]]:
        """Finished points of the store, if it exists."""
        if self._store is None or not self._store.exists():
            return []
        try:
            content = read_json(self._store.read_bytes(), nan=True)
        except ValueError as error:
            raise self._refused(f"is damaged ({error}); remove it") from None
        # As it would be read back: tuples are lists in JSON.
        ours = json.loads(json.dumps(self._head))
        if not isinstance(content, dict) or {name: content.get(name) for name in ours} != ours:
            raise self._refused(
                "is of other settings, or no store of a study; finish those, or remove it"
            )
        if not isinstance(content.get("points"), list):
            raise self._refused("is damaged (it has no points); remove it")
        return list(content["points"])

    def _refused(self, why: str) -> FilesError:
        return FilesError(f"{shown(self._store or '')} {why} to begin anew")

    @property
    def _head(self) -> dict[str, Any]:
        return {"isoloss": version("isoloss"), "type": KIND, "asked": self._asked}


def _rows(frame: pl.DataFrame) -> dict[str, Any]:
    """A frame as JSON holds it: the type of each column, and its values."""
    types = {name: str(kind) for name, kind in frame.schema.items()}
    return {"types": types, "values": frame.to_dict(as_series=False)}


def _frame(rows: dict[str, Any]) -> pl.DataFrame:
    types = {name: getattr(pl, kind) for name, kind in rows["types"].items()}
    return pl.DataFrame(rows["values"], schema=types)
