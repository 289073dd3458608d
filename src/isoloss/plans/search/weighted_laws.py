"""Laws with weights: each with its constants and, from a fit, those of its bootstrap replicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoloss.files import real_number, shown_value
from isoloss.fits import Comparison, Fit
from isoloss.formats import Precision
from isoloss.laws import (
    Composed,
    DomainError,
    Grouped,
    Inputs,
    Law,
    Level,
    Levels,
    Repetition,
    Value,
    as_inputs,
    as_law,
    preset,
    presets,
    unseen,
)
from isoloss.plans.problems import PlanError

LawLike = str | Law | Fit | Comparison
#: One law or several: a list of them, or a mapping of names to weights.
LawsLike = LawLike | Sequence[LawLike] | Mapping[str, float]
#: Laws below this weight in a comparison are not asked.
LEAST = 0.01
#: The word for every published law that has its constants.
PUBLISHED = "published"
#: Kept among the laws so that results which rest on the misreading can be recognised; never planned
#: with unasked.
MISREAD = {"kumar2024_printed"}


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
    """

    law: Law
    weight: float = 1.0
    drawn: Mapping[str, Value] | None = None
    fit: Fit | None = None
    group: str | None = None

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

    def knows(self, precision: Precision, params: float = 1e9, tokens: float = 1e11) -> str | None:
        """Reason the law is undefined at a precision, or None."""
        try:
            self.law.loss(self.point(precision, params, tokens))
        except DomainError as error:
            return str(error)
        return None

    def sees(self, precision: Precision) -> tuple[str, ...]:
        """The scopes, as "w", "g" or "-> w", that the law has a term for.

        A format of 16 bits and more counts as seen.
        """
        left = self.unseen(precision)
        inside = tuple(f"{name}." for name in left)
        scopes = (*precision.train, *(f"-> {scope}" for scope in precision.serve))
        return tuple(s for s in scopes if s not in left and not s.startswith(inside))

    def unseen(self, precision: Precision) -> tuple[str, ...]:
        """What of a precision the law has no term for, spelled as in `laws.Sight`."""
        return unseen(self.law, precision)

    def point(self, precision: Precision, params: float, tokens: float) -> Inputs:
        """The inputs of one run at a precision."""
        return self.points([precision], params, tokens)

    def points(
        self, precisions: Sequence[Precision], params: float = 1e9, tokens: float = 1e11
    ) -> Inputs:
        """The inputs of a run at each of several precisions."""
        group = None if self.group is None else [self.group] * len(precisions)
        return as_inputs(params, tokens, list(precisions), group=group)

    def knows_all(self, precisions: Sequence[Precision]) -> bool:
        """Whether the law is defined at every one of several precisions."""
        try:
            self.law.loss(self.points(precisions))
        except DomainError:
            return False
        return True


def members_of(
    laws: LawsLike,
    group: str | None = None,
    repeats: bool = False,
) -> tuple[Member, ...]:
    """The laws that are meant, with weights that add up to one.

    Parameters
    ----------
    laws
        A fit, a comparison, a law, a name, a list of these, or a mapping of names to weights;
        "published" stands for every published law with constants but those known to be misread.
    group
        Whose constants, where a law has some for each of several groups.
    repeats
        Let each law see repeated tokens through the map of Muennighoff et al. 2023, where it has
        none of its own.

    Raises
    ------
    PlanError
        It is none of these, a weight is no share, or a law has several groups and `group` names
        none.
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
        found = [m for each in laws for m in _members(each, group)]
    else:
        found = _members(laws, group)
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
    found = [replace(m, weight=m.weight / total) for m in found]
    return tuple(_repeating(m) for m in found) if repeats else tuple(found)


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


def far(member: Member, params: float, tokens: float) -> float:
    """How far a point lies outside the region of a law's runs, as a factor; NaN without one."""
    law: Law = member.law
    if law.box is None:
        return float("nan")
    return float(law.box.outside(member.point(Precision("fp"), params, tokens))[0])


def levels_of(precisions: Sequence[Precision]) -> Levels:
    """The levels of some precisions, one each, in order."""
    return Levels(tuple(Level(each) for each in precisions))


def blind(member: Member, precisions: Sequence[Precision]) -> bool:
    """Whether a law tells none of several precisions from another."""
    losses = member.law.loss(member.points(precisions))
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


def _repeating(member: Member) -> Member:
    """The member with the map of repeated data, where its formula can take one."""
    law = member.law
    inner = law.formula.inner if isinstance(law.formula, Grouped) else law.formula
    if not isinstance(inner, Composed) or any(isinstance(each, Repetition) for each in inner.maps):
        return member
    source = preset("muennighoff2023")
    assert isinstance(source.formula, Composed)
    changed = replace(inner, maps=(*source.formula.maps, *inner.maps))
    formula = replace(law.formula, inner=changed) if isinstance(law.formula, Grouped) else changed
    decay = {name: source.values[name] for name in ("R_N", "R_D")}
    drawn = None if member.drawn is None else {**member.drawn, **decay}
    new = replace(
        law, formula=formula, values={**law.values, **decay}, fixed=law.fixed | set(decay)
    )
    return replace(member, law=new, drawn=drawn)
