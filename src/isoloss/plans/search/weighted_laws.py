"""Laws with weights: each with its constants and, from a fit, those of its bootstrap replicates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoloss.files import real_number, shown_value
from isoloss.fits import Comparison, Fit, most_epochs, shipped_fit
from isoloss.formats import Precision
from isoloss.laws import (
    DomainError,
    Grouped,
    Inputs,
    Law,
    Level,
    Levels,
    Link,
    Value,
    as_inputs,
    as_law,
    is_gap_law,
    presets,
    relinked,
    seen_parts,
)
from isoloss.plans.problems import PlanError

LawLike = str | Law | Fit | Comparison
#: One law or several: a list of them, or a mapping of names to weights.
LawsLike = LawLike | Sequence[LawLike] | Mapping[str, float]
#: The constants of a base.
BASE = ("A", "alpha", "B", "beta", "E", "kappa")
#: Where a law was tried at a precision, which says nothing of a plan.
_PLACE = re.compile(r"(?:, needed at|( at)) params \S+, tokens \S+,(?: precision '[^']*'(?=;))?")
#: Laws below this weight in a comparison are not asked.
LEAST = 0.01
#: The word for every published law that has its constants.
PUBLISHED = "published"
#: Kept among the laws so that results which rest on the misreading can be recognised; never planned
#: with unasked.
MISREAD = {"kumar2024_printed"}


class _Settled:
    """A link that keeps what it gave at the levels it was last asked for."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.constants = link.constants
        self.applies = link.applies
        self.domain = link.domain
        self._kept: tuple[Levels, Value] | None = None

    def __call__(self, c: Mapping[str, Value], levels: Levels) -> Value:
        if self._kept is None or self._kept[0] is not levels:
            self._kept = levels, self.link(c, levels)
        return self._kept[1]


@dataclass(frozen=True)
class Member:
    """A law with its weight among others.

    Attributes
    ----------
    law
        The law, with the constants of its best fit.
    weight
        Its share; those of all members add up to one.
    drawn
        Its constants over bootstrap replicates, arrays (S, 1) by name; None for a bare law.
    fit
        Where it is from; None for a bare law.
    group
        Whose constants it takes, where it has some for each of several groups.
    base
        What it shares with laws of the same base, which count once together; None for a law that
        counts by its own weight.
    base_weight
        The share of all laws of that base.
    """

    law: Law
    weight: float = 1.0
    drawn: Mapping[str, Value] | None = None
    fit: Fit | None = None
    group: str | None = None
    base: str | None = None
    base_weight: float = 1.0

    @property
    def values(self) -> dict[str, Value]:
        """The constants of the law itself."""
        return {k.name: float("nan") if k.value is None else k.value for k in self.law.constants}

    @property
    def count(self) -> int:
        """Number of bootstrap replicates, 1 for a bare law."""
        sizes = [np.shape(v)[0] for v in (self.drawn or {}).values() if np.ndim(v) == 2]
        return max(sizes, default=1)

    def chosen(self, rows: Sequence[int]) -> dict[str, Value]:
        """The constants of some replicates, arrays (rows, 1)."""
        known = self.values if self.drawn is None else self.drawn
        return {name: v[list(rows)] if np.ndim(v) == 2 else v for name, v in known.items()}

    def loss(
        self,
        c: Mapping[str, Value],
        log_params: Value,
        log_tokens: Value,
        levels: Levels,
        unique: float | None,
    ) -> Value:
        """The loss at log params and log tokens, arrays or jets (S or 1, n), one level a column."""
        n = len(levels)
        zeros = np.arange(n, dtype=np.intp)
        groups = () if self.group is None else (self.group,)
        tokens = np.exp(log_tokens)
        x = Inputs(
            np.exp(log_params),
            tokens,
            levels,
            zeros,
            None if unique is None else np.full(n, unique),
            groups,
            np.zeros(n if groups else 0, dtype=np.intp),
        )
        with np.errstate(all="ignore"):
            return self.law.formula.loss(c, x)

    def settled(self) -> Member:
        """The same for a search over params and tokens alone, at one set of constants and levels:
        what each format leaves is computed once."""
        return replace(self, law=replace(self.law, formula=relinked(self.law.formula, _Settled)))

    def knows(self, precision: Precision, params: float = 1e9, tokens: float = 1e11) -> str | None:
        """Reason the law is undefined at a precision, or None."""
        try:
            self.law.loss(self.point(precision, params, tokens))
        except DomainError as error:
            return _PLACE.sub(r"\1", str(error))
        return None

    def point(self, precision: Precision, params: float, tokens: float) -> Inputs:
        """The inputs of one run at a precision."""
        return self.points([precision], params, tokens)

    def points(
        self, precisions: Sequence[Precision], params: float = 1e9, tokens: float = 1e11
    ) -> Inputs:
        """The inputs of a run at each of several precisions."""
        group = None if self.group is None else [self.group] * len(precisions)
        return as_inputs(params, tokens, list(precisions), group=group)

    def unknown(self, precisions: Sequence[Precision]) -> list[str | None]:
        """Reason the law is undefined at each of several precisions, or None."""
        try:
            self.law.loss(self.points(precisions))
        except DomainError:  # only then each by itself, which takes longer
            return [self.knows(p) for p in precisions]
        return [None] * len(precisions)


