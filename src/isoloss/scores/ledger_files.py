"""The files of a ledger: which files of a folder are forecasts, and the order of their chain."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoloss.files import FilesError, check_target, read_json, reason, shown_value
from isoloss.scores.problems import ScoreError

#: How the name of a forecast ends, in any case: all files of a folder that end so are looked at.
ENDING = ".json"


def check_new(path: str | Path) -> Path:
    """The path as a Path, if a forecast may be frozen there: none is ever replaced.

    Parameters
    ----------
    path
        A file (.json) that does not exist, in the folder that is the ledger.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    FilesError
        The file exists, has another ending, or its folder does not exist.
    """
    place = Path(path)
    if os.path.lexists(place) and not place.is_dir():
        raise FilesError(
            f"{shown_value(str(place))} exists and a forecast replaces no file; give another name"
        )
    return check_target(place, endings=(ENDING,))


def files_of(folder: Path) -> tuple[list[Path], list[Path]]:
    """The forecasts of a folder, and its other JSON files, both by name.

    Raises ScoreError for a file that cannot be read: it may have been a forecast.
    """
    found: tuple[list[Path], list[Path]] = [], []
    for path in sorted(folder.glob("*")):
        if path.suffix.lower() == ENDING and not path.is_dir():
            found[not _is_forecast(path)].append(path)
    return found


def head_of(folder: Path) -> str:
    """The hash of the last forecast of a folder, "" where there is none."""
    order = in_order(links_of(folder))
    return order[-1] if order else ""


def links_of(folder: Path) -> dict[str, str]:
    """Of each forecast of a folder its hash, and the hash that it comes after."""
    found: dict[str, str] = {}
    for path in files_of(folder)[0]:
        try:
            value = read_json(path.read_bytes())["value"]["Forecast"]
            check_hash(value)
            mine, before = str(value["hash"]), str(value["previous"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ScoreError(f"cannot read the forecast '{path}': {_why(error)}") from error
        if mine in found:
            raise ScoreError(f"'{path}' is the copy of another forecast in its folder")
        found[mine] = before
    return found


def hash_of(content: Mapping[str, Any]) -> str:
    """The sha256 of all that a forecast says, as its fields, but its own hash."""
    text = json.dumps({**content, "hash": ""}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def check_hash(content: Mapping[str, Any]) -> None:
    """Raise ScoreError where a forecast, as its fields, is not what its hash says."""
    own, said = hash_of(content), str(content["hash"])
    if said != own:
        raise ScoreError(
            f"it was changed after it was frozen: its content has the hash {own[:12]} and it says "
            f"{said[:12] or 'none'}"
        )


def in_order(links: Mapping[str, str]) -> list[str]:
    """Hashes from the first forecast to the last.

    Raises ScoreError where a forecast is missing, or two come after one.
    """
    after: dict[str, str] = {}
    for mine, before in links.items():
        if before in after:
            raise ScoreError(
                f"forecasts {after[before][:12]} and {mine[:12]} both come after "
                f"{before[:12] or 'nothing'}: one of them was added behind the back of the ledger"
            )
        after[before] = mine
    order, at = [], ""
    while at in after:
        at = after[at]
        order.append(at)
    if len(order) < len(links):
        without = {before for mine, before in links.items() if mine not in order}
        lost = min(without - links.keys() or without)
        raise ScoreError(f"forecast {lost[:12]} is missing from the ledger, or was changed")
    return order


def _is_forecast(path: Path) -> bool:
    try:
        content = read_json(path.read_bytes(), nan=True)
    except (OSError, ValueError) as error:
        raise ScoreError(
            f"cannot read '{path}', which may have been a forecast: {_why(error)}; restore it, or "
            "move it out of the folder if it was none"
        ) from error
    return isinstance(content, dict) and content.get("type") == "forecast"


def _why(error: Exception) -> str:
    if isinstance(error, OSError | json.JSONDecodeError):
        return reason(error)
    if isinstance(error, ScoreError):
        return str(error)
    return "it was cut short or edited"
