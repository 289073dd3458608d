"""What of a precision a law sees: found by asking the law, so that it holds for any formula.

A part, modifier or sparsity is seen where some constants, params and tokens give another loss with
it than without. Nothing is declared by terms, and a formula of one's own is asked like any other.
A loss that is undefined with it counts as seen: the law refuses instead of leaving it out. Whether
a law has a term at all is also asked of each part alone, since a term may be zero by its condition
(weights served in more bits than they were trained in).

What it cannot find is a term that acts in a corner only: beyond these counts, below a share of
1e-11 of the loss, or together with something that the level does not set. Such a term is called
unseen, while the loss itself holds it. Repeated tokens are asked about apart (`sees_repetition`).

**What the constants are of.** A law of bits reads e2m1 as four bits, though its constants are those
of integers: a format of another kind than those of its runs (`Box.kinds`) is unseen where a format
of their kind and as many bits has the same loss. A part that all its runs rounded as their weights
(`Box.shared`) is seen where it is. A method (`@rtn`) that the law has no term for is
unseen unless all its runs were rounded by it (`Box.methods`), or it is `-> @rtn` of a law that
tells other methods from a format without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np

from isoloss.formats import PARTS, Format, Modifiers, Precision
from isoloss.laws.formula import Formula, Grouped
from isoloss.laws.inputs import Inputs, Level, Levels, Stage
from isoloss.laws.jet import Array, plain
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box, kind_of
from isoloss.laws.terms import bound

#: Counts at which a law is asked: terms that hide at one size show at another.
COUNTS = (1.0, 1e5, 1e12)
#: How many sets of constants it is asked with; held ones stay at their values.
SETS = 4
#: Formats by which a law is asked whether it has a term for a part.
ALONE = ("int4", "int8", "e4m3", "add(0.01)", "vec(0.01)")
#: Losses that differ by less than this share are the same.
SAME = 1e-11
NOTHING = Level(Precision("fp"))
ONCE = Levels((NOTHING,))
#: The share of different tokens at which a law is asked whether it has a term for repeated ones.
REPEATED = 0.05


@dataclass(frozen=True)
class Sight:
    """What a law sees of one level.

    Attributes
    ----------
    unseen
        Parts, modifiers and sparsity that the law leaves out, spelled as "d", "w.head", "-> w",
        "w@gptq", "-> w/128" or "2:4", and formats of a kind that its runs lack, as "w:e2m1"; the
        outermost of each.
    level
        The level as the law sees it: without what it leaves out.
    missing
        What of these is more than how numbers are scaled: parts, scopes, formats, methods and
        sparsity. The loss of the level is not known to a law that misses any.
    is_floor
        Whether all that is missing rounds more, so that the law's loss is a lower bound.
    """

    unseen: tuple[str, ...]
    level: Level
    missing: tuple[str, ...] = ()
    is_floor: bool = True

    @property
    def is_reference(self) -> bool:
        """Whether nothing below 16 bits is left: full precision to the law."""
        return self.level.is_reference


@dataclass(frozen=True)
class _Feature:
    """One thing that a level sets: its spelling, the scope that it belongs to, how to drop it.

    A format of another kind than the evidence is dropped by putting one of that kind `instead`.
    """

    name: str
    stage: Stage | None
    scope: str
    modifier: Modifiers | None = None
    instead: Format | None = None
    is_finer: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it is a part with everything in it."""
        return self.modifier is None and self.instead is None

    @property
    def is_setting(self) -> bool:
        """Whether it is how numbers are scaled and rounded, which no law drops out for."""
        return self.modifier is not None and self.modifier.method is None

    @property
    def is_rounding(self) -> bool:
        """Whether it rounds what would not be rounded, or more finely, without it."""
        return self.is_setting or (self.is_whole and not self.is_finer)

    def dropped(self, level: Level) -> Level:
        """The level without it."""
        return _dropped(self, level)

    def alone(self, level: Level) -> list[Level]:
        """Levels with nothing but this part rounded, to ask whether the law has a term for it."""
        if self.stage is None or not self.is_whole:
            return []
        formats = level.precision.train if self.stage == "train" else level.precision.serve
        own, known = formats[self.scope], _alone(self.scope, self.stage)
        return [_only(self.scope, own, self.stage), *known] if not own.is_wide else list(known)