def members_of(
    laws: LawsLike,
    group: str | None = None,
    *,
    gaps: bool = False,
) -> tuple[Member, ...]:
    """The laws that are meant, with weights that add up to one.

    Parameters
    ----------
    laws
        A fit, a comparison, a law, a name, a list of these, or a mapping of names to weights;
        "published" stands for every published law with constants but those known to be misread.
        Laws of one base in a list (`is_one_base`) count once together.
    group
        Whose constants, where a law has some for each of several groups.
    gaps
        Whether laws of gaps will do, which have no loss of their own.

    Raises
    ------
    PlanError
        It is none of these, a law gives gaps where losses are needed, a weight is no share, or a
        law has several groups and `group` names none.
    """
    if isinstance(laws, str) and laws == PUBLISHED:
        laws = [law for law in presets() if complete(law) and law.name not in MISREAD]
    if isinstance(laws, Mapping):
        found = [
            replace(m, weight=m.weight * _weight(name, w))
            for name, w in laws.items()
            for m in _members(name, group)
        ]
    elif isinstance(laws, Sequence) and not isinstance(laws, str):
        _check_once(laws, group)
        found = _sharing([m for each in laws for m in _members(each, group)])
    else:
        found = _members(laws, group)
    blind = [m.law for m in found if is_gap_law(m.law)]
    if blind and not gaps:
        serves = any(part.startswith("-> ") for part in seen_parts(blind[0]))
        use = (
            "ranks formats to serve in (plan --serve), and nothing else is planned with it"
            if serves
            else "tells what training in few bits costs (predict --gap), and nothing is planned "
            "with it"
        )
        raise PlanError(f"law {blind[0].name!r} gives gaps and not losses: it {use}")
    total = sum(m.weight for m in found)
    if not found or not total > 0:
        raise PlanError(
            "no law to plan with; give a fit, a comparison, a law or a name such as 'kumar2024'"
        )
    if group is not None and all(m.group is None for m in found):
        raise PlanError(
            f"group is {group!r}, and {_named(found)} one base for all runs; leave group out "
            "(--group)"
        )
    found = [m for m in found if m.weight > 0]
    found = [
        replace(m, weight=m.weight / total, base_weight=_of_base(m, found) / total) for m in found
    ]
    return tuple(found)


def _check_once(laws: Sequence[LawLike], group: str | None) -> None:
    """Raise PlanError for a law that a list holds twice, which is no agreement of laws."""
    for k, each in enumerate(laws):
        same = isinstance(each, str | Law)
        if any(other is each or (same and other == each) for other in laws[:k]):
            (name, *_) = [member.law.name for member in _members(each, group)]
            raise PlanError(f"the laws hold {name!r} twice; give each once")


def reweighted(members: Sequence[Member]) -> tuple[Member, ...]:
    """Some of several laws with weights that add up to one; a base keeps its share among others.

    Laws of one base divide its share by their own weights, so that it counts once however many of
    them are asked.
    """
    shares = [m.base_weight * m.weight / (_of_base(m, members) or 1.0) for m in members]
    total = sum(shares)
    return tuple(replace(m, weight=w / total) for m, w in zip(members, shares, strict=True))


def _of_base(member: Member, among: Sequence[Member]) -> float:
    """The weight of all laws of the base of one."""
    if member.base is None:
        return member.weight
    return sum(m.weight for m in among if m.base == member.base)


def _sharing(members: Sequence[Member]) -> list[Member]:
    """Members of a list, each base of equal weight; fits and comparisons keep their weights."""
    found: list[Member] = []
    for m in members:
        same = [o.base for o in found if o.fit is None and is_one_base(o.law, m.law)]
        base = None if m.fit is not None else same[0] if same else m.law.name
        found.append(replace(m, base=base))
    counts = [1 if m.base is None else sum(o.base == m.base for o in found) for m in found]
    return [replace(m, weight=m.weight / c) for m, c in zip(found, counts, strict=True)]


def is_one_base(one: Law, other: Law) -> bool:
    """Whether two laws with published constants rest on one base: the same paper, the same
    constants of the base, or the same region of runs.
    """
    if paper_of(one) and paper_of(one) == paper_of(other):
        return True
    own, theirs = ({k: law.values.get(law.ties.get(k, k)) for k in BASE} for law in (one, other))
    if own["A"] is not None and own == theirs:
        return True
    regions = [law.box and (law.box.params, law.box.tokens) for law in (one, other)]
    return regions[0] is not None and regions[0] == regions[1]


