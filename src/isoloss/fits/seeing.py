"""What a law, fitted or bare, can say of a precision: all of it, a bound, or nothing.

A law sees a precision where it is defined there and misses no part, scope, format, method or
sparsity of it (`laws.Sight.missing`; how numbers are scaled is a warning, no miss). A fit also sees
what all its runs of a level had and no other of its runs is like: with gradients rounded whenever
weights are, a law of weights holds both. Where two fitted levels are one to the law and differ in
what it misses, or in the kind of their formats, it was fitted to a blend of them and sees neither.
Where every run that rounds a part (at these bits, or at any where none has them) rounds something
else too that the law has no term for, its constants are of both: it does not see the part alone.
Full precision is seen by every law that is defined there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from isoloss.fits.solve import unheld
from isoloss.formats import Format, Precision
from isoloss.laws import DomainError, Inputs, Law, Level, Sight, alike, as_inputs, kind_of, sights

#: What is known of a loss: "seen" by a law, "at least" that of the law, or "unknown".
Standing = Literal["seen", "at least", "unknown"]
STANDINGS: tuple[Standing, ...] = ("seen", "at least", "unknown")
#: The bits of each rounded scope, and names of what is missed.
Bits = tuple[str, ...]
Names = tuple[str, ...]


@dataclass(frozen=True)
class View:
    """What one law can say of one level.

    Attributes
    ----------
    undefined
        Why the law is not defined there, None where it is.
    missing
        What it cannot see of the level: parts, scopes, formats, methods, sparsity.
    unseen
        The same, and how numbers are scaled.
    is_floor
        Whether the law's loss is a lower bound, as all that is missing rounds more.
    is_blind
        Whether a level that rounds is full precision to the law.
    unheld
        Constants that the level rests on and no fitted run depends on: their values are no
        estimates.
    tangled
        Parts that all runs of what the level rounds had besides, for which the law has no term: its
        constants hold them too. They are among the missing ones.
    blended
        What runs of one level to the law differ in: it was fitted to a blend of them. They are
        among the missing ones.
    """

    undefined: str | None
    missing: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    is_floor: bool = True
    is_blind: bool = False
    unheld: tuple[str, ...] = ()
    tangled: tuple[str, ...] = ()
    blended: tuple[str, ...] = ()

    @property
    def sees(self) -> bool:
        """Whether the law counts in what is said of the level."""
        return self.undefined is None and not self.missing and not self.unheld

    @property
    def standing(self) -> Standing:
        """What the law's loss of the level is."""
        if self.sees:
            return "seen"
        bounds = self.undefined is None and self.is_floor and not self.unheld
        return "at least" if bounds else "unknown"

    def why(self, law: str, level: Precision | Level) -> str:
        """Why the law says nothing of the level."""
        if self.undefined is not None:
            return self.undefined
        if self.unheld:
            return f"no run of law {law} tells {', '.join(self.unheld)}, on which '{level}' rests"
        if self.tangled:
            with_it = ", ".join(self.tangled)
            return f"runs of law {law} like '{level}' all had {with_it}, which it has no term for"
        if self.blended:
            kinds = ", ".join(self.blended)
            return f"law {law} was fitted to a blend of runs like '{level}' that differ in {kinds}"
        return f"law {law} has no term for {', '.join(self.missing)} in '{level}'"


def views(
    law: Law,
    levels: Sequence[Level],
    fitted: Iterable[str] = (),
    undefined: Sequence[str | None] | None = None,
) -> tuple[View, ...]:
    """What a law can say of each of several levels.

    Parameters
    ----------
    law
        The law.
    levels
        The levels that are asked about.
    fitted
        Spellings of the levels of the runs that it was fitted to; none for a bare law.
    undefined
        Why the law is not defined at each level, None where it is; by default it is at all.

    Returns
    -------
    tuple of View
        One for each level, in order.
    """
    why = [None] * len(levels) if undefined is None else undefined
    fitted = sorted(fitted)
    blends, held = _of_runs(law, fitted)
    alone = _tangles(law, fitted)
    found = []
    for level, sight, lost in zip(levels, sights(law, levels), why, strict=True):
        name, rounds = str(level), not Sight((), level).is_reference
        blend = blends.get(_bits(sight.level), ()) if rounds and name not in held else ()
        with_it = alone(sight.level, level) if rounds and name not in held else ()
        missing = () if name in held else sight.missing or blend or with_it
        # Formats and methods in a blend may lose less than the blend, so it is no bound.
        floor = sight.is_floor and bool(sight.missing or not blend) and not with_it
        blind = rounds and sight.is_reference and name not in held
        mixed = () if name in held or sight.missing else blend
        view = View(lost, missing, sight.unseen, floor, blind, tangled=with_it, blended=mixed)
        found.append(view)
    return tuple(found)


