"""What can be wrong with a table of runs: errors of one sentence, and warnings that can be told
apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class RunsError(ValueError):
    """One sentence: what is wrong with a table of runs, with the value, and what is accepted."""


class MissingColumns(RunsError):
    """A table has no column that is required, or that was named: which, and how to name it."""


class RunsWarning(UserWarning):
    """Something in a table of runs that deserves a look but stops nothing."""


class PerplexitySuspected(RunsWarning):
    """The losses are too large for nats per token."""


class LossConverted(RunsWarning):
    """The name of the loss column says a unit other than nats, from which losses were converted."""


class EndingTaken(RunsWarning):
    """A column that is not called status holds the endings of runs, and leaves rows out."""


class OddCounts(RunsWarning):
    """Params, tokens or FLOPs of a table look as if they were in another unit, or one row does."""


class TrajectoriesFound(RunsWarning):
    """Rows look like evaluations along runs, which no column ``group`` says."""


class NestedRuns(RunsWarning):
    """A tracker holds runs under which others are nested, as a search and its trials."""


class NothingUsable(RunsWarning):
    """No row of the table can be used."""


class ValueIgnored(RunsWarning):
    """A value in an optional column could not be used and is taken as unknown."""


class DownloadError(RunsError):
    """One sentence: why a public table could not be downloaded, and how to try again."""


class StoreError(RunsError):
    """One sentence: why a store cannot be used, with its path, and what to do; what it holds is
    kept.
    """


class StoreUnwritable(StoreError):
    """The file itself cannot be read or written, whatever the row: no use in going on.

    Attributes
    ----------
    path
        The file; None where it is not known.
    """

    def __init__(self, sentence: str, path: Path | None = None) -> None:
        super().__init__(sentence)
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.path)
