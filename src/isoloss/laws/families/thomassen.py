"""Thomassen's law: what a precision costs in training is a power of params, whatever the tokens."""

from __future__ import annotations

from isoloss.laws.families.chen import PARAMS, PARTS, SIZE
from isoloss.laws.formula import Composed
from isoloss.laws.law import Law
from isoloss.laws.terms import Penalty, Table

ORDER = 140


def laws() -> tuple[Law, ...]:
    """The form alone: delta = k N^-gN with both constants of each precision's own."""
    size, params = (Table(PARTS, k, bare=True) for k in (SIZE, PARAMS))
    law = Law(
        "thomassen2026",
        Composed(penalties=(Penalty(None, params, None, (size,), size),)),
        title="Thomassen 2026, cost of a precision against size, to be fitted",
        source="2605.25966",
        evidence="A",
        notes=("the abstract says log-linear in size, read here as log delta linear in log N",),
    )
    return (law.fix(kappa=1.0),)
