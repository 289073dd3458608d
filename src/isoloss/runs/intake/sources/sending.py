"""Writing to a tracker: whether that is possible is known before any work."""

from __future__ import annotations

from collections.abc import Sequence

from isoloss.runs.intake.sources.asking import address_of, client, saying
from isoloss.runs.intake.sources.logged import LoggedRun
from isoloss.runs.intake.sources.secrets import without_secrets
from isoloss.runs.intake.sources.source import SOURCES, LoggedResult, Sent
from isoloss.runs.problems import RunsError


def check_sendable(word: str) -> None:
    """Raise RunsError where nothing can be written to an address, or its client is not there."""
    source, _ = address_of(word)
    if source.send is None or source.send_result is None:
        able = [f"{n}:{s.form}" for n, s in SOURCES.items() if s.send and s.send_result]
        raise RunsError(f"cannot write to {without_secrets(word)}; accepted are {', '.join(able)}")
    if source.package is not None:
        with saying(f"cannot write to {without_secrets(word)}"):
            client(source.package, word.partition(":")[0])


def send_to(word: str, what: Sequence[LoggedRun] | LoggedResult) -> Sent:
    """Write runs or a result to the tracker of an address.

    Raises
    ------
    RunsError
        The address is none that can be written to, its client is not installed, or the server does
        not take it.
    """
    check_sendable(word)
    source, where = address_of(word)
    with saying(f"cannot write to {without_secrets(word)}"):
        if isinstance(what, LoggedResult):
            assert source.send_result is not None
            return source.send_result(where, what)
        assert source.send is not None
        return source.send(where, what)
    raise AssertionError("saying raises or passes")
