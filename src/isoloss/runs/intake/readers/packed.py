"""Compressed files, .gz .bz2 .xz .zst, of whatever has a reader: 'runs.csv.gz'."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from gzip import GzipFile
from pathlib import Path
from typing import Any

from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.intake.unpacking import CHUNK, within_bounds
from isoloss.runs.problems import RunsError

#: Memory that unpacking itself may take: a header of .xz may ask for gigabytes.
MOST_MEMORY = 256 << 20
#: Bytes of a .zst that are unpacked at once: each may become 32 KiB.
SLICE = 1 << 11


def open_packed(unpack: Callable[[bytes], Iterator[bytes]], data: bytes, name: str) -> Opened:
    """The table in a compressed file, read as the ending before the last one says."""
    inner = Path(Path(name).stem)
    reader = READERS.find(inner.suffix.lower())
    if reader is None or reader.open is None or inner.suffix.lower() in PACKED:
        accepted = ", ".join(end for end, r in READERS.items() if r.open and end not in PACKED)
        raise RunsError(
            f"cannot read {name}: before {Path(name).suffix} stands the ending of what is packed, "
            f"one of {accepted}"
        )
    try:
        content = within_bounds(unpack(data), len(data), name)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise RunsError(f"cannot unpack {name}: {said}") from None
    if not content.strip():
        raise RunsError(f"{name} is empty; a table of runs needs a header and rows")
    return reader.open(content, name)


def _pieces(file: Any) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _gzip(data: bytes) -> Iterator[bytes]:
    return _pieces(GzipFile(fileobj=io.BytesIO(data)))


def _bzip2(data: bytes) -> Iterator[bytes]:
    return _pieces(bz2.BZ2File(io.BytesIO(data)))


def _xz(data: bytes) -> Iterator[bytes]:
    """Pieces of all streams one after another, each within the memory that it may take."""
    while data.strip(b"\0"):  # streams may be padded with zeros
        stream = lzma.LZMADecompressor(memlimit=MOST_MEMORY)
        given = data
        while not stream.eof:
            chunk = stream.decompress(given, CHUNK)
            given = b""
            if not chunk and stream.needs_input:
                raise EOFError("it ends too early")
            yield chunk
        data = stream.unused_data


def _zstandard(data: bytes) -> Iterator[bytes]:
    try:
        import zstandard
    except ImportError:
        raise RunsError(
            "files that end in .zst need the package zstandard; pip install 'isoloss[zst]'"
        ) from None
    unpacker = zstandard.ZstdDecompressor(max_window_size=MOST_MEMORY >> 1)
    try:
        while data:  # frames of pieces that were packed in parallel stand one after another
            frame, at = unpacker.decompressobj(), 0
            while not frame.eof:
                if at >= len(data):
                    raise EOFError("it ends too early")
                yield frame.decompress(data[at : at + SLICE])
                at += SLICE
            data = frame.unused_data + data[at:]
    except zstandard.ZstdError as error:
        raise OSError(str(error)) from None


PACKED: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    ".gz": _gzip,
    ".bz2": _bzip2,
    ".xz": _xz,
    ".zst": _zstandard,
}
for ending, unpack in PACKED.items():
    READERS.register(ending, Reader(partial(open_packed, unpack)))
