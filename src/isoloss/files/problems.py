"""What can be wrong with a file, as an error of one sentence, and how paths and reasons are shown
in it.
"""

from __future__ import annotations

from pathlib import Path

_LONGEST = 160


class FilesError(ValueError):
    """A file that cannot be written or read: its path, the reason, and what is accepted."""


def reason(error: Exception) -> str:
    """What the system says of an error, without its number and path."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def shown(path: str | Path) -> str:
    """The path in quotes, cut where it is long, with what cannot be printed escaped."""
    text = str(path)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]}...{text[-_LONGEST // 2 :]}"
    return f"'{text}'" if text.isprintable() else repr(text)
