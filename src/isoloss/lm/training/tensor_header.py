"""The header of a safetensors file, checked before anything is made of it: names, types, shapes and
places.

Reference: the format of safetensors: 8 bytes of length, a JSON object of tensors, the tensors'
bytes one after another.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

from isoloss.files import read_json

#: Bytes of one number, by the name that the header has for its type.
BYTES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
#: The longest header, in bytes, as safetensors itself has it.
LONGEST = 100_000_000


def header_of(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """The header of a file and the bytes that follow it; ValueError where it is cut short or no
    JSON object.
    """
    if len(content) < 8:
        raise ValueError("it ends before its header")
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(LONGEST, len(content) - 8):
        raise ValueError(f"its header of {length} bytes is longer than the file")
    try:
        header = read_json(content[8 : 8 + length])
    except ValueError as error:
        raise ValueError(f"its header is no JSON ({error})") from None
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    about = header.get("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(text, str) for text in about.values()):
        raise ValueError("its metadata is no object of texts")
    return header, memoryview(content)[8 + length :]


def check_layout(header: Mapping[str, Any], size: int) -> None:
    """Raise ValueError unless the tensors lie one after another in `size` bytes, each as long as
    its shape says.
    """
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    places = sorted((*_place(name, entry), name) for name, entry in tensors.items())
    before = 0
    for start, end, name in places:
        if start != before:
            raise ValueError(f"its tensor {name[:80]!r} begins at {start} where {before} is due")
        before = end
    if before != size:
        raise ValueError(f"its tensors take {before} bytes and {size} follow the header")


def _place(name: str, entry: Any) -> tuple[int, int]:
    """Where a tensor begins and ends."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"its tensor {name[:80]!r} is not described by dtype, shape and offsets")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in BYTES:
        raise ValueError(f"its tensor {name[:80]!r} has the type {str(kind)[:40]!r}")
    if not (_counts(shape) and _counts(offsets) and len(offsets) == 2):
        raise ValueError(f"its tensor {name[:80]!r} has a shape or offsets that are no counts")
    if offsets[1] - offsets[0] != math.prod(shape) * BYTES[kind]:
        raise ValueError(f"its tensor {name[:80]!r} has more or fewer bytes than its shape says")
    return offsets[0], offsets[1]


def _counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(each) is int and each >= 0 for each in values)
