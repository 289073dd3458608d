"""Notes of calls that go on when their driver ends, in a folder beside those of tasks: by them the
next driver takes the calls up again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from isoloss.files import write
from isoloss.runs.problems import StoreError
from isoloss.runs.sweeps.folders import folder_of

#: Their folder.
UNDER_WAY = "isoloss-under-way"


@dataclass(frozen=True)
class CallNote:
    """A call under way.

    Attributes
    ----------
    engine
        The name of the engine that makes it.
    reference
        The call's name there.
    attempt
        Its name in letters.
    tasks
        The keys of its tasks.
    """

    engine: str
    reference: str
    attempt: str
    tasks: tuple[str, ...]


class CallNotes:
    """The notes of one engine on one store; those of other engines and sweeps stay as they are.

    path: the file beside which the folders of tasks are.
    """

    def __init__(self, path: Path, engine: str) -> None:
        self._folder, self._engine = folder_of(path, UNDER_WAY), engine

    def __iter__(self) -> Iterator[CallNote]:
        for file in sorted(self._folder.glob("*.json")):
            try:
                found = json.loads(file.read_text(encoding="utf-8"))
                note = CallNote(**found | {"tasks": tuple(map(str, found["tasks"]))})
            except (OSError, ValueError, KeyError, TypeError):
                continue  # another driver's, gone by now or of another version
            if note.engine == self._engine:
                yield note

    def add(self, reference: str, attempt: str, tasks: Sequence[str]) -> None:
        """Note a call."""
        self._folder.mkdir(parents=True, exist_ok=True)
        note = CallNote(self._engine, reference, attempt, tuple(tasks))
        write(self._file(attempt), json.dumps(asdict(note)), force=True, problem=StoreError)

    def remove(self, attempt: str) -> None:
        """Forget a call, and the folder with the last one."""
        self._file(attempt).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _file(self, attempt: str) -> Path:
        return self._folder / f"{attempt.replace(':', '-')}.json"
