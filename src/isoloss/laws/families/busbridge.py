"""The base with an outer exponent: E + (A/N^alpha + B/D^beta)^kappa."""

from __future__ import annotations

from isoloss.laws.formula import Composed
from isoloss.laws.law import Law

ORDER = 40


def laws() -> tuple[Law, ...]:
    """The form alone.

    With kappa below one what a rounding costs grows with tokens, even where it only costs params.
    """
    return (
        Law(
            "busbridge2025",
            Composed(),
            title="Busbridge et al. 2025, base with an outer exponent, to be fitted",
            source="2502.08606",
            evidence="P",
            notes=(
                "on tables with tokens per param over two decades kappa = 1 leaves a misfit as "
                "large as the difference between 8 and 16 bits",
            ),
        ),
    )
