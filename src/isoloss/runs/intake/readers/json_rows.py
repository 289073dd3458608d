"""JSON and JSON lines: rows as objects, in a list or by their names, columns as lists, one run as
an object, or the state of a Hugging Face Trainer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from isoloss.runs.intake.cells import text_of
from isoloss.runs.intake.content import evaluations_of, is_one_run, names_a_column
from isoloss.runs.intake.frames import from_columns, from_rows
from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.problems import RunsError

#: Digits of a whole number that a float still holds.
MOST_DIGITS = 300


def open_json(data: bytes, name: str) -> Opened:
    """A list of rows, an object of rows or of equally long columns, one run, or the log of a
    Trainer.
    """
    content = _parsed(text_of(data, name), name)
    if isinstance(content, Mapping) and isinstance(content.get("log_history"), list):
        records, places, note = evaluations_of(content, name)
        return Opened(from_rows(records, name, places), Origin(name, places), (note,))
    if isinstance(content, Mapping) and is_one_run(content):
        return Opened(from_rows([content], name, [1]), Origin(name), ("one run, as an object",))
    if isinstance(content, Mapping) and _is_of_rows(content):
        own = "row" if any("run" in row for row in content.values()) else "run"
        records = [{own: key, **row} for key, row in content.items()]
        note = f"rows by their names, which column {own} holds"
        return Opened(from_rows(records, name, range(1, len(records) + 1)), Origin(name), (note,))
    if isinstance(content, Mapping):
        lists = _columns(content)
        if lists is None:
            raise RunsError(
                f"cannot read {name}: accepted is a list of rows or an object of equally long "
                "columns"
            )
        return Opened(from_columns(lists), Origin(name))
    if not isinstance(content, list):
        raise RunsError(
            f"cannot read {name}: accepted is a list of rows or an object of equally long columns"
        )
    return Opened(from_rows(content, name, range(1, len(content) + 1)), Origin(name))


def _is_of_rows(content: Mapping[str, Any]) -> bool:
    """Whether an object holds rows by their names: objects that name params, tokens or a loss,
    under names that do not.
    """
    rows = [row for row in content.values() if isinstance(row, Mapping)]
    if not rows or len(rows) < len(content):
        return False
    return any(map(names_a_column, rows[0])) and not any(map(names_a_column, content))


def _columns(content: Mapping[str, Any]) -> dict[str, list[Any]] | None:
    """Columns of values, or as pandas writes them, of {row: value}; None where rows differ."""
    keys = next((list(v) for v in content.values() if isinstance(v, Mapping)), None)
    lists: dict[str, list[Any]] = {}
    for name, values in content.items():
        if isinstance(values, Mapping) and keys is not None and values.keys() == set(keys):
            lists[name] = [values[key] for key in keys]  # in the order of one column
        elif isinstance(values, list) and keys is None:
            lists[name] = values
        else:
            return None
    return lists if len({len(values) for values in lists.values()}) == 1 else None


def open_json_lines(data: bytes, name: str) -> Opened:
    """One row a line, empty lines left out."""
    numbered = [
        (i, line) for i, line in enumerate(text_of(data, name).splitlines(), 1) if line.strip()
    ]
    rows = [number for number, _ in numbered]
    records = [_parsed(line, f"{name}, row {number}") for number, line in numbered]
    return Opened(from_rows(records, name, rows), Origin(name, rows))


def _integer(digits: str) -> int | float:
    """A whole number; as a float beyond any that is a count, so that its row alone is refused."""
    return int(digits) if len(digits) < MOST_DIGITS else float(digits)


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise RunsError(
            f"cannot read {name} as JSON: {error.msg} at column {error.colno}"
        ) from None
    except RecursionError:
        raise RunsError(f"cannot read {name} as JSON: it is nested too deeply") from None


READERS.register(".json", Reader(open_json))
READERS.register(".jsonl", Reader(open_json_lines))
