"""Tokens on disk, written once and mapped into memory by every worker: one safetensors file for a
text and tokeniser.

It holds two arrays, "training" and "validation", and about them the key of what they were made
from, the tokeniser and the sha256 of each. A file is made beside its place and moved there in one
step, so that no reader meets half of one.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.files import write
from isoloss.lm.data.text_files import TextError
from isoloss.lm.data.tokenising import Tokeniser

KIND = "isoloss tokens 1"
_TYPES = {"U16": np.uint16, "U32": np.uint32}
_LONGEST_HEADER = 1 << 28
_AT_ONCE = 1 << 24  # tokens hashed together


@dataclass(frozen=True, eq=False)
class Tokenised:
    """The tokens of a text, each array of shape (tokens,), and what made them."""

    training: NDArray[Any]
    validation: NDArray[Any]
    tokeniser: Tokeniser
    sha256: dict[str, str]


def stored_tokens(
    path: Path, key: str, make: Callable[[], Tokenised], warn: Callable[[str], None]
) -> Tokenised:
    """The tokens in a file, which `make` makes where there is none that holds them.

    A file that is no longer what was written is made again, and `warn` is told. Raises TextError
    where nothing can be written.
    """
    if path.is_file():
        try:
            return read_tokens(path, key)
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            reason = (
                str(error).splitlines()[0] if isinstance(error, _Unlike) else "it cannot be read"
            )
            warn(
                f"the stored tokens {path} are not what was written ({reason}); they are made again"
            )
    made = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, key, made)
    except (OSError, TextError) as error:
        why = (isinstance(error, OSError) and error.strerror) or error
        raise TextError(
            f"cannot write tokens to {path.parent} ({why}); say folder=..., or set ISOLOSS_CACHE"
        ) from None
    return read_tokens(path, key)


class _Unlike(ValueError):
    """What is wrong with a file of tokens, in a few words."""


def read_tokens(path: Path, key: str) -> Tokenised:
    """The tokens in a file, mapped; ValueError where they are not those that were written for this
    key.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length < _LONGEST_HEADER:
            raise _Unlike("it is another kind of file")
        header = json.loads(file.read(length))
    about = header["__metadata__"]
    if about["kind"] != KIND or about["key"] != key:
        raise _Unlike("it holds other tokens")
    arrays = {}
    for name in ("training", "validation"):
        entry = header[name]
        start, end = (8 + length + int(offset) for offset in entry["data_offsets"])
        kind = np.dtype(_TYPES[entry["dtype"]])
        if path.stat().st_size < end or end - start != math.prod(entry["shape"]) * kind.itemsize:
            raise _Unlike("it ends too early")
        arrays[name] = np.memmap(path, kind, "r", start, tuple(entry["shape"]))
        if _hash(arrays[name]) != about[name]:
            raise _Unlike(f"its {name} tokens have another sha256")
    tokeniser = Tokeniser(about["tokeniser"] or None, int(about["vocab"]), int(about["end"]))
    return Tokenised(**arrays, tokeniser=tokeniser, sha256={name: about[name] for name in arrays})


def tokenised(training: NDArray[Any], validation: NDArray[Any], tokeniser: Tokeniser) -> Tokenised:
    """Tokens with their sha256."""
    arrays = {"training": training, "validation": validation}
    return Tokenised(
        **arrays, tokeniser=tokeniser, sha256={name: _hash(a) for name, a in arrays.items()}
    )


def _write(path: Path, key: str, made: Tokenised) -> None:
    # An extra of this room, and needed only here.
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    about = {
        "kind": KIND,
        "key": key,
        "tokeniser": made.tokeniser.text or "",
        "vocab": str(made.tokeniser.vocab),
        "end": str(made.tokeniser.end),
        **made.sha256,
    }
    arrays = {"training": made.training, "validation": made.validation}

    def fill(part: Path) -> None:
        try:
            save_file(arrays, part, metadata=about)
        except SafetensorError as error:  # what it makes of a full disk
            raise OSError(str(error)) from None

    # Others may be making the same file: the last one to end replaces an equal one.
    write(path, fill, force=True, problem=TextError)


def _hash(tokens: NDArray[Any]) -> str:
    total = hashlib.sha256()
    for start in range(0, len(tokens), _AT_ONCE):
        total.update(np.ascontiguousarray(tokens[start : start + _AT_ONCE]).data)
    return total.hexdigest()
