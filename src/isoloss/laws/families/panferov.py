"""Panferov's unified law: the factor of a format follows from its error on a normal variable."""

from __future__ import annotations

from isoloss.laws.constant import scale
from isoloss.laws.formula import Composed
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box
from isoloss.laws.terms import tanh_error

ORDER = 90

LIMIT = scale("L", "factor of a format without error", 0.5, 1.5, (0.9, 1.1))
SLOPE = scale("F", "size of the factor's rise", 1e-3, 10.0, (0.1, 0.6))
POWER = scale("C", "power of the factor's rise", 0.1, 5.0, (0.8, 2.0))


def laws() -> tuple[Law, ...]:
    """rho = L tanh(F (log_1/4 error)^C), for weights and activations with the same constants."""
    law = Law(
        "panferov2025",
        Composed(params_factor=tuple(tanh_error(part, LIMIT, SLOPE, POWER) for part in ("w", "a"))),
        title="Panferov et al. 2025, factors from the rounding error of a normal variable, to be "
        "fitted",
        source="2506.01863",
        evidence="M",
        box=Box((3e7, 2e8), (1.5e9, 4e10), (50, 200), "integers, floats and sparse formats"),
        notes=(
            "the form is recalled: the paper's equation was not legible in the copy read",
            "a format that nobody trained in is placed by its error",
            "factors of weights and activations multiply to 2% at 3 and 4 bits, to 13% at 2 bits",
        ),
    )
    return (law.fix(kappa=1.0, L=1.0),)
