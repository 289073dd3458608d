"""The gap of a law as a law of its own: loss at a precision less loss without rounding, in which
what all precisions share cancels; and laws of the error that read errors as they were measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import TypeVar

from isoloss.laws.constant import Constant
from isoloss.laws.formula import Composed, Constants, Formula, Grouped, Link, relinked
from isoloss.laws.inputs import Inputs
from isoloss.laws.jet import Value
from isoloss.laws.law import Law
from isoloss.laws.terms import ErrorPenalty

T = TypeVar("T")
#: Values of a base that adds nothing.
NOTHING = {"A": 0.0, "alpha": 0.5, "B": 0.0, "beta": 0.5, "E": 0.0, "kappa": 1.0}


@dataclass(frozen=True)
class GapOf:
    """The loss of a formula less its loss at the reference: same params, tokens and groups, nothing
    rounded.

    Attributes
    ----------
    inner
        The formula of the loss.
    gone
        Its constants that cancel, for all precisions alike; without them those of a fit of losses
        are kept.
    """

    inner: Formula
    gone: tuple[str, ...] = ()

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Those that do not cancel."""
        return tuple(k for k in self.inner.constants if k.name not in self.gone)

    def with_links(self, change: Callable[[Link], Link]) -> GapOf:
        """The gap of the formula with each link changed."""
        return replace(self, inner=relinked(self.inner, change))

    def loss(self, c: Constants, x: Inputs) -> Value:
        """The gap of every run."""
        full = self._full(c)
        return self.inner.loss(full, x) - self.inner.loss(full, x.at_reference())

    def check(self, c: Constants, x: Inputs) -> None:
        """What the formula raises."""
        self.inner.check(self._full(c), x)

    def _full(self, c: Constants) -> Constants:
        """The constants with those that cancel, at values that add nothing."""
        return {**{name: NOTHING[name.partition("[")[0]] for name in self.gone}, **c}


def gap_law(law: Law) -> Law:
    """The law of a law's gaps, with its constants as far as they count for gaps.

    Parameters
    ----------
    law
        A law of losses; that of gaps is returned as it is.

    Returns
    -------
    Law
        Named "gap of ..."; its loss is the gap.
    """
    if is_gap_law(law):
        return law
    formula = GapOf(law.formula, _cancelling(law))
    names = {k.name for k in formula.constants}
    ties = {k: to for k, to in law.ties.items() if {k, to} <= names}
    # What was tied to a constant that cancels keeps the value of that.
    lent = {k: law.values[to] for k, to in law.ties.items() if k in names and to in law.values}
    return replace(
        law,
        name=f"gap of {law.name}",
        formula=formula,
        values=_of(names - set(ties), {**law.values, **lent}),
        fixed=law.fixed & names,
        ties=ties,
        bounds=_of(names, law.bounds),
        title=f"Gaps of: {law.title}" if law.title else "",
    )


def is_gap_law(law: Law) -> bool:
    """Whether what a law gives is a gap."""
    formula = law.formula.inner if isinstance(law.formula, Grouped) else law.formula
    return isinstance(formula, GapOf)


def with_errors(law: Law, errors: Mapping[str, Mapping[str, float]]) -> Law:
    """A law of the error that reads errors as they were measured, in place of those of normal rows.

    Parameters
    ----------
    law
        A law with penalties of the error, as "error", or the law of its gaps.
    errors
        By part ("a"), the relative error of each format by its spelling, as
        `isoloss.lm.rounding_errors` measures them (`largest`, `mean`).

    Returns
    -------
    Law
        The same form; a format that is not among them is undefined.

    Raises
    ------
    ValueError
        The law has no penalty of the error for a part, or an error is no number above zero.
    """
    formula = law.formula
    inner = formula.inner if isinstance(formula, GapOf) else formula
    penalties = inner.penalties if isinstance(inner, Composed) else ()
    own = {p.part: p for p in penalties if isinstance(p, ErrorPenalty)}
    for part, table in errors.items():
        if part not in own:
            raise ValueError(
                f"law {law.name!r} has no penalty of the error for part {part!r}; it has "
                f"{', '.join(own) or 'none'}"
            )
        if wrong := [name for name, error in table.items() if not 0 < error < inf]:
            raise ValueError(f"the error of {wrong[0]!r} is {table[wrong[0]]}; it is above 0")
    assert isinstance(inner, Composed)
    read = {id(own[part]): own[part].reading(table) for part, table in errors.items()}
    changed = replace(inner, penalties=tuple(read.get(id(p), p) for p in penalties))
    whole = replace(formula, inner=changed) if isinstance(formula, GapOf) else changed
    return replace(law, formula=whole)


def _cancelling(law: Law) -> tuple[str, ...]:
    """The base's constants that cancel in gaps: all where only penalties tell formats apart, else E
    and, where the terms of the base are added, the one that no precision changes.
    """
    grouped = law.formula if isinstance(law.formula, Grouped) else None
    inner = grouped.inner if grouped else law.formula
    if not isinstance(inner, Composed) or inner.maps:
        return ()
    gone = {"E"}
    is_added = "kappa" in law.fixed and law.values.get("kappa") == 1.0
    if not (inner.params_factor or inner.tokens_factor):
        gone |= set(NOTHING)
    elif is_added and not inner.tokens_factor:
        gone |= {"B", "beta"}
    elif is_added and not inner.params_factor:
        gone |= {"A", "alpha"}
    return tuple(k.name for k in law.formula.constants if k.name.partition("[")[0] in gone)


def _of(names: set[str], values: Mapping[str, T]) -> dict[str, T]:
    return {name: value for name, value in values.items() if name in names}
