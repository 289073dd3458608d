"""The gap of a law as a law of its own: loss at a precision less loss without rounding, in which
what all precisions share cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from isoloss.laws.constant import Constant
from isoloss.laws.formula import BASE, Composed, Constants, Formula, Grouped, Link, relinked
from isoloss.laws.inputs import Inputs
from isoloss.laws.jet import Value
from isoloss.laws.law import Law

T = TypeVar("T")


@dataclass(frozen=True)
class GapOf:
    """The loss of a formula less its loss at the reference: same params, tokens and groups, nothing
    rounded.

    Attributes
    ----------
    inner
        The formula of the loss.
    whole
        Whether constants that cancel are kept, so that replicates of a fit of losses serve.
    """

    inner: Formula
    whole: bool = False

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Those on which the gap depends: without the base where only penalties tell formats
        apart, else without E.
        """
        gone = {} if self.whole else _cancelled(self.inner)
        return tuple(k for k in self.inner.constants if k.name not in gone)

    def with_links(self, change: Callable[[Link], Link]) -> GapOf:
        """The gap of the formula with each link changed."""
        return replace(self, inner=relinked(self.inner, change))

    def loss(self, c: Constants, x: Inputs) -> Value:
        """The gap of every run."""
        full = {**_cancelled(self.inner), **c}
        return self.inner.loss(full, x) - self.inner.loss(full, x.at_reference())

    def check(self, c: Constants, x: Inputs) -> None:
        """What the formula raises."""
        self.inner.check({**_cancelled(self.inner), **c}, x)


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
    if isinstance(law.formula, GapOf):
        return law
    formula = GapOf(law.formula)
    names = {k.name for k in formula.constants}
    ties = {k: to for k, to in law.ties.items() if {k, to} <= names}
    return replace(
        law,
        name=f"gap of {law.name}",
        formula=formula,
        values=_of(names, law.values),
        fixed=law.fixed & names,
        ties=ties,
        bounds=_of(names, law.bounds),
        title=f"Gaps of: {law.title}" if law.title else "",
    )


def is_gap_law(law: Law) -> bool:
    """Whether what a law gives is a gap."""
    return isinstance(law.formula, GapOf)


def _cancelled(formula: Formula) -> dict[str, float]:
    """The constants of a base that do not count for gaps, at values that add nothing."""
    inner = formula.inner if isinstance(formula, Grouped) else formula
    if not isinstance(inner, Composed) or inner.maps:
        return {}
    nothing = {"E": 0.0}
    if not (inner.params_factor or inner.tokens_factor):
        nothing |= {k.name: 0.0 for k in BASE} | {"kappa": 1.0}
    if not isinstance(formula, Grouped):
        return nothing
    return {
        each: value
        for name, value in nothing.items()
        for each in ([f"{name}[{g}]" for g in formula.groups] if name in formula.names else [name])
    }


def _of(names: set[str], values: Mapping[str, T]) -> dict[str, T]:
    return {name: value for name, value in values.items() if name in names}
