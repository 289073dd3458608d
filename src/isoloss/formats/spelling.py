"""The spelling of a precision, `w8 a8 -> w4/128@gptq`: read, printed and made a file name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache

from isoloss.files import shown
from isoloss.formats.distributions import DISTRIBUTIONS
from isoloss.formats.modifiers import split_modifiers
from isoloss.formats.named import format_of_bits
from isoloss.formats.names import FORMATS, near_names, refusal
from isoloss.formats.noises import NOISES
from isoloss.formats.number import Format
from isoloss.formats.parts import MODEL_PARTS, read_scope

_NUMBER = r"\d+(?:\.\d+)?"
_PART = r"(?:kv|[waqgdlkv])"
_SHORT = re.compile(rf"({_PART})({_NUMBER})")
_GLUED = re.compile(rf"(?:{_PART}{_NUMBER}){{2,}}")
_THEN = re.compile(r"(?<!\S)then(?!\S)", re.IGNORECASE)
_FROM = re.compile(r"\s*(\S.*?)\s+from\s+(\d{1,3}(?:\.\d{1,12})?)\s*%\s*", re.IGNORECASE)
#: The percent of training where a phase begins, and its formats by scope.
Phase = tuple[float, dict[str, Format]]
_Formats = tuple[tuple[str, Format], ...]
_Phases = tuple[tuple[float, _Formats], ...]
_EXAMPLE = "write parts like 'w4 a8 kv:e4m3'"


def read_precision(text: str) -> tuple[list[Phase], dict[str, Format]]:
    """The phases of training and the formats of serving that `text` spells, by scope.

    A phase is the percent of training where it begins and its formats: one at 0 for a precision
    that stays.

    Raises
    ------
    ValueError
        A part cannot be read; the sentence has the part, the whole, and what is accepted.
    """
    phases, serve = _read_both(text)
    return [(start, dict(formats)) for start, formats in phases], dict(serve)


def print_precision(
    phases: Iterable[tuple[float, Mapping[str, Format]]], serve: Mapping[str, Format]
) -> str:
    """The canonical spelling of formats that are in canonical order."""
    train = " then ".join(
        _print_stage(formats) + (f" from {_percent(start)}%" if start else "")
        for start, formats in phases
    )
    return f"{train} -> {_print_stage(serve)}" if serve else train


def slug_of(spelling: str) -> str:
    """The canonical spelling in letters, digits, '_', '-' and '.', one for each spelling.

    A blank becomes '-', the arrow '--', a colon '.', each modifier and bracket starts with '__',
    which no name holds, and a method with '__by_'; the sign of a percent goes, since a number
    follows 'from' nowhere else.
    """
    slug = spelling.replace(" -> ", "--").replace(" ", "-").replace(":", ".")
    slug = slug.replace("@", "__by_").replace("e+", "e").replace(")", "").replace("%", "")
    return re.sub(r"[/+~(]", "__", slug)


@lru_cache(maxsize=4096)
def _read_both(text: str) -> tuple[_Phases, _Formats]:
    """Both stages as tuples, so that a table of a million rows reads each of its spellings once."""
    sides = re.split(r"->|→", text)
    if len(sides) > 2:
        raise ValueError(
            f"precision {shown(text)} has more than one arrow; write it as in 'w8 a8 -> w4'"
        )
    if not sides[-1].strip():
        what = "nothing after its arrow" if len(sides) == 2 else "no parts"
        raise ValueError(
            f"precision {shown(text)} has {what}; {_EXAMPLE}, or 'fp' for the reference"
        )
    if len(sides) == 2 and _THEN.search(sides[1]):
        raise ValueError(
            f"precision {shown(text)} changes after its arrow; a change belongs to training, "
            "before the arrow"
        )
    served = _read_stage(sides[1], text) if len(sides) == 2 else {}
    return _read_phases(sides[0], text), tuple(served.items())


def _read_phases(side: str, text: str) -> _Phases:
    """The phases of training: the first from the start on, each later one from its percent on."""
    first, *later = _THEN.split(side)
    phases = [(0.0, tuple(_read_stage(first, text).items()))]
    for piece in later:
        match = _FROM.fullmatch(piece)
        if match is None or not first.strip():
            raise ValueError(
                f"cannot read the change in precision {shown(text)}; write it as in "
                "'w4 a4 then bf16 from 80%'"
            )
        start = float(match[2])
        if not phases[-1][0] < start < 100:
            raise ValueError(
                f"precision {shown(text)} changes at {match[2]}%; changes come one after "
                "the other, above 0% and below 100%"
            )
        phases.append((start, tuple(_read_stage(match[1], text).items())))
    return tuple(phases)


def _read_stage(side: str, text: str) -> dict[str, Format]:
    formats: dict[str, Format] = {}
    for token in side.split():
        try:
            pairs = _read_token(token.lower())
        except ValueError as error:
            raise ValueError(
                f"cannot read {shown(token)} in precision {shown(text)}{error}"
            ) from None
        for scope, known in pairs:
            if scope in formats:
                raise ValueError(
                    f"'{scope}' is set twice in precision {shown(text)}; set each part once"
                )
            formats[scope] = known
    return formats


def _read_token(token: str) -> list[tuple[str, Format]]:
    """Scopes and formats of one blank-free word; the message of a ValueError continues a
    sentence."""
    try:
        scope, colon, spelled = token.partition(":")
        if colon:
            return [(read_scope(scope), _read_value(spelled))]
        if _GLUED.fullmatch(token):
            return [(part, format_of_bits(number)) for part, number in _SHORT.findall(token)]
        # The types of GGUF begin as queries do: q4_0.
        if split_modifiers(token)[0] not in FORMATS and (match := _SHORT.match(token)):
            number_and_modifiers = token[match.end(1) :]
            if split_modifiers(number_and_modifiers)[0] == match[2]:
                return [(match[1], _read_value(number_and_modifiers))]
            raise _Unreadable
        alone = _read_alone(token)
        return [(part, alone) for part in MODEL_PARTS]
    except _Unreadable:
        why = refusal(token)  # q4_k_m begins as a part does
        raise ValueError(f": '{token}' is no format; {why}" if why else f"; {_EXAMPLE}") from None
    except ValueError as error:
        raise ValueError(f": {error}") from None


class _Unreadable(ValueError):
    """A word that is neither parts nor a format."""


def _read_alone(token: str) -> Format:
    """A format without a part."""
    name, modifiers = split_modifiers(token)
    try:
        return Format.parse(name).modified(modifiers)
    except ValueError:
        resembles_format = re.match(r"int\d|e\d+m\d|[a-z]\w*\(", name) or near_names(name)
        if resembles_format or refusal(name) or not name:
            raise
        raise _Unreadable from None


def _read_value(spelled: str) -> Format:
    """A format behind a part, where a bare number counts bits."""
    name, modifiers = split_modifiers(spelled)
    bare = format_of_bits(name) if re.fullmatch(_NUMBER, name) else Format.parse(name)
    return bare.modified(modifiers)


def _print_stage(formats: Mapping[str, Format]) -> str:
    if not formats:
        return "fp"
    alone = {str(known) for known in formats.values()}
    if tuple(formats) == MODEL_PARTS and len(alone) == 1:
        return alone.pop()
    return " ".join(_print_part(scope, known) for scope, known in formats.items())


def _print_part(scope: str, known: Format) -> str:
    # Behind a dotted scope a bare number could be read as a part of the name, as in w.fc24.
    short = None if "." in scope else known.short
    return f"{scope}:{known}" if short is None else f"{scope}{short}{known.modifiers}"


def _percent(start: float) -> str:
    """The shortest decimal number that reads back as this percent."""
    return format(Decimal(repr(start)), "f").removesuffix(".0")


# A spelling that was read before must not keep the format that a name had then.
FORMATS.when_changed(_read_both.cache_clear)
NOISES.when_changed(_read_both.cache_clear)
DISTRIBUTIONS.when_changed(_read_both.cache_clear)
