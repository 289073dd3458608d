"""Farseer's law, no instance of the algebra: the exponent of tokens depends on params."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoloss.laws.constant import Constant, scale
from isoloss.laws.formula import Constants
from isoloss.laws.inputs import Inputs
from isoloss.laws.jet import Value
from isoloss.laws.law import Law

ORDER = 50

# In each of the three functions of params, exp(a N^p + b), the product a N^p is of the order of
# ten.
_SHAPES = (
    Constant("a1", "factor in the exponent of tokens", -5.0, 5.0, (-0.5, -0.02)),
    Constant("p1", "power of params in the exponent of tokens", -0.6, 0.6, (0.05, 0.25)),
    Constant("b1", "offset in the exponent of tokens", -10.0, 10.0, (-1.0, 1.0)),
    scale("a2", "factor in the size of the tokens term", 1e-2, 1e4, (10.0, 300.0)),
    Constant("p2", "power of params in the size of the tokens term", -0.6, 0.6, (-0.2, -0.03)),
    Constant("b2", "offset in the size of the tokens term", -30.0, 30.0, (-10.0, 5.0)),
    Constant("a3", "factor in the term of params alone", -5.0, 5.0, (-0.2, -0.005)),
    Constant("p3", "power of params in the term of params alone", -0.6, 0.6, (0.05, 0.25)),
    Constant("b3", "offset in the term of params alone", -10.0, 10.0, (0.0, 2.0)),
)


@dataclass(frozen=True)
class Farseer:
    """exp(a3 N^p3 + b3) + exp(a2 N^p2 + b2) D^-exp(a1 N^p1 + b1)."""

    constants: tuple[Constant, ...] = _SHAPES

    def __post_init__(self) -> None:
        wanted = [k.name for k in _SHAPES]
        if [k.name for k in self.constants] != wanted:
            raise ValueError(f"its constants are {', '.join(wanted)}, in this order")

    def loss(self, c: Constants, x: Inputs) -> Value:
        """The loss of every run; precision does not enter."""

        def inner(index: int) -> Value:
            return c[f"a{index}"] * np.exp(c[f"p{index}"] * x.log_params) + c[f"b{index}"]

        return np.exp(inner(3)) + np.exp(inner(2) - np.exp(inner(1)) * x.log_tokens)

    def check(self, c: Constants, x: Inputs) -> None:
        """Return at once: it is defined everywhere."""


def laws() -> tuple[Law, ...]:
    """The form alone."""
    return (
        Law(
            "farseer2025",
            Farseer(),
            title="Farseer, exponent of tokens depends on params, to be fitted",
            source="2506.10972",
            evidence="M",
            notes=("recalled, not read: check the form before relying on it",),
        ),
    )
