"""Save any registered value as a JSON file, and load it again."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from isoloss.files.coding import decode, encode
from isoloss.files.json_text import read_json
from isoloss.files.kinds import KINDS, kind_named
from isoloss.files.origin import command
from isoloss.files.problems import FilesError, reason, shown
from isoloss.files.registry import Registry
from isoloss.files.values import with_article
from isoloss.files.writing import check_target, write

#: The largest file that is read as JSON, in bytes.
MOST_BYTES = 1 << 30


def save(value: Any, path: str | Path, force: bool = False) -> Path:
    """Write a value to a JSON file, whole or not at all.

    Parameters
    ----------
    value
        A fit, comparison, law, plan, or a value of any other registered kind.
    path
        Where the file stands afterwards.
    force
        Replace a file that exists.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    FilesError
        The value is of no registered kind, the file exists and `force` is not given, or it cannot
        be written.
    ValueError
        The value itself cannot be kept, as a law of a formula that has no name.
    """
    check_target(path, force)
    name = next((name for name, kind in KINDS.items() if kind.cls is type(value)), None)
    if name is None:
        raise FilesError(
            f"cannot save {with_article(type(value).__name__)}; kinds that are saved are "
            f"{', '.join(KINDS)}"
        )
    head = {"isoloss": version("isoloss"), "type": name, "schema": KINDS[name].schema}
    if not Registry.is_shipped(KINDS.home(name)):
        head["module"] = KINDS.home(name)
    if made := command():
        head["command"] = made
    text = json.dumps(head | {"value": encode(value)}, indent=1, allow_nan=False)
    return write(path, text + "\n", force)


def load(path: str | Path) -> Any:
    """Read a value that `save` wrote.

    Parameters
    ----------
    path
        A JSON file of isoloss.

    Returns
    -------
    Any
        The value: a fit, comparison, law, plan, or whatever other kind is registered.

    Raises
    ------
    FilesError
        There is no such file, it is no file of isoloss, it has a newer schema or a kind that is not
        registered, or its content does not have the types of its fields.
    """
    if not isinstance(path, str | Path) or not str(path):
        raise FilesError(f"cannot load {path!r}; accepted is the path of a file that was saved")
    path = Path(path)
    content = _content(path)
    name, schema = content["type"], content["schema"]
    kind = kind_named(name)
    if kind is None:
        module = content.get("module")
        why = KINDS.unknown(name, module if isinstance(module, str) else None)
        raise FilesError(f"cannot read {shown(path)}: {why}")
    if schema > kind.schema:
        raise FilesError(
            f"{shown(path)} has schema {schema} but this isoloss {version('isoloss')} reads up to "
            f"{kind.schema}; "
            "upgrade isoloss"
        )
    try:
        return decode(kind.cls, content["value"], name)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        said = f"no field {error}" if isinstance(error, KeyError) else str(error)
        raise FilesError(
            f"{shown(path)} says it holds a {name} but cannot be read as one: "
            f"{' '.join(said.split())[:500]}"
        ) from error


def _content(path: Path) -> dict[str, Any]:
    """The JSON object of a file that has a type, a schema and a value."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise FilesError(f"cannot read {shown(path)}: it is no regular file")
        if size > MOST_BYTES:
            raise FilesError(f"cannot read {shown(path)}: it is larger than {MOST_BYTES} bytes")
        text = path.read_bytes()
    except FileNotFoundError:
        raise FilesError(f"there is no file {shown(path)}") from None
    except FilesError:
        raise
    except (OSError, ValueError) as error:
        raise FilesError(f"cannot read {shown(path)}: {reason(error)}") from None
    try:
        content = read_json(text)
    except ValueError as error:
        raise _foreign(path) from error
    if not (
        isinstance(content, dict)
        and isinstance(content.get("type"), str)
        and type(content.get("schema")) is int
        and "value" in content
    ):
        raise _foreign(path)
    return content


def _foreign(path: Path) -> FilesError:
    *others, last = KINDS
    return FilesError(f"{shown(path)} is not a {', '.join(others)} or {last} saved by isoloss")
