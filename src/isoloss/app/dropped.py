"""Files that a person drops in: small, read by the typed doors, kept apart under keys that nobody
can guess.
"""

from __future__ import annotations

import re
import secrets
import tempfile
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import isoloss as il
from isoloss.app.asked import AppError, check_published
from isoloss.app.lines import Lines, call, command

#: Bytes of a file, and files that are kept; the oldest goes first.
MOST_BYTES, MOST_FILES = 20_000_000, 16
#: Endings of tables; those that unpack into more than they weigh are not taken.
TABLES = (".csv", ".tsv", ".json", ".jsonl")
#: Rows of a table that is fitted while one waits, replicates, and starts of the search.
MOST_ROWS, DRAWS, STARTS = 20_000, 50, 6
#: Where the commands keep the fit to a table that was dropped in.
FITTED = "fit.json"


@dataclass(frozen=True)
class Own:
    """A file of a person's own: its name, the law in it, how it was read, the lines that load it as
    `fit`, and the saved file that commands take.
    """

    name: str
    law: Any
    told: tuple[str, ...]
    lines: Lines
    saved: str


@dataclass(frozen=True)
class Dropped:
    """Files by their keys; only who has a key sees what is behind it."""

    kept: OrderedDict[str, Own] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    reading: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, content: bytes, law: str) -> tuple[str, Own]:
        """Read a saved fit, comparison or law, or fit a law to a table; the key and what it is."""
        if len(content) > MOST_BYTES:
            raise AppError(too_large(len(content)))
        check_published(law)
        name = _safe(name)
        with self.reading:  # what Python warns of goes to one listener
            own = _read(name, content, law)
        key = secrets.token_urlsafe(16)
        with self.lock:
            self.kept[key] = own
            while len(self.kept) > MOST_FILES:
                self.kept.popitem(last=False)
        return key, own

    def __getitem__(self, key: str) -> Own:
        """The file of a key; AppError where it is not kept."""
        with self.lock:
            found = self.kept.get(key)
        if found is None:
            raise AppError("the file of this link is no longer kept here; drop it in again")
        return found


def too_large(size: int) -> str:
    """The sentence for a file that is too large for the page."""
    return (
        f"the file has {size / 1e6:.4g} MB; the page takes {MOST_BYTES / 1e6:.0f} MB, the command "
        "line more"
    )


def _safe(name: str) -> str:
    """A file name without folders or characters that a shell would obey."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(name.replace("\\", "/")).name)[-60:].lstrip(".-_")
    if Path(plain).suffix.lower() not in TABLES:
        raise AppError(f"cannot take {name[-60:]!r}; accepted are {' '.join(TABLES)}")
    return plain


def _read(name: str, content: bytes, law: str) -> Own:
    with tempfile.TemporaryDirectory(prefix="isoloss") as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            return _saved(path) or _fitted(path, law)
        except ValueError as error:
            raise AppError(str(error).replace(f"{folder}/", "")) from None


def _saved(path: Path) -> Own | None:
    """The fit, comparison or law in a file; None for what isoloss did not save."""
    if not il.files.is_saved(path):
        return None
    found = il.load(path)
    if not isinstance(found, il.Fit | il.Comparison | il.Law):
        kind = type(found).__name__.lower()
        raise AppError(f"'{path.name}' holds a {kind}; drop in a fit, a comparison, a law or runs")
    lines = Lines((), (f"fit = il.load({path.name!r})",))
    told = (f"{path.name}: a {type(found).__name__.lower()}",)
    return Own(path.name, found, told, lines, path.name)


def _fitted(path: Path, law: str) -> Own:
    """A law fitted to a table, and how the table was read."""
    with _heard() as heard:
        runs = il.read(path)
        if len(runs) > MOST_ROWS:
            raise AppError(f"the table has {len(runs)} rows; the page fits {MOST_ROWS} at most")
        fit = il.fit(law, runs, draws=DRAWS, starts=STARTS)
    said = "" if runs.understood is None else str(runs.understood)
    told = (*said.split("\n"), *heard, *map(str, fit.warnings))
    options: dict[str, Any] = {"draws": DRAWS, "starts": STARTS}
    shell = command("fit", path.name, law=law, **options, output=FITTED)
    python = f"fit = {call('il.fit', law, path.name, **options)}"
    return Own(
        path.name, fit, tuple(line for line in told if line), Lines((shell,), (python,)), FITTED
    )


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What is warned of in this thread; what others do for other people is not heard."""
    mine, heard = threading.get_ident(), list[str]()

    def hear(message: Warning | str, *_: Any, **__: Any) -> None:
        if threading.get_ident() == mine:
            heard.append(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = hear
        yield heard
