"""Spectra's ternary law: precision changes the exponents, so it is a base of its own."""

from __future__ import annotations

from isoloss.laws.formula import Composed
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box

ORDER = 170


def laws() -> tuple[Law, ...]:
    """2.19 + 4.73/N^.32 + 5.18/D^.81 with N in millions and D in billions, in counts."""
    law = Law(
        "spectra2025",
        Composed(),
        {"A": 4.73 * 1e6**0.32, "alpha": 0.32, "B": 5.18 * 1e9**0.81, "beta": 0.81, "E": 2.19},
        title="Spectra 1.1, ternary weights",
        source="2506.23025, through a secondary note",
        evidence="S",
        box=Box((9.9e7, 1.1e9), (2e10, 1.5e11), (18, 1520), "ternary weights"),
        notes=(
            "the law of ternary models alone: precision does not enter; the float models have "
            "alpha 0.56, beta 0.53",
            "units are not stated there: only millions of params and billions of tokens give "
            "sane losses",
        ),
    )
    return (law.fix(kappa=1.0),)
