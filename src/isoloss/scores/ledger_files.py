"""The files of a ledger: which files of a folder are forecasts, and the order of their chain."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from isoloss.files import read_json, reason
from isoloss.scores.problems import ScoreError

#: How a file of isoloss begins that is a forecast.
_HEAD = re.compile(rb'\{\s*"isoloss": "[^"]*",\s*"type": "forecast"')


def files_of(folder: Path) -> list[Path]:
    """The forecasts of a folder, by name; other files are none of ours."""
    return [path for path in sorted(folder.glob("*.json")) if _is_forecast(path)]


def head_of(folder: Path) -> str:
    """The hash of the last forecast of a folder, "" where there is none."""
    order = in_order(links_of(folder))
    return order[-1] if order else ""


def links_of(folder: Path) -> dict[str, str]:
    """Of each forecast of a folder its hash, and the hash that it comes after."""
    found: dict[str, str] = {}
    for path in files_of(folder):
        try:
            value = read_json(path.read_bytes())["value"]["Forecast"]
            mine, before = str(value["hash"]), str(value["previous"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ScoreError(f"cannot read the forecast '{path}': {_why(error)}") from error
        if mine in found:
            raise ScoreError(f"'{path}' is the copy of another forecast in its folder")
        found[mine] = before
    return found


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
        lost = next(before for mine, before in links.items() if before not in {"", *links})
        raise ScoreError(f"forecast {lost[:12]} is missing from the ledger, or was changed")
    return order


def _is_forecast(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _HEAD.match(file.read(200)) is not None
    except OSError:
        return False


def _why(error: Exception) -> str:
    if isinstance(error, OSError | json.JSONDecodeError):
        return reason(error)
    return "it was cut short or edited"
