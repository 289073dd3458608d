"""Muennighoff's law of repeated data: tokens seen again, and params in excess, count for less."""

from __future__ import annotations

import math

from isoloss.laws.constant import scale
from isoloss.laws.formula import Composed
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box
from isoloss.laws.terms import Repetition

ORDER = 30

FORM = Composed(
    maps=(
        Repetition(
            scale(
                "R_N",
                "excess of params at which more is worth little",
                0.1,
                1e3,
                (1.0, 50.0),
                "times",
            ),
            scale(
                "R_D", "repetitions at which more is worth little", 0.1, 1e3, (1.0, 50.0), "epochs"
            ),
        ),
    )
)


def laws() -> tuple[Law, ...]:
    """Muennighoff et al. 2023 with the constants of their code, which are logarithms."""
    law = Law(
        "muennighoff2023",
        FORM,
        {
            "A": math.exp(6.255414),
            "alpha": 0.3526596,
            "B": math.exp(7.3049974),
            "E": math.exp(0.6254804),
            "R_N": 5.309743,
            "R_D": 15.387756,
        },
        title="Muennighoff et al. 2023, repeated data",
        source="2305.16264, eqs. 5, 6 and 17, constants of the code",
        evidence="C",
        box=Box((7e6, 8.7e9), (1e8, 9e11), (0.035, 6.4e4), "bf16"),
        notes=(
            "tokens are all that were seen, unique_tokens the different ones; without "
            "unique_tokens none is repeated",
            "params beyond the best for the unique tokens are discounted too",
        ),
    )
    return (law.fix(kappa=1.0).tie("beta", "alpha"),)
