"""Skaling: the base with an outer exponent, and what an L-shaped grid of runs is enough for."""

from __future__ import annotations

from isoloss.laws.formula import Composed
from isoloss.laws.law import Law

ORDER = 45


def laws() -> tuple[Law, ...]:
    """The form alone, that of busbridge2025: E + (A/N^alpha + B/D^beta)^kappa with kappa free."""
    return (
        Law(
            "skaling2026",
            Composed(),
            title="Skaling, base with an outer exponent, to be fitted",
            source="2608.07222, through a secondary note",
            evidence="S",
            notes=(
                "the form of busbridge2025, under the name by which the later paper knows it; "
                "starts and bounds are the same, and compare fits the two once",
                "kappa was .31 to .45 on two grids (404 and 134 runs), near 1 on code and on "
                "Chinchilla's data; other constants were not read",
                "an L-shaped grid at a tenth of the cost predicted the loss in the far corner to "
                "1.5%, a full grid with kappa = 1 to 9.8%",
            ),
        ),
    )
