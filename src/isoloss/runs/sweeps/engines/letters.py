"""Letters: what a worker off this machine says of a task, and how they travel by a shared folder.

Such a worker never opens the store. It writes letters, each with all that its try at a task has to
say so far, so that one that is lost or comes twice changes nothing; the last is what its call
returns. The driver alone writes them down.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from isoloss.files import write
from isoloss.runs.stored import Packed
from isoloss.runs.sweeps.folders import folder_of, make_folder

#: A task's last letter and the notice that a try has lost its claim, in the folder of the task.
LETTER, LOST = ".letter", ".lost"


@dataclass(frozen=True)
class Letter:
    """All that one try at a task has to say so far.

    Attributes
    ----------
    task
        Its key.
    attempt
        The call that it belongs to, as the driver named it.
    writer
        The very worker: an engine may make one call twice, where a machine is lost and comes back.
    number
        1 until a letter of the worker has arrived, then one more with each; 0 before it began.
    rows, notes
        Finished rows, and sentences for people.
    share, loss, seconds
        How much of the work is done, the loss now, and the time spent.
    how
        "running"; how it ended; "left" where the worker had to leave; or "store" where the disk
        under the shared folder is full or a module cannot be imported, which ends the sweep.
    reason, trace
        Why it failed.
    before
        Writers of the same call whose last letters this one goes on from: it says all that they
        said.
    """

    task: str
    attempt: str
    writer: str
    number: int = 0
    rows: tuple[Packed, ...] = ()
    notes: tuple[str, ...] = ()
    share: float = 0.0
    loss: float | None = None
    seconds: float = 0.0
    how: Literal["running", "done", "failed", "left", "store"] = "running"
    reason: str = ""
    trace: str | None = None
    before: tuple[str, ...] = ()


class Post(Protocol):
    """A way for letters from workers to the driver; it is sent along with the work."""

    def tell(self, letter: Letter) -> bool:
        """Send a letter; whether its writer still has the task."""

    def heard(self, tasks: Iterable[str]) -> list[Letter]:
        """The letters on tasks that came since this was last asked."""

    def told(self, attempt: str, tasks: Iterable[str]) -> list[Letter]:
        """The last letters of a call, as its next worker asks where the engine makes it again."""

    def lose(self, task: str, attempt: str) -> None:
        """Let the worker of a call know that it has lost a task."""

    def ended(self, task: str) -> None:
        """Forget what was told of a task."""


@dataclass(frozen=True)
class FolderPost:
    """Letters as files in the folders of tasks, which driver and workers share.

    Attributes
    ----------
    path
        The file beside which the folders are: the store, or what stands for it in another place.
    """

    path: Path
    _read: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def __reduce__(self) -> Any:
        return FolderPost, (self.path,)  # what was read concerns the driver alone

    def tell(self, letter: Letter) -> bool:
        """Leave the letter, unless another worker has written since ours began, or the task is
        over.
        """
        folder = folder_of(self.path, letter.task)
        if letter.number > 1 and not folder.is_dir():
            return False
        folder = make_folder(self.path, letter.task)
        there = _opened(folder / LETTER)
        if (folder / f"{LOST}{_plain(letter.attempt)}").exists() or (
            there is not None and there.writer != letter.writer and letter.number > 1
        ):
            return False
        write(folder / LETTER, pickle.dumps(letter), force=True)
        return True

    def heard(self, tasks: Iterable[str]) -> list[Letter]:
        """Those whose file has changed."""
        found = []
        for key in tasks:
            file = folder_of(self.path, key) / LETTER
            try:
                when = file.stat().st_mtime_ns
            except OSError:
                continue
            if self._read.get(key) != when and (letter := _opened(file)) is not None:
                self._read[key] = when
                found.append(letter)
        return found

    def told(self, attempt: str, tasks: Iterable[str]) -> list[Letter]:
        """Those that lie in the folders of the tasks."""
        there = [_opened(folder_of(self.path, key) / LETTER) for key in tasks]
        return [each for each in there if each is not None and each.attempt == attempt]

    def lose(self, task: str, attempt: str) -> None:
        """Leave a notice in the folder of the task, also for a worker that has yet to begin.

        Where none can be left the work goes on, and what comes of it is not kept.
        """
        with contextlib.suppress(OSError):
            (make_folder(self.path, task) / f"{LOST}{_plain(attempt)}").touch()

    def ended(self, task: str) -> None:
        """Remove letter and notices."""
        self._read.pop(task, None)
        folder = folder_of(self.path, task)
        if folder.is_dir():
            for file in (folder / LETTER, *folder.glob(f"{LOST}*")):
                file.unlink(missing_ok=True)


def _plain(attempt: str) -> str:
    """The name of a call as part of a file's name."""
    return "." + "".join(each if each.isalnum() else "-" for each in attempt)


def _opened(file: Path) -> Letter | None:
    """The letter in a file; None where there is none that can be read."""
    try:
        found = pickle.loads(file.read_bytes())
    except Exception:  # what is not there yet or damaged is told again
        return None
    return found if isinstance(found, Letter) else None