def undefined_at(
    law: Law, levels: Sequence[Level], group: str | None = None
) -> tuple[str | None, ...]:
    """Why a law is not defined at each of several levels, None where it is."""
    why: list[str | None] = []
    for level in levels:
        try:
            law.loss(_point(law, level, group))
            why.append(None)
        except DomainError as error:
            why.append(str(error))
    return tuple(why)


def told_views(
    law: Law,
    levels: Sequence[Level],
    fitted: Iterable[str],
    absent: tuple[str, ...],
    group: str | None = None,
) -> tuple[View, ...]:
    """What a fitted law can say of each of several levels, with the constants that no run tells.

    Parameters
    ----------
    law, levels, fitted
        As in `views`.
    absent
        Constants on which no fitted run depends.
    group
        Whose base, where there is one for each group.
    """
    unheld = [unheld_at(law, absent, level, group) for level in levels]
    # Without a value for what no run tells a law is undefined too, for no reason of its own.
    lost = undefined_at(law, levels, group)
    why = [None if names else each for names, each in zip(unheld, lost, strict=True)]
    found = views(law, levels, fitted, why)
    return tuple(replace(v, unheld=names) for v, names in zip(found, unheld, strict=True))


def unheld_at(
    law: Law, absent: tuple[str, ...], level: Level, group: str | None = None
) -> tuple[str, ...]:
    """The constants, of those on which no fitted run depends, that a level rests on.

    What is 16 bits wide rests on no constant of rounding.
    """
    narrow = [
        {scope: each for scope, each in stage.items() if not each.is_wide}
        for stage in (level.precision.train, level.precision.serve)
    ]
    rounded = Level(Precision(narrow[0] or "fp", narrow[1]), level.sparsity)
    return unheld(law, absent, _point(law, rounded, group))


def unheld_in(law: Law, absent: tuple[str, ...], x: Inputs) -> tuple[str, ...]:
    """The constants, of those on which no fitted run depends, that some points rest on.

    As in `unheld_at`, what is 16 bits wide rests on no constant of rounding.
    """
    if not absent:
        return ()
    wide = np.array([level.is_reference for level in x.levels.items])[x.level]
    some = [x.take(np.flatnonzero(~wide)), x.take(np.flatnonzero(wide)).at_reference()]
    return tuple(sorted({name for own in some if len(own) for name in unheld(law, absent, own)}))


def _point(law: Law, level: Level, group: str | None) -> Inputs:
    """The largest run of a law, in a level."""
    params, tokens = (1e9, 1e10) if law.box is None else (law.box.params[1], law.box.tokens[1])
    groups = None if group is None else [group]
    return as_inputs(params, tokens, [level.precision], sparsity=[level.sparsity], group=groups)


def asked_of(own: Sequence[View]) -> tuple[tuple[int, ...], Standing]:
    """The laws that are asked about one level, by index, and what their loss is.

    Those that see it; else those whose loss bounds it; else those that read it as another level.
    A bound by full precision alone counts where no law reads the level as anything else.

    Parameters
    ----------
    own
        What each law can say of the level.

    Returns
    -------
    tuple
        The laws, none where none is defined there, and the standing of their loss.
    """
    by = {each: [i for i, v in enumerate(own) if v.standing == each] for each in STANDINGS}
    others = [i for i in by["unknown"] if own[i].undefined is None]
    telling = [i for i in by["at least"] if not own[i].is_blind]
    if by["seen"]:
        return tuple(by["seen"]), "seen"
    if telling or (by["at least"] and not others):
        return tuple(telling or by["at least"]), "at least"
    return tuple(others), "unknown"


def _of_runs(law: Law, fitted: Iterable[str]) -> tuple[Mapping[Bits, Names], frozenset[str]]:
    """What a law misses of each blend of fitted levels, by the bits that it sees of them; and the
    fitted levels that it holds though it misses some of what they set.
    """
    levels = [_level(name) for name in sorted(fitted)]
    if not levels:
        return {}, frozenset()
    seen = sights(law, levels)
    blends: dict[Bits, Names] = {}
    held: set[str] = set()
    for own in _one_to(law, seen, levels):
        rounded = [k for k in own if not Sight((), levels[k]).is_reference]
        told = {(seen[k].missing, tuple(_formats(levels[k], kind_of))) for k in own}
        if len(told) > 1:
            missing = dict.fromkeys(part for k in rounded for part in seen[k].missing)
            kinds = dict.fromkeys(f for k in rounded for f in _formats(levels[k], _bare))
            blends[_bits(seen[own[0]].level)] = tuple(missing or kinds)
        else:
            held |= {str(levels[k]) for k in rounded if seen[k].missing}
    return blends, frozenset(held)


