"""The modifiers behind the name of a format, `/128 +had +clip +pow2 ~sr @gptq`: read and
printed."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Rounding = Literal["sr", "dither"]

#: What may share a scale besides a group size and a tile: words, with where each is used.
GRANULARITIES = ("tensor", "row", "channel", "token")
_ACCEPTED = "'tensor', 'row', 'channel', 'token', a group size of 2 or more, or a tile as '128x128'"
_MODIFIER = re.compile(r"([/+~@])([^/+~@]*)")
_TILE = re.compile(r"([1-9]\d{0,8})x([1-9]\d{0,8})")
_WORDS: dict[str, tuple[str, str | bool]] = {
    "+had": ("hadamard", True),
    "+pow2": ("pow2", True),
    "~sr": ("rounding", "sr"),
    "~dither": ("rounding", "dither"),
}
#: A clip search by squared errors, unless its power stands behind it.
_CLIP = re.compile(r"clip(\d+(?:\.\d+)?)?")
CLIP_POWERS = (1.0, 8.0)
_METHOD = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


class Modifiers(NamedTuple):
    """How a format is applied; None, False everywhere is a format without modifiers.

    Attributes
    ----------
    granularity
        What shares a scale: 'tensor', 'row' (the last axis), 'channel', 'token', a group size, or a
        tile of rows x columns as '128x128'; None is the default of the part.
    hadamard
        Whether numbers are rotated before they are rounded, and back afterwards.
    clip
        The power of the error that the scale is searched for the least of: 2 for '+clip', 2.4 for
        '+clip2.4'; 0 for no search.
    pow2
        Whether the scale is a power of two.
    rounding
        'sr' (stochastic) or 'dither' (subtractive); None is to nearest, ties to even.
    method
        Who rounds: 'rtn', 'gptq', 'lsq', ...; the constants of a law depend on it.
    """

    granularity: str | int | None = None
    hadamard: bool = False
    clip: float = 0.0
    pow2: bool = False
    rounding: Rounding | None = None
    method: str | None = None

    def __str__(self) -> str:
        """The modifiers in their canonical order."""
        words = (
            "" if self.granularity is None else f"/{self.granularity}",
            "+had" if self.hadamard else "",
            _clip_word(self.clip),
            "+pow2" if self.pow2 else "",
            f"~{self.rounding}" if self.rounding else "",
            f"@{self.method}" if self.method else "",
        )
        return "".join(words)


def check_modifiers(given: Modifiers) -> None:
    """Raise ValueError where a modifier has a value that none can be read with."""
    check_granularity(given.granularity)
    check_clip(given.clip)
    check_method(given.method)


def split_modifiers(text: str) -> tuple[str, Modifiers]:
    """Name and modifiers of a lower-case spelling such as 'int4/128+had@gptq', in any order.

    Raises
    ------
    ValueError
        A modifier is unknown or given twice, or a method or granularity is none.
    """
    # The exponent of a noise level, as in add(1e+16), is no modifier: they start behind the
    # bracket.
    start = text.find(")") + 1
    first = re.search(r"[/+~@]", text[start:])
    if first is None:
        return text, Modifiers()
    cut = start + first.start()
    found: dict[str, str | float | bool] = {}
    for sign, word in _MODIFIER.findall(text[cut:]):
        field, value = _read_modifier(sign, word)
        if field in found:
            raise ValueError(f"the modifier '{sign}{word}' comes after another of its kind")
        found[field] = value
    return text[:cut], Modifiers(**found)  # type: ignore[arg-type]


def tile_of(value: str | int | None) -> tuple[int, int] | None:
    """Rows and columns of a tile such as '128x128'; None for other granularities."""
    match = _TILE.fullmatch(value) if isinstance(value, str) else None
    return None if match is None else (int(match[1]), int(match[2]))


def check_granularity(value: str | int | None) -> None:
    """Raise ValueError unless a granularity is None, a known word, a group size or a tile."""
    is_group = isinstance(value, int) and not isinstance(value, bool) and value >= 2
    tile = tile_of(value)
    # A tile of one row is a group, which has one spelling.
    is_tile = tile is not None and tile[0] > 1
    if value is not None and value not in GRANULARITIES and not is_group and not is_tile:
        raise ValueError(f"unknown granularity {value!r}; it is {_ACCEPTED}")


def check_clip(value: float) -> None:
    """Raise ValueError unless the power of a clip search is 0, for none, or within its ends."""
    least, most = CLIP_POWERS
    if value is True or (value and not least <= value <= most):
        raise ValueError(
            f"the clip search has the power {value!r}; accepted are {least:g} to {most:g}, 2 for "
            "'+clip', and 0 for no search"
        )


def check_method(value: str | None) -> None:
    """Raise ValueError where a method's name has other than lower-case letters, digits and '_'."""
    if value is not None and not _METHOD.fullmatch(value):
        raise ValueError(
            f"unknown method {value!r}; name it with lower-case letters, digits and single '_'"
        )


def _read_modifier(sign: str, word: str) -> tuple[str, str | float | bool]:
    if sign == "/":
        tile = tile_of(word)
        columns = str(tile[1]) if tile and tile[0] == 1 else word
        value = int(columns) if re.fullmatch(r"[1-9]\d*", columns) else columns
        check_granularity(value)
        return "granularity", value
    if sign == "@":
        check_method(word)
        return "method", word
    clip = _CLIP.fullmatch(word) if sign == "+" else None
    if clip and (power := float(clip[1] or 2.0)):
        check_clip(power)
        return "clip", power
    if sign + word not in _WORDS:
        had, *others = _WORDS
        raise ValueError(
            f"unknown modifier '{sign}{word}'; modifiers are /granularity {had} +clip "
            f"{' '.join(others)} @method"
        )
    return _WORDS[sign + word]


def _clip_word(power: float) -> str:
    if not power:
        return ""
    return "+clip" if power == 2.0 else f"+clip{power!r}".removesuffix(".0")
