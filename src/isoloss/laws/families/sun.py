"""Sun's law of floating-point training: a penalty by exponent and mantissa bits."""

from __future__ import annotations

from isoloss.laws.constant import Constant, amplitude, power, scale
from isoloss.laws.formula import Composed
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box
from isoloss.laws.terms import Penalty, Rounded, SharedScale, float_fields

ORDER = 110

PENALTY = Penalty(
    amplitude("k", "size of the rounding loss, 1/gamma of the paper", "nats"),
    power("n", "how fast the rounding loss falls with params"),
    power("d", "how fast the rounding loss grows with tokens"),
    (
        *float_fields(
            "w",
            scale(
                "delta",
                "how fast the rounding loss falls with exponent bits",
                0.01,
                20.0,
                (0.5, 5.0),
            ),
            scale(
                "nu", "how fast the rounding loss falls with mantissa bits", 0.01, 20.0, (0.5, 5.0)
            ),
        ),
        SharedScale(
            ("w",),
            None,
            row=Constant(
                "log2B_row",
                "log2 of the block that one scale a row amounts to",
                1.0,
                30.0,
                (8.0, 16.0),
            ),
            tensor=Constant(
                "log2B_tensor",
                "log2 of the block that one scale a tensor amounts to",
                1.0,
                40.0,
                (8.0, 30.0),
            ),
        ),
    ),
    Rounded("w"),
)


def laws() -> tuple[Law, ...]:
    """The law with delta = (D^beta/N^alpha) log2(B) / (gamma (E + 1/2)^delta (M + 1/2)^nu)."""
    law = Law(
        "sun2025",
        Composed(penalties=(PENALTY,)),
        {
            "A": 69.2343,
            "alpha": 0.2368,
            "B": 68973.0621,
            "beta": 0.5162,
            "E": 1.9061,
            "k": 1 / 11334.5197,
            "delta": 3.1926,
            "nu": 2.9543,
            "log2B_row": 13.1567,
        },
        title="Sun et al. 2025, floating-point training",
        source="2501.02423",
        evidence="P",
        box=Box(
            (4.1e7, 6.79e8),
            (1e10, 1e11),
            (14.7, 2440),
            "floats, blocks of 32 to 512, a row or a tensor",
            kinds=("float",),
            shared=("a", "g"),
        ),
        notes=(
            "read off the format of the weights: weights, and both operands of the backward "
            "pass, share it in the paper",
            "one scale a tensor needs a value for log2B_tensor, which depends on params and "
            "tokens in the paper",
            "alpha 0.24 against beta 0.52 implies compute splits with under one token per param "
            "at 1e25 flop",
        ),
    )
    return (law.fix(kappa=1.0).tie("n", "alpha").tie("d", "beta"),)
