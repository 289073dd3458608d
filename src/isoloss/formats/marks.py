"""The marks behind the name of a format: `/128 +had +clip +pow2 ~sr @gptq`, read and printed without blanks."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Rounding = Literal["sr", "dither"]

_GRANULARITIES = "'tensor', 'row' or a group size of 2 or more"
_MARK = re.compile(r"([/+~@])([^/+~@]*)")
_WORDS: dict[str, tuple[str, str | bool]] = {
    "+had": ("hadamard", True),
    "+clip": ("clip", True),
    "+pow2": ("pow2", True),
    "~sr": ("rounding", "sr"),
    "~dither": ("rounding", "dither"),
}
_METHOD = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


class Marks(NamedTuple):
    """How a format is applied; None, False everywhere is a format without marks."""

    granularity: str | int | None = None
    hadamard: bool = False
    clip: bool = False
    pow2: bool = False
    rounding: Rounding | None = None
    method: str | None = None

    def __str__(self) -> str:
        """The marks in their canonical order."""
        words = (
            "" if self.granularity is None else f"/{self.granularity}",
            "+had" if self.hadamard else "",
            "+clip" if self.clip else "",
            "+pow2" if self.pow2 else "",
            f"~{self.rounding}" if self.rounding else "",
            f"@{self.method}" if self.method else "",
        )
        return "".join(words)


def split_marks(text: str) -> tuple[str, Marks]:
    """Name and marks of a lower-case spelling such as 'int4/128+had@gptq'; marks may come in any order.

    Raises ValueError for an unknown mark, one that is given twice, or a method or granularity that is none.
    """
    # The exponent of a noise level, as in add(1e+16), is no mark: marks start behind the bracket.
    start = text.find(")") + 1
    first = re.search(r"[/+~@]", text[start:])
    if first is None:
        return text, Marks()
    cut = start + first.start()
    found: dict[str, str | int | bool] = {}
    for sign, word in _MARK.findall(text[cut:]):
        field, value = _read_mark(sign, word)
        if field in found:
            raise ValueError(f"the mark '{sign}{word}' comes after another of its kind")
        found[field] = value
    return text[:cut], Marks(**found)  # type: ignore[arg-type]


def check_granularity(value: str | int | None) -> None:
    """None, or ValueError where a granularity is not None, 'tensor', 'row' or a group size."""
    is_group = isinstance(value, int) and not isinstance(value, bool) and value >= 2
    if value not in (None, "tensor", "row") and not is_group:
        raise ValueError(f"unknown granularity {value!r}; it is {_GRANULARITIES}")


def check_method(value: str | None) -> None:
    """None, or ValueError where the name of a method has other than lower-case letters, digits and '_'."""
    if value is not None and not _METHOD.fullmatch(value):
        raise ValueError(
            f"unknown method {value!r}; name it with lower-case letters, digits and single '_'"
        )


def _read_mark(sign: str, word: str) -> tuple[str, str | int | bool]:
    if sign == "/":
        value = int(word) if re.fullmatch(r"[1-9]\d*", word) else word
        check_granularity(value)
        return "granularity", value
    if sign == "@":
        check_method(word)
        return "method", word
    if sign + word not in _WORDS:
        raise ValueError(
            f"unknown mark '{sign}{word}'; marks are /granularity {' '.join(_WORDS)} @method"
        )
    return _WORDS[sign + word]
