"""QuEST's fit: Frantar's form on 104 runs down to one bit, with the factors of 16 levels."""

from __future__ import annotations

from isoloss.laws.families.frantar import TABLE
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box
from isoloss.laws.terms import labelled

ORDER = 80

BASE = {
    "A": 8.134031011055859,
    "alpha": 0.062726522,
    "B": 86.41190623830154,
    "beta": 0.241288351,
    "E": 0.0014232897805828435,
}
LEVELS = {
    "w1+had@quest a1+had@quest": 0.0205046859,
    "w2+had@quest a2+had@quest": 0.151870911,
    "w3+had@quest a3+had@quest": 0.433126203,
    "w4+had@quest a4+had@quest": 0.691831718,
    "w8+had@quest a8+had@quest": 1.01619263,
    "w:e2m1+had@quest a:e2m1+had@quest": 0.629639028,
    "w4+had@quest a4+had@quest 2:4": 0.381222089,
    "w1@quest a1@quest": 0.0155770373,
    "w2@quest a2@quest": 0.0784119072,
    "w3@quest a3@quest": 0.322107861,
    "w4@quest a4@quest": 0.603270679,
    "w8@quest a8@quest": 0.937628722,
    "w1+had@quest": 0.138419575,
    "w2+had@quest": 0.413717453,
    "w3+had@quest": 0.653058816,
    "w4+had@quest": 0.840434222,
}


def laws() -> tuple[Law, ...]:
    """The fit as the authors' notebook prints it."""
    law = Law(
        "quest2025",
        labelled(TABLE, {"eff": tuple(LEVELS)}),
        BASE | {f"eff[{level}]": value for level, value in LEVELS.items()},
        title="Panferov et al. 2025 (QuEST), a factor for each of 16 levels",
        source="2502.05003, notebook plots.ipynb",
        evidence="C",
        box=Box((3.04e7, 8.23e8), (7.5e8, 8e10), (24, 101), "the 16 levels"),
        notes=(
            "the base is degenerate (alpha 0.06, E 0): a factor without this base means little, "
            "state the loss gap",
            "runs with full and with half a Hadamard transform are pooled at equal bits",
        ),
    )
    return (law.fix(kappa=1.0),)
