"""Chen's law of training in 4 bits: a penalty that grows with tokens and the size of a scale
group.
"""

from __future__ import annotations

from isoloss.laws.constant import Constant, amplitude, power
from isoloss.laws.formula import Composed
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box
from isoloss.laws.terms import Penalty, SharedScale, Table

ORDER = 120

PARTS = ("w", "a")
SIZE = amplitude("k", "size of the rounding loss", "nats")
PARAMS = power("gN", "how fast the rounding loss falls with params")
TOKENS = power("gD", "how fast the rounding loss grows with tokens")
GROUP = power("gG", "how fast the rounding loss grows with log2 of the group size")
WHOLE = Constant(
    "log2G_whole",
    "log2 of the group that one scale a row or tensor amounts to",
    2.0,
    20.0,
    (8.0, 13.0),
)

#: k, gN, gD, gG of each precision.
PUBLISHED = {
    "w4 a4": (0.1582, 0.2186, 0.0745, 0.7779),
    "w4": (0.2522, 0.3589, 0.1610, 0.3533),
    "a4": (0.1004, 0.1816, 0.0331, 0.9812),
    "w4 a4 a.fc2:int8": (0.3519, 0.2637, 0.0964, 0.3407),
    "a4 a.fc2:int8": (0.1273, 0.2347, 0.0827, 0.4491),
}


def laws() -> tuple[Law, ...]:
    """The law with four constants a precision, and the form in which only the size is its own."""
    return _published(), _shared()


def _table(entry: Constant, *labels: str) -> Table:
    return Table(PARTS, entry, labels, bare=True)


def _published() -> Law:
    size, params, tokens, group = (_table(k, *PUBLISHED) for k in (SIZE, PARAMS, TOKENS, GROUP))
    penalty = Penalty(None, params, tokens, (size, SharedScale(PARTS, group, WHOLE, WHOLE)), size)
    values = {
        f"{k.name}[{label}]": value
        for label, row in PUBLISHED.items()
        for k, value in zip((SIZE, PARAMS, TOKENS, GROUP), row, strict=True)
    }
    law = Law(
        "chen2025",
        Composed(penalties=(penalty,)),
        {"A": 237.7042, "alpha": 0.3022, "B": 596.2490, "E": 1.9279} | values,
        title="Chen et al. 2025, training in 4 bits by group size",
        source="2505.14302",
        evidence="P",
        box=Box(
            (7.4e7, 5.95e8),
            (1e10, 1e11),
            (16.8, 1351),
            "int4 in groups of 32 and more, weights and activations",
            kinds=("int",),
        ),
        notes=(
            "the group is that of the weights where they are rounded, else that of the "
            "activations, as in w4/128 a4/128",
            "one scale a row or tensor needs a value for log2G_whole, about log2 of the row's "
            "length",
            "gG of a4 with int8 into FC2 is 0.4491 in the table and 0.4471 in the text of the "
            "paper",
        ),
    )
    return law.fix(kappa=1.0).tie("beta", "alpha")


def _shared() -> Law:
    size = _table(SIZE)
    law = Law(
        "chen2025_shared",
        Composed(penalties=(Penalty(None, PARAMS, TOKENS, (size,), size),)),
        title="Chen's form with exponents shared by all precisions and no group size, to be fitted",
        source="2505.14302, simplified here",
        evidence="D",
        notes=(
            "for tables with few runs a precision, where four constants for each cannot be told "
            "apart",
        ),
    )
    return law.fix(kappa=1.0).tie("beta", "alpha")
