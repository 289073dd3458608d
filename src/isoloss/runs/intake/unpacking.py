"""Bytes unpacked within a bound: a file of kilobytes that unpacks to gigabytes is refused before it
fills memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from isoloss.runs.problems import RunsError

#: Bytes that any file may unpack to, and that none may exceed; times its size in between.
ALWAYS, NEVER, TIMES = 64 << 20, 1 << 30, 250
CHUNK = 1 << 20


def most_bytes(packed: int) -> int:
    """The most bytes that a file of so many packed ones may unpack to.

    Tables of text pack to a tenth or less; the bound lies far above that, and below what one
    machine's memory holds.
    """
    return min(NEVER, max(ALWAYS, TIMES * packed))


def within_bounds(chunks: Iterator[bytes], packed: int, name: str) -> bytes:
    """The chunks together.

    Parameters
    ----------
    chunks
        What a file unpacks to, piece by piece.
    packed
        Its size.
    name
        Its name, for messages.

    Raises
    ------
    RunsError
        It unpacks to more than `most_bytes`.
    """
    out = bytearray()
    for chunk in chunks:
        check_size(len(out) + len(chunk), packed, name)
        out += chunk
    return bytes(out)


def check_size(unpacked: int, packed: int, name: str) -> None:
    """Raise RunsError where a file unpacks to more bytes than `most_bytes`."""
    most = most_bytes(packed)
    if unpacked > most:
        raise RunsError(
            f"{name} holds {packed} bytes that unpack to more than {most >> 20} MiB; unpack it "
            "yourself if it is a table"
        )
