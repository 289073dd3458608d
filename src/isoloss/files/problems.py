"""What can be wrong with a file, as an error of one sentence, and how paths and reasons are shown
in it.
"""

from __future__ import annotations

from pathlib import Path

_LONGEST = 160
#: What a shell expects of a command that the keyboard interrupted: 128 and the number of SIGINT.
INTERRUPTED = 130


class FilesError(ValueError):
    """A file that cannot be written or read: its path, the reason, and what is accepted."""


def stopped(error: KeyboardInterrupt) -> str:
    """What is said after an interrupt: what the work that was stopped says of itself, if
    anything.
    """
    return str(error) or "stopped: interrupted; what was finished and saved is whole"


def reason(error: Exception) -> str:
    """What the system says of an error, without its number and path."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def shown(path: str | Path) -> str:
    """The path in quotes, cut where it is long, with what cannot be printed escaped."""
    text = str(path)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]}...{text[-_LONGEST // 2 :]}"
    return f"'{text}'" if text.isprintable() else repr(text)


def printable(text: str, keep: str = "") -> str:
    """The text with what cannot be printed written out, as control characters and those that turn
    the direction of writing: a terminal would obey them.

    keep: characters that stay, such as a line break.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)
