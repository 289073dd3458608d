"""Kaplan's law: no floor, and an outer exponent."""

from __future__ import annotations

from isoloss.laws.formula import Composed
from isoloss.laws.law import Law

ORDER = 20


def laws() -> tuple[Law, ...]:
    """L = [(N_c/N)^(a_N/a_D) + D_c/D]^a_D.

    Here E = 0, beta = 1, kappa = a_D, alpha = a_N/a_D, A = N_c^alpha, B = D_c.
    """
    law = Law(
        "kaplan2020",
        Composed(),
        title="Kaplan et al. 2020, to be fitted",
        source="2001.08361",
        evidence="M",
        notes=("params are non-embedding",),
    )
    return (law.fix(E=0.0, beta=1.0),)
