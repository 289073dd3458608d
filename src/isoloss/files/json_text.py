"""JSON: read from a file that may have been made to do harm, each key once, and one sentence for
whatever is wrong; and values as JSON has them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn


def json_values(value: Any) -> Any:
    """A value as JSON has it: arrays as lists, what is not known or has no end as null."""
    if isinstance(value, Mapping):
        return {str(key): json_values(each) for key, each in value.items()}
    if hasattr(value, "tolist"):
        return json_values(value.tolist())
    if isinstance(value, list | tuple):
        return [json_values(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def read_json(text: bytes | str, nan: bool = False) -> Any:
    """The value of a JSON text.

    Parameters
    ----------
    text
        The text, or its bytes in UTF-8.
    nan
        Accept NaN and Infinity, which JSON does not have.

    Raises
    ------
    ValueError
        It is no UTF-8, no JSON, nested too deeply, or an object has a key twice.
    """
    try:
        return json.loads(
            text.decode("utf-8") if isinstance(text, bytes) else text,
            parse_constant=None if nan else _refused,
            object_pairs_hook=_once_each,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refused(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:60]!r} stands twice")
    return found