FLAGS = ("hadamard", "clip", "pow2")
#: A float of each number of bits, to ask a law whether it sees more than them.
FLOATS = {
    3: "e1m1", 4: "e2m1", 5: "e2m2", 6: "e2m3", 7: "e3m3", 8: "e4m3", 9: "e4m4", 10: "e5m4",
    11: "e5m5", 12: "e5m6",
}  # fmt: skip


@lru_cache(maxsize=4096)
def _dropped(each: _Feature, level: Level) -> Level:
    """A level without a feature; kept, as every law of a plan is asked at the same."""
    if each.stage is None:
        return Level(level.precision)
    stages = {"train": dict(level.precision.train), "serve": dict(level.precision.serve)}
    formats = stages[each.stage]
    known = formats.pop(each.scope, None)  # gone where a part around it was dropped
    if known is not None and each.instead is not None:
        formats[each.scope] = each.instead.modified(known.modifiers)
    elif known is not None and each.modifier is not None:
        kept = known.modifiers._asdict()
        kept |= {k: None if k not in FLAGS else False for k in _set(each.modifier)}
        formats[each.scope] = known.modified(Modifiers(**kept))
    return Level(Precision(stages["train"], stages["serve"]), level.sparsity)


def unseen(law: Law, precision: str | Precision, sparsity: str | None = None) -> tuple[str, ...]:
    """The parts, modifiers and sparsity of a precision that a law leaves out.

    Parameters
    ----------
    law
        A law; its constants need no values.
    precision
        A spelling such as "w4/128 d:add(0.1) -> w4@gptq", or a Precision.
    sparsity
        The pattern of pruned weights, as "2:4".

    Returns
    -------
    tuple of str
        As in `Sight.unseen`: ("d",) of Kumar's law at "w4 d4"; () where all is seen, or where the
        law is not defined and says so.

    Raises
    ------
    ValueError
        The precision cannot be read, or no law reads it.
    """
    return sights(law, [Level(Precision.parse(precision), sparsity)])[0].unseen


def sights(law: Law, levels: Sequence[Level]) -> tuple[Sight, ...]:
    """What a law sees of each of several levels; formats of 16 bits and more are no rounding."""
    own = [(k, each) for k, level in enumerate(levels) for each in _features(level, law.box)]
    if not own:
        return tuple(Sight((), level) for level in levels)
    asked = [*levels, *(each.dropped(levels[k]) for k, each in own)]
    once = list(dict.fromkeys(asked))  # several levels are one without what they differ in
    place = {level: i for i, level in enumerate(once)}
    rows = _losses_of(law, once)[[place[level] for level in asked]]
    defined = [bool(np.isfinite(row).any()) for row in rows]
    idle = [
        pair
        for pair, row in zip(own, rows[len(levels) :], strict=True)
        if defined[pair[0]] and _same(rows[pair[0]], row)
    ]
    has_term = _have_terms(law, [each.alone(levels[k]) for k, each in idle])
    left = [
        (k, each)
        for (k, each), known in zip(idle, has_term, strict=True)
        if not known and not _is_no_method(law, each)
    ]
    return tuple(
        _sight(level, [each for at, each in left if at == k]) for k, level in enumerate(levels)
    )


def _is_no_method(law: Law, each: _Feature) -> bool:
    """Whether a feature is rounding to nearest after training, of a law that tells methods apart: a
    format without a method is the same to it.
    """
    if each.stage != "serve" or each.modifier is None or each.modifier.method != "rtn":
        return False
    known = (Format.parse("int4"), Format.parse("int4@gptq"))
    none, other = _losses_of(law, [_only(each.scope, f, "serve") for f in known])
    return not _same(none, other)


