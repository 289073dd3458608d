"""One checked name for everything that becomes a file or folder: a key, a label, the name of a
table.
"""

from __future__ import annotations

from isoloss.files.problems import FilesError

#: The longest name, in bytes of UTF-8: systems allow 255, and endings are put behind it.
LONGEST = 200
#: What one system or another reads as something else than a letter of a name.
_REFUSED = frozenset('/\\:*?"<>|')
#: Names of devices on Windows, with any ending.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{k}" for port in ("com", "lpt") for k in range(1, 10))]
)


def checked_name(name: str, what: str = "name", problem: type[ValueError] = FilesError) -> str:
    """The name, if it can be that of one file or folder on every system.

    Parameters
    ----------
    name
        What is to become a file or folder.
    what
        What it is in a message: "task key".
    problem
        The ValueError to raise, so that a room keeps its own type.

    Raises
    ------
    ValueError
        It is empty, "." or "..", holds a separator of folders, a character that a system refuses or
        that cannot be printed, begins or ends with a blank, ends with a dot, is longer than 200
        bytes, or is the name of a device.
    """
    why = _why_not(name)
    if why is None:
        return name
    shown = repr(name if not isinstance(name, str) or len(name) <= 60 else name[:57] + "...")
    raise problem(
        f"the {what} {shown} cannot name a file: {why}; accepted are letters, digits, '-', '_' and "
        "'.'"
    )


def _why_not(name: str) -> str | None:
    """Why no file can have the name, or None."""
    if not isinstance(name, str):
        return "it is no text"
    if not name or name in (".", ".."):
        return "it names no file or its folder"
    if found := [letter for letter in name if letter in _REFUSED]:
        return f"it holds {found[0]!r}"
    if not name.isprintable():
        return "it holds a character that cannot be printed"
    if name != name.strip() or name.endswith("."):
        return "it begins or ends with a blank or ends with a dot"
    if len(name.encode()) > LONGEST:
        return f"it is longer than {LONGEST} bytes"
    if name.partition(".")[0].lower() in _DEVICES:
        return "Windows keeps it for a device"
    return None
