"""Files of text that hold something else than a table, by how they begin: said as what they are."""

from __future__ import annotations

import re

from isoloss.runs.problems import RunsError

#: Endings of files of text.
OF_TEXT = frozenset({".csv", ".tsv", ".json", ".jsonl"})
#: How a content begins, and what to do.
_BEGINS = (
    (rb"PK\x03\x04", "an Excel workbook or another archive; give a workbook the ending .xlsx"),
    (rb"\x1f\x8b", "compressed; put .gz behind its name"),
    (rb"\x28\xb5\x2f\xfd", "compressed; put .zst behind its name"),
    (rb"PAR1", "Parquet; give it the ending .parquet"),
    (rb"SQLite format 3\x00", "a database; give a store of isoloss the ending .db"),
    (rb"version https://git-lfs", "a pointer of Git LFS; fetch the file itself with git lfs pull"),
    (rb"\s*<(!doctype|html|\?xml)", "a web page; download the table itself"),
    (rb"<<<<<<< ", "in conflict; choose one of its versions"),
)


def check_is_text(data: bytes, name: str, ending: str) -> None:
    """Raise RunsError for what is no table, though its name ends as one of text."""
    if ending not in OF_TEXT:
        return
    head = data[:100].removeprefix(b"\xef\xbb\xbf")
    for begins, what in _BEGINS:
        if re.match(begins, head, re.IGNORECASE):
            raise RunsError(f"cannot read {name}: it is {what}")


def check_is_header(cells: list[str], name: str) -> None:
    """Raise RunsError for a first row of numbers, or of names with blanks between."""
    words = cells[0].split() if len(cells) == 1 else []
    if len(words) > 2 and {"loss", "params", "tokens"} & {word.lower() for word in words}:
        raise RunsError(
            f"{name} has values separated by blanks ({cells[0]!r}); write commas or tabs between"
        )
    numbers = [re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", cell, re.IGNORECASE) for cell in cells]
    if len(cells) > 2 and all(numbers):
        raise RunsError(
            f"{name} has no row of names, its first row holds numbers ({', '.join(cells[:3])}); "
            "write the names of the columns above"
        )
