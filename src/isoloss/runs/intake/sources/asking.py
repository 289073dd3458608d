"""Asking a tracker: an address taken apart, its client loaded, and whatever goes wrong said in one
sentence without credentials.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import Any

from isoloss.files import Registry, did_you_mean
from isoloss.runs.intake.frames import from_rows, with_printable_names
from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.reader import Opened
from isoloss.runs.intake.sources.secrets import without_secrets
from isoloss.runs.intake.sources.source import SOURCES, Source, TrackedRow
from isoloss.runs.problems import NestedRuns, RunsError

#: Letters of a client's message that are repeated.
MOST_SAID = 200
_NO_ANSWER = re.compile(
    r"(?i)refused|timed? ?out|resolve|unreachable|max retries|connection (reset|aborted|error)"
    r"|could not connect|name or service not known"
)
_NO_PERMISSION = re.compile(
    r"(?i)\b40[13]\b|permission|unauthori[sz]ed|forbidden|not authenticated|api key|log ?in\b"
)


def is_source(word: object) -> bool:
    """Whether a word is an address of a tracker, as ``mlflow:URI#experiment``."""
    return isinstance(word, str) and _split(word) is not None


def address_of(word: str) -> tuple[Source, str]:
    """The source that an address names, and what stands behind its colon; RunsError where that is
    nothing.
    """
    found = _split(word)
    if found is None:
        name = word.partition(":")[0]
        meant = did_you_mean(name, SOURCES, 1, 0.6) or ""
        raise RunsError(
            f"{without_secrets(word)!r} names no tracker; {meant or sources_in_words()}"
        )
    name, where = found
    if not where:
        raise RunsError(f"'{name}:' names nothing; write it like {name}:{SOURCES[name].form}")
    return SOURCES[name], where


def sources_in_words() -> str:
    """How addresses are written, all in one line."""
    return ", ".join(f"{name}:{source.form}" for name, source in SOURCES.items())


def _split(word: str) -> tuple[str, str] | None:
    name, colon, where = word.partition(":")
    # A drive of Windows and a name with a dot are no words of trackers.
    if not colon or not re.fullmatch(r"[a-z][a-z0-9_-]+", name):
        return None
    return (name, where) if SOURCES.find(name) is not None else None


def open_source(word: str, history: Sequence[str] = ()) -> Opened:
    """The raw table that a tracker holds.

    Parameters
    ----------
    word
        An address, as ``mlflow:http://localhost:5000#experiment``.
    history
        Metrics whose history is asked for; without any, the last value of each metric is read.

    Raises
    ------
    RunsError
        The address is none, its client is not installed, the server does not answer or gives no
        permission, or there are no runs.
    """
    source, where = address_of(word)
    name = without_secrets(word)
    with saying(f"cannot read {name}"):
        found = list(source.rows(where, tuple(history)))
    _check(found, word)
    # A run of which the metrics were never logged together has one row, of no step.
    if not found or (history and all(row.values.get("step", 0) is None for row in found)):
        raise RunsError(f"{name} has no runs" + (f" with {_and(history)}" if history else ""))
    runs = [without_secrets(row.run) for row in found]
    frame = from_rows([dict(row.values) for row in found], name, range(1, len(found) + 1))
    counted = "children" in frame.columns and frame["children"].dtype.is_numeric()
    if counted and (frame["children"] > 0).any():
        parents = len({run for run, n in zip(runs, frame["children"], strict=True) if n})
        warnings.warn(
            f"{parents} runs of {name} have others nested under them and are rows like those; keep "
            "only the runs without with where(children=0) (--where children=0)",
            NestedRuns,
            stacklevel=2,
        )
    return Opened(with_printable_names(frame, name), Origin(name, runs, each="run"))


def client(module: str, extra: str) -> Any:
    """The client of a tracker, loaded; RunsError naming the extra where it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        missing = error.name or module
        own = module.partition(".")[0]
        if missing.partition(".")[0] == own:
            raise RunsError(
                f"this needs the package {own}: pip install 'isoloss[{extra}]'"
            ) from None
        raise RunsError(
            f"the package {own} cannot be loaded ({error}): pip install 'isoloss[{extra}]'"
        ) from None


@contextmanager
def environment(settings: Mapping[str, str], replace: bool = False) -> Iterator[None]:
    """Variables of the environment for as long as a client is asked; those that a user set stay,
    unless `replace`.
    """
    before = {name: os.environ.get(name) for name in settings}
    mine = {k: v for k, v in settings.items() if replace or before[k] is None}
    os.environ.update(mine)
    try:
        yield
    finally:
        for name in mine:
            was = before[name]
            if was is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = was


@contextmanager
def saying(what: str) -> Iterator[None]:
    """What a client raises as one RunsError; its own lines go to stderr, its warnings nowhere."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except RunsError as error:
        raise RunsError(without_secrets(str(error))) from None
    except Exception as error:  # clients raise what they like
        # Without a cause: what a client says may hold the password of the address.
        raise RunsError(f"{what}: {_reason(error)}") from None
    finally:
        logging.disable(before)


def _reason(error: Exception) -> str:
    text = without_secrets(" ".join(str(error).split())) or "no reason given"
    short = text if len(text) <= MOST_SAID else f"{text[:MOST_SAID]}..."
    if isinstance(error, ImportError):
        return f"its client needs the package {error.name}, which is not installed"
    if _NO_ANSWER.search(text) or isinstance(error, TimeoutError | ConnectionError):
        return f"its server does not answer ({short})"
    if _NO_PERMISSION.search(text) or isinstance(error, PermissionError):
        return f"there is no permission ({short})"
    return f"{type(error).__name__}: {short}"


def _check(found: Sequence[object], word: str) -> None:
    """Raise RunsError where a source of a user's own gave something else than rows."""
    odd = next((each for each in found if not isinstance(each, TrackedRow)), None)
    if odd is not None:
        name = word.partition(":")[0]
        said = "" if Registry.is_shipped(SOURCES.home(name)) else f" of {SOURCES.home(name)}"
        raise RunsError(
            f"the source '{name}'{said} gave a {type(odd).__name__}; it gives rows, each a "
            "TrackedRow(run, values)"
        )


def _and(names: Sequence[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)
