"""A precision says which part uses which format, in training and, after an arrow, in serving."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, total_ordering
from types import MappingProxyType
from typing import Literal

from isoloss.files import displayed
from isoloss.formats.number import Format
from isoloss.formats.parts import (
    PARTS,
    default_granularity,
    is_operand,
    outer_scopes,
    part_of,
    plain_granularity,
    read_scope,
    scope_order,
)
from isoloss.formats.spelling import print_precision, read_precision, slug_of

Stage = Literal["train", "serve"]
Formats = Mapping[str, Format]


@total_ordering
@displayed
@dataclass(frozen=True, init=False, repr=False)
class Precision:
    """Which part uses which format: `Precision("w4 a8 kv:e4m3")`, `Precision("w8 a8 ->
    w4/128@gptq")`.

    Parts that are not set stay in the reference precision. Values are equal where they mean the
    same: default modifiers are left out, 'w4/row' is 'w4' and 'k4 v4' is 'kv4'. `str` prints the
    canonical spelling, which reads back as the same value. They sort by bits, fewest first.

    Attributes
    ----------
    phases
        The percent of training where each phase begins, and its formats by scope: one phase, at 0,
        unless the precision changes during training ('w4 a4 then bf16 from 80%').
    serve
        What the arrow changes after training: formats by scope; other parts are served as they were
        trained.
    """

    phases: tuple[tuple[float, Formats], ...]
    serve: Formats

    def __init__(
        self,
        train: str | Precision | Mapping[str, Format | str] = "fp",
        serve: Mapping[str, Format | str] | None = None,
    ) -> None:
        """Take a spelling (arrow and all), or formats by scope; `serve` replaces what follows the
        arrow.

        Raises
        ------
        ValueError
            The spelling cannot be read, in one sentence.
        """
        phases: Sequence[tuple[float, Formats]]
        if isinstance(train, str):
            phases, served = read_precision(train)
        elif isinstance(train, Precision):
            phases, served = train.phases, dict(train.serve)
        elif isinstance(train, Mapping):
            phases, served = ((0.0, _checked(train)),), {}
        else:
            raise ValueError(f"a precision is a text such as 'w4 a8', not {train!r}")
        if serve is not None:
            served = _checked(serve)
        kept = _distinct([(start, _without_idle_fp(_normal(each), {})) for start, each in phases])
        serving = _without_idle_fp(_normal(served), kept[-1][1])
        object.__setattr__(self, "phases", kept)
        object.__setattr__(self, "serve", MappingProxyType(serving))

    @classmethod
    def parse(cls, text: str | Precision) -> Precision:
        """The precision that `text` spells; a Precision comes back as it is."""
        return text if isinstance(text, Precision) else cls(text)

    @property
    def changes(self) -> bool:
        """Whether the precision changes during training."""
        return len(self.phases) > 1

    @property
    def train(self) -> Formats:
        """The formats of training by scope.

        Raises
        ------
        ValueError
            The precision changes during training, so one set of formats would leave a phase out.
        """
        if self.changes:
            raise ValueError(
                f"'{self}' changes during training, which no law, plan or count reads; take one "
                "precision for the whole of training"
            )
        return self.phases[0][1]

    @cached_property
    def stages(self) -> tuple[Precision, ...]:
        """Each phase of training as a precision of its own, without what follows the arrow."""
        return tuple(Precision(dict(formats)) for _, formats in self.phases)

    def begins(self, steps: int) -> tuple[int, ...]:
        """The step at which each phase begins in a training of so many, counted from 0."""
        return tuple(round(percent / 100 * steps) for percent, _ in self.phases)

    @property
    def trained(self) -> Precision:
        """The same precision without what follows the arrow."""
        return Precision(self, {}) if self.serve else self

    @property
    def is_wide(self) -> bool:
        """Whether nothing has fewer than 16 bits, in training or serving."""
        formats = (*(each for _, each in self.phases), self.serve)
        return all(known.is_wide for each in formats for known in each.values())

    def format(self, part: str, stage: Stage = "train") -> Format | None:
        """The format of a part or dotted scope, or None where it is unset.

        A scope falls back to what is around it ('a.fc2' to 'a', 'k' to 'kv'); serving falls back to
        the end of training.

        Raises
        ------
        ValueError
            The part is unknown, it is 'kv' and keys and values differ, or the precision changes
            during training.
        """
        # Laws and plans ask for the same few parts thousands of times.
        if (part, stage) not in self._known:
            self._known[part, stage] = self._found(part, stage)
        return self._known[part, stage]

    @cached_property
    def _known(self) -> dict[tuple[str, Stage], Format | None]:
        """The formats that were asked for."""
        return {}

    def _found(self, part: str, stage: Stage) -> Format | None:
        scope = read_scope(part)
        stages = (self.serve, self.phases[-1][1]) if stage == "serve" else (self.train,)
        if part_of(scope) == "kv":
            for each in ("k", "v"):
                apart = f"{each}{scope[2:]}"
                if _inherited(outer_scopes(apart), stages) != _inherited(
                    outer_scopes(scope), stages
                ):
                    raise ValueError(
                        f"'{self}' rounds keys and values apart, and has no format of both; ask "
                        "for 'k' or 'v'"
                    )
        return _inherited(outer_scopes(scope), stages)

    def check_one_format_a_part(self) -> None:
        """Raise ValueError unless each part has one format: what laws and plans can read.

        Refused are a precision that changes during training, keys and values apart, operands of the
        backward products and single layers ('w.layers.3'), which no law here knows.
        """
        for scope in (*self.train, *self.serve):
            part, *names = scope.split(".")
            whole = "kv" if part in ("k", "v") else part
            if part != whole or is_operand(scope) or "layers" in names:
                raise ValueError(
                    f"'{self}' sets '{scope}', which no law reads yet; set the whole part, as "
                    f"'{whole}'"
                )

    def bits(self, part: str, stage: Stage = "train") -> float | None:
        """The bits of a part as a law sees them, or None where it is unset or 'fp'; nan for ideal
        noise."""
        found = self.format(part, stage)
        return None if found is None or found.is_exact else found.bits

    def granularity(self, part: str, stage: Stage = "train") -> str | int | None:
        """What shares a scale, defaults filled in ('row', 'tensor', a group size); None where it is
        unset."""
        found = self.format(part, stage)
        if found is None or found.is_ideal:
            return None
        return found.granularity or default_granularity(read_scope(part), found)

    @property
    def slug(self) -> str:
        """The spelling for file names, one for each precision: letters, digits, '_', '-' and '.'
        only."""
        return slug_of(str(self))

    def __str__(self) -> str:
        return print_precision(self.phases, self.serve)

    def __repr__(self) -> str:
        return f"Precision({str(self)!r})"

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        phases = tuple((start, tuple(each.items())) for start, each in self.phases)
        return hash((phases, tuple(self.serve.items())))

    def __lt__(self, other: object) -> bool:
        return self._key() < other._key() if isinstance(other, Precision) else NotImplemented

    def __reduce__(self) -> tuple[Callable[..., Precision], tuple[object, ...]]:
        """Formats go along, so that the name of a custom one is readable where the pickle is
        loaded."""
        phases = tuple((start, dict(each)) for start, each in self.phases)
        return _restored, (phases, dict(self.serve))

    def _key(self) -> tuple[list[float], str]:
        stages = (self.phases[0][1], self.serve)
        return [_rank(formats.get(part)) for formats in stages for part in PARTS], str(self)


def _restored(
    phases: Sequence[tuple[float, dict[str, Format]]], serve: dict[str, Format]
) -> Precision:
    """The precision that was pickled, once unpickling its formats has made their names readable."""
    return Precision(print_precision(phases, serve))


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


def _distinct(phases: list[tuple[float, Formats]]) -> tuple[tuple[float, Formats], ...]:
    """The phases, each once: one that begins with the formats of the phase before it is that
    phase."""
    kept: list[tuple[float, Formats]] = []
    for start, formats in phases:
        if not kept or kept[-1][1] != formats:
            kept.append((start, MappingProxyType(dict(formats))))
    return tuple(kept)


def _normal(formats: Formats) -> dict[str, Format]:
    """The formats in canonical order, a default granularity left out, keys and values told apart
    where they are."""
    plain: dict[str, Format] = {}
    for scope, known in formats.items():
        share = plain_granularity(scope, known)
        default = None if share == default_granularity(scope, known) else share
        same = known.granularity == default
        plain[scope] = known if same else replace(known, granularity=default)
    both = plain.get("kv")
    k, v = plain.get("k", both), plain.get("v", both)
    if k is not None and v is not None:
        plain = {scope: known for scope, known in plain.items() if scope not in ("kv", "k", "v")}
        plain |= {"kv": k} if k == v else {"k": k, "v": v}
    return {scope: plain[scope] for scope in sorted(plain, key=scope_order)}


def _inherited(scopes: Sequence[str], stages: Sequence[Formats]) -> Format | None:
    """The format of the innermost scope that is set, in the first stage that sets one."""
    found = (formats[scope] for formats in stages for scope in scopes if scope in formats)
    return next(found, None)


def _without_idle_fp(formats: dict[str, Format], trained: Formats) -> dict[str, Format]:
    """The formats of a stage without each 'fp' that changes nothing: unset parts are 'fp' already.

    In 'w4 w.head:fp' the fp stays, since it lifts the head out of w4; so does the one in 'w4 ->
    w:fp'.
    """
    kept: dict[str, Format] = {}
    for scope, known in formats.items():  # an outer scope comes before its inner ones
        around = _inherited(outer_scopes(scope), (kept, trained))
        lifts = around is not None and not around.is_exact
        lifts_inner = any(inner.startswith(f"{scope}.") for inner in trained)
        if not known.is_exact or lifts or lifts_inner or _lifts_others(scope, formats, trained):
            kept[scope] = known
    return kept


def _lifts_others(scope: str, formats: Formats, trained: Formats) -> bool:
    """Whether 'fp' here may lift scopes that lie beside it: keys and values out of 'k4', operands
    of a layer, and names that may hold others of the model, as 'w.last1:fp' out of 'w.first4:int2'.
    """
    part = part_of(scope)
    is_named = is_operand(scope) or scope != part
    beside = {"kv": ("k", "v")}.get(part, (part,) if is_named else ())
    rounded = {
        other for stage in (formats, trained) for other, f in stage.items() if not f.is_exact
    }
    return any(part_of(other) in beside for other in rounded)
