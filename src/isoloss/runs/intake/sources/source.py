"""What a source of runs is, beside files: a tracker, by the word before the colon of an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoloss.files import Registry, displayed, modules_of
from isoloss.runs.intake.sources.logged import LoggedRun
from isoloss.runs.problems import RunsError


@dataclass(frozen=True)
class TrackedRow:
    """One row that a tracker gives: a run, or one evaluation of it.

    Attributes
    ----------
    run
        What messages call the run: the name or id by which it is found in the tracker.
    values
        Column name to value; nested mappings become dotted names.
    """

    run: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class LoggedResult:
    """A saved result that goes to a tracker, as a plan.

    Attributes
    ----------
    kind
        What it is, as its file says: "plan".
    file
        The saved file.
    params, metrics
        What the tracker shows of it.
    """

    kind: str
    file: Path
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@displayed
@dataclass(frozen=True)
class Sent:
    """What was written to a tracker.

    Attributes
    ----------
    to
        Its address, without credentials.
    added
        How many runs are new there.
    there
        How many were there already, from an earlier time.
    """

    to: str
    added: int
    there: int = 0

    def __str__(self) -> str:
        there = f", {self.there} were there already" if self.there else ""
        return f"logged {self.added} run{'' if self.added == 1 else 's'} to {self.to}{there}"


@dataclass(frozen=True)
class Source:
    """How the runs in a tracker are read, and written where that is possible.

    Attributes
    ----------
    form
        What stands behind the colon of an address: "URI#experiment".
    rows
        Called with that, and the metrics whose history is asked for: without any, gives one row a
        run with the last value of each metric; else one row for each step at which all of them were
        logged, with the step in a column "step", and one without a step for a run that has none.
        Whatever it raises becomes one sentence.
    send
        Called with what stands behind the colon and rows of runs, each of which is written as one
        run unless it is there; None where nothing can be written.
    send_result
        The same for a saved result.
    package
        The client that writing needs, which is asked for before any work; its extra has the name
        of the source.
    """

    form: str
    rows: Callable[[str, Sequence[str]], Sequence[TrackedRow]]
    send: Callable[[str, Sequence[LoggedRun]], Sent] | None = None
    send_result: Callable[[str, LoggedResult], Sent] | None = None
    package: str | None = None


def _shipped() -> None:
    modules_of(__package__)


#: Every source by the word before the colon.
SOURCES: Registry[Source] = Registry("source", RunsError, _shipped, of=Source)
