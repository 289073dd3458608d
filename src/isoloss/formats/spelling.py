"""The spelling of a precision, `w8 a8 -> w4/128@gptq`: read, printed and made a file name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from isoloss.formats.marks import split_marks
from isoloss.formats.names import format_of_bits, near_names, read_name, short_bits
from isoloss.formats.number import Format
from isoloss.formats.parts import MODEL_PARTS, read_scope

_NUMBER = r"\d+(?:\.\d+)?"
_PART = r"(?:kv|[waqgdl])"
_SHORT = re.compile(rf"({_PART})({_NUMBER})")
_GLUED = re.compile(rf"(?:{_PART}{_NUMBER}){{2,}}")
_EXAMPLE = "write parts like 'w4 a8 kv:e4m3'"


def read_precision(text: str) -> tuple[dict[str, Format], dict[str, Format]]:
    """The formats of training and of serving that `text` spells, by scope.

    Raises ValueError with one sentence: the part that cannot be read, the whole, and what is accepted.
    """
    train, serve = _read_both(text)
    return dict(train), dict(serve)


def print_precision(train: Mapping[str, Format], serve: Mapping[str, Format]) -> str:
    """The canonical spelling of formats that are in canonical order."""
    return " -> ".join(_print_stage(formats) for formats in ((train, serve) if serve else (train,)))


def slug_of(spelling: str) -> str:
    """The canonical spelling in letters, digits, '_', '-' and '.', one for each spelling.

    A blank becomes '-', the arrow '--', a colon '.', each mark and bracket starts with '__', which no name
    holds, and a method with '__by_'.
    """
    slug = spelling.replace(" -> ", "--").replace(" ", "-").replace(":", ".")
    slug = slug.replace("@", "__by_").replace("e+", "e").replace(")", "")
    return re.sub(r"[/+~(]", "__", slug)


@lru_cache(maxsize=4096)
def _read_both(text: str) -> tuple[tuple[tuple[str, Format], ...], ...]:
    """Both stages as tuples, so that a table of a million rows reads each of its spellings once."""
    sides = re.split(r"->|→", text)
    if len(sides) > 2:
        raise ValueError(
            f"precision {text!r} has more than one arrow; write it as in 'w8 a8 -> w4'"
        )
    if not sides[-1].strip():
        what = "nothing after its arrow" if len(sides) == 2 else "no parts"
        raise ValueError(f"precision {text!r} has {what}; {_EXAMPLE}, or 'fp' for the reference")
    stages = [_read_stage(side, text) for side in sides]
    return tuple(tuple(stage.items()) for stage in [*stages, {}][:2])


def _read_stage(side: str, text: str) -> dict[str, Format]:
    formats: dict[str, Format] = {}
    for token in side.split():
        try:
            pairs = _read_token(token.lower())
        except ValueError as error:
            raise ValueError(f"cannot read {token!r} in precision {text!r}{error}") from None
        for scope, known in pairs:
            if scope in formats:
                raise ValueError(
                    f"'{scope}' is set twice in precision {text!r}; set each part once"
                )
            formats[scope] = known
    return formats


def _read_token(token: str) -> list[tuple[str, Format]]:
    """Scopes and formats of one blank-free word; the message of a ValueError continues a sentence."""
    try:
        scope, colon, spelled = token.partition(":")
        if colon:
            return [(read_scope(scope), _read_value(spelled))]
        if _GLUED.fullmatch(token):
            return [(part, format_of_bits(number)) for part, number in _SHORT.findall(token)]
        if match := _SHORT.match(token):
            number_and_marks = token[match.end(1) :]
            if split_marks(number_and_marks)[0] == match[2]:
                return [(match[1], _read_value(number_and_marks))]
            raise _Unreadable
        alone = _read_alone(token)
        return [(part, alone) for part in MODEL_PARTS]
    except _Unreadable:
        raise ValueError(f"; {_EXAMPLE}") from None
    except ValueError as error:
        raise ValueError(f": {error}") from None


class _Unreadable(ValueError):
    """A word that is neither parts nor a format."""


def _read_alone(token: str) -> Format:
    """A format without a part."""
    name, marks = split_marks(token)
    try:
        return read_name(name).marked(marks)
    except ValueError:
        resembles_format = re.match(r"int\d|e\d+m\d|[a-z]\w*\(", name) or near_names(name)
        if resembles_format or not name:
            raise
        raise _Unreadable from None


def _read_value(spelled: str) -> Format:
    """A format behind a part, where a bare number counts bits."""
    name, marks = split_marks(spelled)
    bare = format_of_bits(name) if re.fullmatch(_NUMBER, name) else read_name(name)
    return bare.marked(marks)


def _print_stage(formats: Mapping[str, Format]) -> str:
    if not formats:
        return "fp"
    alone = {str(known) for known in formats.values()}
    if tuple(formats) == MODEL_PARTS and len(alone) == 1:
        return alone.pop()
    return " ".join(_print_part(scope, known) for scope, known in formats.items())


def _print_part(scope: str, known: Format) -> str:
    # Behind a dotted scope a bare number could be read as a part of the name, as in w.fc24.
    short = None if "." in scope else short_bits(known)
    return f"{scope}:{known}" if short is None else f"{scope}{short}{known.marks}"