def paper_of(law: Law) -> str:
    """The arXiv number that a law's source begins with, empty without one."""
    found = re.match(r"\d{4}\.\d{5}", law.source)
    return found[0] if found else ""


def metric_of_all(members: Sequence[Member]) -> str:
    """What the losses of some laws are. Raises PlanError where laws differ in it."""
    found = sorted({member.law.metric for member in members})
    if len(found) > 1:
        named = {member.law.metric: member.law.name for member in members}
        again = f"fit law {named.get('unknown')} again, whose file does not say what its loss is"
        raise PlanError(
            f"the loss of law {named[found[0]]} is {found[0]} and that of {named[found[1]]} "
            f"{found[1]}, which have no common mean; "
            f"{again if 'unknown' in named else 'give laws of one metric'}"
        )
    return found[0]


def _named(members: Sequence[Member]) -> str:
    names = ", ".join(repr(m.law.name) for m in members[:4]) + (" ..." if len(members) > 4 else "")
    return f"law {names} has" if len(members) == 1 else f"laws {names} have"


def member_of(law: LawLike, group: str | None = None) -> Member:
    """The one law that a verb is asked about: a name, a Law, or a fit.

    Raises PlanError where there are several.
    """
    found = members_of(law, group)
    if len(found) > 1:
        names = ", ".join(m.law.name for m in found[:4]) + (" ..." if len(found) > 4 else "")
        raise PlanError(f"this is asked of one law, and there are {len(found)} ({names}); give one")
    return found[0]


def _weight(name: str, weight: object) -> float:
    if not 0 <= real_number(weight) < np.inf:
        raise PlanError(
            f"the weight of {name!r} is {shown_value(weight)}; accepted is a number of at least 0"
        )
    return float(weight)  # type: ignore[arg-type]


def complete(law: Law) -> bool:
    """Whether the base of a law has its constants, so that it gives a loss without rounding."""
    try:
        return bool(np.isfinite(law(1e9, 2e10)))
    except DomainError:
        return False


def far(member: Member, params: float, tokens: float, unique: float | None = None) -> float:
    """How far a point lies outside the region of a law's runs, as a factor; NaN without one.

    Where tokens repeat, epochs count as well: over the most that the evidence for repetition holds,
    of the law's own runs or of the map that it borrows.
    """
    law: Law = member.law
    if law.box is None:
        return float("nan")
    counts, first = (np.array([params]), np.array([tokens])), np.zeros(1, dtype=np.intp)
    if unique is None or tokens <= unique:
        # Regions are of counts alone.
        return float(law.box.outside(Inputs(*counts, Levels(()), first))[0])
    point = Inputs(*counts, Levels(()), first, np.array([unique]))
    runs = None if member.fit is None or member.fit.sample is None else member.fit.sample.x
    again = tokens / unique / most_epochs(law, runs)
    return max(float(law.box.outside(point)[0]), again if again > 1 + 1e-9 else 1.0)


def levels_of(precisions: Sequence[Precision]) -> Levels:
    """The levels of some precisions, one each, in order."""
    return Levels(tuple(Level(each) for each in precisions))


def blind(member: Member, precisions: Sequence[Precision]) -> bool:
    """Whether a law tells none of several precisions from another; undefined ones are not asked."""
    asked = zip(precisions, member.unknown(precisions), strict=True)
    known = [p for p, why in asked if why is None]
    losses = member.law.loss(member.points(known)) if known else ()
    return len(losses) > 1 and float(np.ptp(losses)) < 1e-12


def _members(given: LawLike, group: str | None) -> list[Member]:
    if isinstance(given, Comparison):
        asked = [e for e in given.entries if e.weight >= LEAST]
        return [replace(m, weight=e.weight) for e in asked for m in _members(e.fit, group)]
    if isinstance(given, Fit):
        drawn: dict[str, Value] = {}
        law, columns = given.law, given.constant_draws
        for k in law.constants:
            value = columns.get(law.ties.get(k.name, k.name))
            unknown = float("nan") if k.value is None else float(k.value)
            drawn[k.name] = unknown if value is None else value[:, None]
        return [Member(law, 1.0, drawn, given, _group(law, group))]
    if (shipped := shipped_fit(given)) is not None:
        return _members(shipped, group)
    law = as_law(given)
    return [Member(law, group=_group(law, group))]


def _group(law: Law, group: str | None) -> str | None:
    if not isinstance(law.formula, Grouped):
        return None
    known = law.formula.groups
    if group is None and len(known) == 1:
        return known[0]
    if group not in known:
        raise PlanError(
            f"law {law.name!r} has constants for each of {', '.join(known)}; "
            "name one as group (--group)"
        )
    return group