def _tangles(law: Law, fitted: Sequence[str]) -> Callable[[Level, Level], Names]:
    """A function of a level as the law sees it, and as it is: the parts that all runs of what it
    rounds had besides, which the law misses; none where some run tells it without.
    """
    levels = [_level(name) for name in fitted]
    bare = replace(law, box=None)  # a part that went with the weights has no term of its own either
    runs = [(_scopes(s.level), _parts(s, level)) for s, level in _seen(bare, levels)]
    if not any(parts for _, parts in runs):
        return lambda seen, level: ()

    def found(seen: Level, level: Level) -> Names:
        if str(level) in fitted:
            return ()
        own = _parts(sights(bare, [level])[0], level)
        out: dict[str, None] = {}
        for scope, bits in _scopes(seen).items():
            rounded = [(scopes[scope], parts) for scopes, parts in runs if scope in scopes]
            near = [parts for at, parts in rounded if at == bits] or [parts for _, parts in rounded]
            if near and () not in near and own not in near:
                out |= dict.fromkeys(name for parts in near for name in parts)
        return tuple(out)

    return found


def _scopes(level: Level) -> dict[str, str]:
    """The rounded scopes of a level with their bits, as {"-> w": "4"}."""
    pairs = (each.rpartition(":") for each in _bits(level))
    return {scope: bits for scope, _, bits in pairs}


def _seen(law: Law, levels: Sequence[Level]) -> list[tuple[Sight, Level]]:
    return list(zip(sights(law, levels), levels, strict=True)) if levels else []


def beyond_bits(levels: Sequence[Level], fitted: Iterable[str]) -> list[str]:
    """Scopes of levels that have fewer or more bits than in any fitted run that rounds them, in
    words: "w 2 (3 to 8)".
    """
    runs = [_scopes(_level(name)) for name in sorted(fitted)]
    found: dict[str, None] = {}
    for scope, bits in (pair for level in levels for pair in _scopes(level).items()):
        known = [float(own[scope]) for own in runs if scope in own]
        if known and not min(known) <= float(bits) <= max(known):
            ends = dict.fromkeys(f"{each:g}" for each in (min(known), max(known)))
            found[f"{scope} {bits} ({' to '.join(ends)})"] = None
    return list(found)


def _parts(sight: Sight, level: Level) -> Names:
    """Whole parts and sparsity among what a law misses; not how they are rounded, nor scopes."""
    names = sight.missing
    return tuple(n for n in names if n.removeprefix("-> ").isalpha() or n == level.sparsity)


def _one_to(law: Law, seen: Sequence[Sight], levels: Sequence[Level]) -> Iterator[list[int]]:
    """Fitted levels that are one to the law: of one loss, and of as many bits where it looks.

    A penalty that is zero by its condition (`w3 -> w4`) gives one loss, but the law has its term.
    """
    ties = alike(law, levels)
    single = set(range(len(levels))) - {k for tie in ties for k in tie}
    for tie in (*ties, *((k,) for k in sorted(single))):
        groups: dict[Bits, list[int]] = {}
        for k in tie:
            groups.setdefault(_bits(seen[k].level), []).append(k)
        yield from groups.values()


def _bits(level: Level) -> Bits:
    """The bits of each rounded scope of a level."""
    return tuple(_formats(level, lambda f: f"{f.bits:g}"))


def _bare(known: Format) -> str:
    return known.bare.name


def _formats(level: Level, word: Callable[[Format], str]) -> Iterator[str]:
    """Each rounded scope of a level with a word for its format, as "w:e2m1"."""
    for mark, formats in (("", level.precision.train), ("-> ", level.precision.serve)):
        for scope, known in sorted(formats.items()):
            if not known.is_wide:
                yield f"{mark}{scope}:{word(known)}"


def _level(name: str) -> Level:
    """The level of a spelling; a sparsity stands last in it."""
    try:
        return Level(Precision(name))
    except ValueError:
        precision, _, sparsity = name.rpartition(" ")
        return Level(Precision(precision or "fp"), sparsity)
