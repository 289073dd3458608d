"""A precision says which part uses which format, in training and, after an arrow, in serving."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import total_ordering
from types import MappingProxyType
from typing import Literal

from isoloss.formats.number import Format
from isoloss.formats.parts import PARTS, default_granularity, outer_scopes, read_scope, scope_order
from isoloss.formats.spelling import print_precision, read_precision, slug_of

Stage = Literal["train", "serve"]


@total_ordering
@dataclass(frozen=True, init=False, repr=False)
class Precision:
    """Which part uses which format: `Precision("w4 a8 kv:e4m3")`, `Precision("w8 a8 -> w4/128@gptq")`.

    Parts that are not set stay in the reference precision. Values are equal where they mean the same:
    default marks are left out, and 'w4/row' is 'w4'. `str` prints the canonical spelling, which reads back
    as the same value. They sort by bits, fewest first.
    """

    train: Mapping[str, Format]
    serve: Mapping[str, Format]

    def __init__(
        self,
        train: str | Precision | Mapping[str, Format | str] = "fp",
        serve: Mapping[str, Format | str] | None = None,
    ) -> None:
        """Take a spelling (arrow and all), or formats by scope; `serve` replaces what follows the arrow.

        Raises ValueError, in one sentence, where the spelling cannot be read.
        """
        if isinstance(train, str):
            trained, served = read_precision(train)
        elif isinstance(train, Precision):
            trained, served = dict(train.train), dict(train.serve)
        elif isinstance(train, Mapping):
            trained, served = _checked(train), {}
        else:
            raise ValueError(f"a precision is a text such as 'w4 a8', not {train!r}")
        if serve is not None:
            served = _checked(serve)
        trained = _without_idle_fp(_normal(trained), {})
        object.__setattr__(self, "train", MappingProxyType(trained))
        object.__setattr__(
            self, "serve", MappingProxyType(_without_idle_fp(_normal(served), trained))
        )

    @classmethod
    def parse(cls, text: str | Precision) -> Precision:
        """The precision that `text` spells; a Precision comes back as it is."""
        return text if isinstance(text, Precision) else cls(text)

    @property
    def trained(self) -> Precision:
        """The same precision without what follows the arrow."""
        return Precision(self.train)

    def format(self, part: str, stage: Stage = "train") -> Format | None:
        """The format of a part or dotted scope, or None where it is unset.

        A scope falls back to what is around it ('a.fc2' to 'a'); serving falls back to training.
        """
        return _inherited(
            outer_scopes(read_scope(part)), self.train, self.serve if stage == "serve" else {}
        )

    def bits(self, part: str, stage: Stage = "train") -> float | None:
        """The bits of a part as a law sees them, or None where it is unset or 'fp'; nan for ideal noise."""
        found = self.format(part, stage)
        return None if found is None or found.is_exact else found.bits

    def granularity(self, part: str, stage: Stage = "train") -> str | int | None:
        """What shares a scale, defaults filled in ('row', 'tensor', a group size); None where it is unset."""
        found = self.format(part, stage)
        if found is None or found.kind in ("exact", "noise"):
            return None
        return found.granularity or default_granularity(read_scope(part), found)

    @property
    def slug(self) -> str:
        """The spelling for file names, one for each precision: letters, digits, '_', '-' and '.' only."""
        return slug_of(str(self))

    def __str__(self) -> str:
        return print_precision(self.train, self.serve)

    def __repr__(self) -> str:
        return f"Precision({str(self)!r})"

    def __hash__(self) -> int:
        return hash((tuple(self.train.items()), tuple(self.serve.items())))

    def __lt__(self, other: object) -> bool:
        return self._key() < other._key() if isinstance(other, Precision) else NotImplemented

    def __reduce__(self) -> tuple[type[Precision], tuple[dict[str, Format], dict[str, Format]]]:
        return Precision, (dict(self.train), dict(self.serve))

    def _key(self) -> tuple[list[float], str]:
        stages = (self.train, self.serve)
        return [_rank(formats.get(part)) for formats in stages for part in PARTS], str(self)


def _rank(known: Format | None) -> float:
    """Bits for sorting; ideal noise as the integer with about that error, eps = 4^-bits."""
    if known is None:
        return math.inf
    return known.bits if known.eps is None else -0.5 * math.log2(known.eps)


def _checked(formats: Mapping[str, Format | str]) -> dict[str, Format]:
    """The formats by lower-case scope, once each is known to be what its name spells."""
    checked: dict[str, Format] = {}
    for text, given in formats.items():
        scope, known = read_scope(text), Format.parse(given)
        if scope in checked:
            raise ValueError(f"'{scope}' is set twice; set each part once")
        if Format.parse(str(known)) != known:
            raise ValueError(
                f"the format of '{scope}' is not the one that its name '{known.name}' spells"
            )
        checked[scope] = known
    return checked


def _normal(formats: Mapping[str, Format]) -> dict[str, Format]:
    """The formats in canonical order, a default granularity left out."""
    normal = {}
    for scope in sorted(formats, key=scope_order):
        known = formats[scope]
        if known.granularity == default_granularity(scope, known):
            known = replace(known, granularity=None)
        normal[scope] = known
    return normal


def _inherited(
    scopes: list[str], train: Mapping[str, Format], serve: Mapping[str, Format]
) -> Format | None:
    found = [formats[scope] for formats in (serve, train) for scope in scopes if scope in formats]
    return found[0] if found else None


def _without_idle_fp(
    formats: dict[str, Format], trained: Mapping[str, Format]
) -> dict[str, Format]:
    """The formats of a stage without each 'fp' that changes nothing: unset parts are 'fp' already.

    In 'w4 w.head:fp' the fp stays, since it lifts the head out of w4; so does the one in 'w4 -> w:fp'.
    """
    kept: dict[str, Format] = {}
    for scope, known in formats.items():  # an outer scope comes before its inner ones
        around = _inherited(outer_scopes(scope), trained, kept)
        lifts = around is not None and not around.is_exact
        lifts_inner = any(inner.startswith(f"{scope}.") for inner in trained)
        if not known.is_exact or lifts or lifts_inner:
            kept[scope] = known
    return kept
