"""The text in a file, for readers of text."""

from __future__ import annotations

from isoloss.runs.problems import RunsError


def text_of(data: bytes, name: str) -> str:
    """The content as UTF-8 text, a byte-order mark left out; RunsError with the first byte that is
    none.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RunsError(f"cannot read {name}: byte {error.start} is not UTF-8 text") from None
