"""Cao's law of rounding after training: falls with params, grows with the size of a block."""

from __future__ import annotations

import math

import numpy as np

from isoloss.formats import Format
from isoloss.laws.constant import power, scale
from isoloss.laws.families.chen import PARAMS, SIZE
from isoloss.laws.formula import Composed
from isoloss.laws.jet import Value
from isoloss.laws.law import Law
from isoloss.laws.terms import FormatLink, Penalty, Table

ORDER = 145

OFFSET = scale("d", "numbers added to those of a block", 1e-2, 1e4, (1.0, 64.0))
GROWTH = power("gB", "how fast the rounding loss grows with the size of a block")


def laws() -> tuple[Law, ...]:
    """The form alone, where all of a part is rounded."""
    size = Table(("w",), SIZE, stage="serve", bare=True)
    block = FormatLink(
        "w", (OFFSET, GROWTH), _of_block, _block_of, stage="serve", noun="block size"
    )
    law = Law(
        "cao2024",
        Composed(penalties=(Penalty(None, PARAMS, None, (size, block), size),)),
        title="Cao et al. 2024, rounding after training by block size, to be fitted",
        source="2410.06722v3, through a secondary note",
        evidence="S",
        notes=(
            "delta = k N^-gN (Q_b + d)^gB, Q_b the numbers that share a scale, as in '-> w4/32'; "
            "a scale for a whole row or tensor has no Q_b",
            "the paper's k is C exp(A Q_r), Q_r the share of params in few bits: a law reads one "
            "format for all weights, so that Q_r is 1 and exp(A) a factor of k",
            "bits do not enter, so k is one constant a format; the paper's constants were not "
            "read, and d is taken to be above zero",
        ),
    )
    return (law.fix(kappa=1.0),)


def _block_of(known: Format) -> float:
    return math.nan if known.group is None else float(known.group)


def _of_block(block: Value, offset: Value, growth: Value) -> Value:
    return np.exp(growth * np.log(block + offset))
