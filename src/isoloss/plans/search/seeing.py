"""Which laws see which precisions: averages and ranks ask nobody who cannot tell.

A law sees a precision where it is defined there and misses no part, scope, format, method or
sparsity of it (`laws.Sight.missing`; how numbers are scaled is a warning, no miss). A fit also sees
what all its runs of a level had and no other of its runs is like: with gradients rounded whenever
weights are, a law of weights holds both. Where two fitted levels that differ in more than their
scales are one to the law, it was fitted to a blend of them and sees neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from isoloss.formats import Precision
from isoloss.laws import Level, Sight, sights
from isoloss.plans.search.weighted_laws import Member, reweighted


@dataclass(frozen=True)
class View:
    """What one law can say of one precision.

    Attributes
    ----------
    undefined
        Why the law is not defined there, None where it is.
    missing
        What it cannot see of the precision: parts, scopes, formats, methods.
    unseen
        The same, and how numbers are scaled.
    is_floor
        Whether the law's loss is a lower bound, as all that is missing rounds more.
    is_blind
        Whether a precision that rounds is none to the law.
    """

    undefined: str | None
    missing: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    is_floor: bool = True
    is_blind: bool = False

    @property
    def sees(self) -> bool:
        """Whether the law counts in what is said of the precision."""
        return self.undefined is None and not self.missing

    def why(self, law: str, precision: Precision) -> str:
        """Why the law says nothing of the precision."""
        if self.undefined is not None:
            return self.undefined
        return f"law {law} has no term for {', '.join(self.missing)} in '{precision}'"


@dataclass(frozen=True)
class Panel:
    """Laws and precisions, and which law sees which.

    Attributes
    ----------
    members
        The laws.
    precisions
        The candidates.
    views
        What each law can say of each candidate, one row a law.
    """

    members: tuple[Member, ...]
    precisions: tuple[Precision, ...]
    views: tuple[tuple[View, ...], ...]

    @classmethod
    def of(cls, members: Sequence[Member], precisions: Sequence[Precision]) -> Panel:
        """The panel of some laws and candidates."""
        views = tuple(views_of(m, precisions) for m in members)
        return cls(tuple(members), tuple(precisions), views)

    @cached_property
    def seers(self) -> tuple[frozenset[int], ...]:
        """The laws that see each candidate, by index."""
        rows = range(len(self.members))
        return tuple(
            frozenset(i for i in rows if self.views[i][k].sees) for k in range(len(self.precisions))
        )

    def readers(self, k: int) -> tuple[frozenset[int], bool]:
        """The laws that put a bound on a candidate which none sees, or only read it as another.

        Whether they bound it comes second: their loss is then a lower one.
        """
        known = {i: row[k] for i, row in enumerate(self.views) if row[k].undefined is None}
        floors = frozenset(i for i, view in known.items() if view.is_floor)
        telling = frozenset(i for i in floors if not known[i].is_blind)
        if telling or floors:
            return telling or floors, True
        return frozenset(known), False

    def taken(self, which: frozenset[int]) -> tuple[Member, ...]:
        """Some of the laws, with weights that add up to one; laws of one base share theirs."""
        return reweighted([self.members[i] for i in sorted(which)])

    def seen_by_all(self, which: frozenset[int]) -> list[int]:
        """The candidates that every one of some laws sees."""
        return [k for k, own in enumerate(self.seers) if which <= own]


def views_of(member: Member, precisions: Sequence[Precision]) -> tuple[View, ...]:
    """What a law can say of each of several precisions."""
    levels = [Level(p) for p in precisions]
    blends, excused = _of_runs(member)
    found = []
    for level, sight in zip(levels, sights(member.law, levels), strict=True):
        why = member.knows(level.precision)
        name = str(level.precision)
        missing = () if name in excused else sight.missing
        if name in blends:
            missing = missing or blends[name]
        rounds = not Sight((), level).is_reference
        blind = rounds and sight.is_reference and name not in excused
        found.append(View(why, missing, sight.unseen, sight.is_floor, blind))
    return tuple(found)


def _of_runs(member: Member) -> tuple[Mapping[str, tuple[str, ...]], frozenset[str]]:
    """The fitted levels that are blends to the law, with what it misses, and those that it holds
    though it misses some of what they set.
    """
    if member.fit is None:
        return {}, frozenset()
    names = sorted(p for p in member.fit.points.fitted_precisions if _is_precision(p))
    levels = [Level(Precision(p)) for p in names]
    found = dict(zip(names, sights(member.law, levels), strict=True))
    groups: dict[str, list[str]] = {}
    for name, sight in found.items():
        key = "fp" if sight.is_reference else str(_plain(sight.level.precision))
        groups.setdefault(key, []).append(name)
    blends: dict[str, tuple[str, ...]] = {}
    excused: set[str] = set()
    for own in groups.values():
        missed = {name: found[name].missing for name in own if found[name].missing}
        several = len({missed.get(name, ()) for name in own}) > 1 or len(missed) > 1
        if missed and several:
            all_of = tuple(dict.fromkeys(part for each in missed.values() for part in each))
            blends |= dict.fromkeys(own, all_of)
        else:
            excused |= set(missed)
    return blends, frozenset(excused)


def _is_precision(name: str) -> bool:
    try:
        Precision(name)
    except ValueError:  # a level with a sparsity, which no plan asks for
        return False
    return True


def _plain(precision: Precision) -> Precision:
    """A precision without how its numbers are scaled."""
    train, serve = (
        {part: f.bare for part, f in formats.items()}
        for formats in (precision.train, precision.serve)
    )
    return Precision(train, serve)