def alike(law: Law, levels: Sequence[Level]) -> tuple[tuple[int, ...], ...]:
    """The indices of levels to which a law gives the same loss everywhere, two or more together."""
    rows = _losses_of(law, levels)
    groups = []
    left = np.arange(len(rows))
    while len(left):
        same = np.isclose(rows[left], rows[left[0]], rtol=SAME, atol=0.0, equal_nan=True)
        with_first = same.all(axis=1)
        groups.append(tuple(left[with_first].tolist()))
        left = left[~with_first]
    return tuple(group for group in groups if len(group) > 1)


def seen_parts(law: Law) -> tuple[str, ...]:
    """The parts that a law has a term for, as "w" and, for serving, "-> w"."""
    stages: tuple[Stage, Stage] = ("train", "serve")
    parts = [part for part in PARTS if part not in ("k", "v")]  # laws read both as kv
    asked = {
        ("-> " if stage == "serve" else "") + part: _alone(part, stage)
        for stage in stages
        for part in parts
    }
    known = _have_terms(law, list(asked.values()))
    return tuple(name for name, has_term in zip(asked, known, strict=True) if has_term)


def sees_repetition(law: Law) -> bool:
    """Whether a law gives another loss where tokens are repeated (``unique_tokens`` below tokens).

    Parameters
    ----------
    law
        Any law, constants known or not.
    """
    formula = law.formula.inner if isinstance(law.formula, Grouped) else law.formula
    once, often = (_losses(law, bound(formula, ONCE), ONCE, share) for share in (None, REPEATED))
    return not _same(once, often)


def _have_terms(law: Law, groups: Sequence[Sequence[Level]]) -> list[bool]:
    """Whether a law gives another loss than without rounding at some level of each group."""
    asked = [level for group in groups for level in group]
    if not asked:
        return [False] * len(groups)
    nothing, *rows = _losses_of(law, [NOTHING, *asked])
    told = np.array([not _same(nothing, row) for row in rows])
    ends = np.cumsum([len(group) for group in groups])
    return [bool(part.any()) for part in np.split(told, ends[:-1])]


def _sight(level: Level, left: Sequence[_Feature]) -> Sight:
    """The sight of a level of which these are left out, outer ones first."""
    seen = level
    named: list[_Feature] = []
    for each in left:
        seen = each.dropped(seen)
        if not any(g.is_whole and _is_inside(each, g) for g in named):
            named.append(each)
    missing = tuple(each.name for each in named if not each.is_setting)
    floor = all(each.is_rounding for each in named)
    return Sight(tuple(each.name for each in named), seen, missing, floor)


def _is_inside(inner: _Feature, outer: _Feature) -> bool:
    if inner.stage is None or inner.stage != outer.stage:
        return False
    return inner.scope == outer.scope or inner.scope.startswith(f"{outer.scope}.")


def _features(level: Level, box: Box | None) -> Iterator[_Feature]:
    """What a level sets below 16 bits, outer scopes first, each part before its modifiers."""
    precision = level.precision
    stages: tuple[tuple[Stage, str], ...] = (("train", ""), ("serve", "-> "))
    for stage, mark in stages:
        formats = precision.train if stage == "train" else precision.serve
        for scope, known in formats.items():
            part = _Feature(f"{mark}{scope}", stage, scope)
            around = part.dropped(level).precision.format(scope, stage)
            if known.is_wide and (around is None or around.is_wide):
                continue
            if box is not None and scope in box.shared and known == formats.get("w"):
                continue
            yield replace(part, is_finer=around is not None and known.bits > around.bits)
            if (other := _of_their_kind(known, box)) is not None:
                yield _Feature(f"{mark}{scope}:{known.bare.name}", stage, scope, instead=other)
            for name in _set(known.modifiers):
                one = Modifiers(**{name: getattr(known.modifiers, name)})
                if box is None or mark + (one.method or "@") not in box.methods:
                    yield _Feature(f"{mark}{scope}{one}", stage, scope, one)
    if level.sparsity is not None:
        yield _Feature(level.sparsity, None, "w")


