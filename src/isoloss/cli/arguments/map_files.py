"""Files of --map: one for all tables, or one for each by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import isoloss as il
from isoloss.cli.arguments.targets import SAVED, check_target
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.runs import Understood


@dataclass(frozen=True)
class MapFiles:
    """The file of each table that has one, and which of these were there before.

    Attributes
    ----------
    files
        By the table as it was typed.
    known
        Tables whose file says how they are read; the others keep it there.
    """

    files: Mapping[str, Path]
    known: frozenset[str]

    def read_from(self, name: str) -> Path | None:
        """The file that says how a table is read."""
        return self.files[name] if name in self.known else None

    def keep(self, found: Mapping[str, Understood | None]) -> list[str]:
        """Write the files that were not there, and return what to say of them."""
        said, kept = [], set()
        for name, path in self.files.items():
            how = found.get(name)
            if name in self.known or how is None or how.saved_in or path in kept:
                continue
            kept.add(path)
            said.append(f"kept how it is read as {il.files.save(how.map, path)}")
        for path in dict.fromkeys(p for n, p in self.files.items() if n not in self.known):
            if path not in kept:
                raise Refused(f"no map to keep in {path}: the tables were read by isoloss before")
        return said


def map_files(names: Sequence[str], texts: Sequence[str]) -> MapFiles:
    """The files of --map for these tables.

    Parameters
    ----------
    names
        Tables, as they were typed.
    texts
        What --map was given: a file, or NAME=FILE for one of several tables.

    Raises
    ------
    Refused
        A file is given twice or for no table of one's own, or cannot be written.
    """
    own = [name for name in names if name not in il.runs.TABLES]
    general: list[Path] = []
    single: dict[str, Path] = {}
    for text in texts:
        name, path = _named(text, names)
        if name is None:
            general.append(path)
        elif name in single:
            raise Refused(f"--map gives two files for {name}, {single[name]} and {path}")
        else:
            single[name] = path
    if len(general) > 1:
        raise Refused(
            f"--map gives two files for all tables, {general[0]} and {general[1]}; write "
            "--map TABLE=FILE"
        )
    if (texts and not own) or single.keys() - {*own}:
        raise Refused(f"--map {texts[0]} is for files of your own, not for public tables")
    files = {name: single.get(name, *general) for name in own if general or name in single}
    for path in files.values():
        if not path.exists():
            check_target(path, SAVED, force=False)
    return MapFiles(files, frozenset(name for name, path in files.items() if path.exists()))


def _named(text: str, names: Sequence[str]) -> tuple[str | None, Path]:
    """The table that a file of --map is for, where it names one, and the file."""
    if Path(text).exists() or "=" not in text:
        return None, Path(text)
    for at in (place for place, sign in enumerate(text) if sign == "="):
        before = text[:at]
        found = [name for name in dict.fromkeys(names) if before in (name, Path(name).name)]
        if len(found) > 1:
            raise Refused(f"--map {text}: several tables are called {before}; write the whole path")
        if found and text[at + 1 :]:
            return found[0], Path(text[at + 1 :])
    raise Refused(f"--map {text}: no table is called so; there are {', '.join(names)}")