def _of_their_kind(known: Format, box: Box | None) -> Format | None:
    """A format of the kind of the evidence with the same bits; None for one that is of it.

    None also where there is no such format, so that nothing can be asked.
    """
    if box is None or not box.kinds or known.is_wide or kind_of(known) in box.kinds:
        return None
    bits = int(known.bits) if known.bits == known.bits and known.bits < 16 else 0
    names = {"int": f"int{bits}", "float": FLOATS.get(bits)}
    asked = next((names[kind] for kind in box.kinds if names.get(kind)), None)
    return None if asked is None or bits < 2 else Format.parse(asked)


def _set(modifiers: Modifiers) -> tuple[str, ...]:
    return tuple(name for name, value in modifiers._asdict().items() if value)


@cache
def _alone(scope: str, stage: Stage) -> tuple[Level, ...]:
    """Levels of one part alone, in several formats; kept, as every law is asked at the same."""
    return tuple(_only(scope, Format.parse(name), stage) for name in ALONE)


def _only(scope: str, known: Format, stage: Stage) -> Level:
    one = {scope: known}
    return Level(Precision(one) if stage == "train" else Precision({}, one))


def _same(one: Array, other: Array) -> bool:
    """Whether a law tells two levels apart nowhere."""
    return bool(np.allclose(one, other, rtol=SAME, atol=0.0, equal_nan=True))


def _losses_of(law: Law, levels: Sequence[Level]) -> Array:
    """Losses (levels, sets x sizes) at COUNTS and some constants; NaN where a law is undefined."""
    formula = law.formula.inner if isinstance(law.formula, Grouped) else law.formula
    table = Levels(tuple(levels))
    formula = bound(formula, table)
    try:
        return _losses(law, formula, table)
    except ValueError:  # a format that some term cannot read: each level by itself
        return np.vstack([_or_undefined(law, formula, each) for each in levels])


def _or_undefined(law: Law, formula: Formula, level: Level) -> Array:
    try:
        return _losses(law, formula, Levels((level,)))
    except ValueError:
        return np.full((1, SETS * len(COUNTS) ** 2), np.nan)


def _losses(law: Law, formula: Formula, levels: Levels, different: float | None = None) -> Array:
    """Losses of shape (levels, sets x sizes), where so large a share of tokens is different."""
    params, tokens, level = (
        axis.ravel() for axis in np.meshgrid(COUNTS, COUNTS, np.arange(len(levels)), indexing="ij")
    )
    unique = None if different is None else different * tokens
    x = Inputs(params, tokens, levels, level.astype(np.intp), unique)
    found = []
    with np.errstate(all="ignore"):
        for c in _constants(law, formula):
            loss = np.broadcast_to(plain(formula.loss(c, x)), (len(x),))
            found.append(loss.reshape(-1, len(levels)).T)
    return np.hstack(found)


def _constants(law: Law, formula: Formula) -> Iterator[dict[str, float]]:
    """Sets of constants: each drawn from the lower part of its range, held ones as they are."""
    rng = np.random.default_rng(0)
    held = {name: law.values[name] for name in law.fixed if name in law.values}
    for _ in range(SETS):
        drawn = {}
        shares = rng.uniform(0.02, 0.6, len(formula.constants))
        for k, share in zip(formula.constants, shares, strict=True):
            low, high = k.start
            is_wide = k.scale == "log" and low > 0
            drawn[k.name] = float(
                low * (high / low) ** share if is_wide else low + (high - low) * share
            )
        drawn |= {name: value for name, value in held.items() if name in drawn}
        yield drawn | {name: drawn[to] for name, to in law.ties.items() if {name, to} <= set(drawn)}
