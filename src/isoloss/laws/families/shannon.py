"""The Shannon law: loss as the inverse of a channel's capacity, no instance of the algebra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoloss.laws.constant import Constant, scale
from isoloss.laws.formula import Constants
from isoloss.laws.inputs import Inputs
from isoloss.laws.jet import Value
from isoloss.laws.law import Law

ORDER = 160

_CONSTANTS = (
    scale("a", "size of the capacity", 1e-6, 1e3, (1e-3, 0.1)),
    Constant("p", "power of params in the capacity", -1.0, 2.0, (0.0, 0.2)),
    scale("b", "size of the signal", 1e-6, 1e6, (0.1, 100.0)),
    Constant("q", "power of tokens in the signal", -1.0, 2.0, (0.0, 0.5)),
    scale("c", "size of the noise of params and tokens", 1e-30, 1e6, (1e-8, 1.0)),
    Constant("r", "power of params x tokens in the noise", -1.0, 2.0, (0.0, 0.3)),
    scale("d", "size of the noise of tokens", 1e-30, 1e6, (1e-8, 1.0)),
    Constant("s", "power of tokens in the noise", -1.0, 2.0, (0.0, 0.5)),
    scale("e", "constant noise", 1e-12, 1e6, (1e-2, 10.0)),
)


@dataclass(frozen=True)
class Shannon:
    """1 / (a N^p log2(1 + b D^q / (c (D N)^r + d D^s + e)))."""

    constants: tuple[Constant, ...] = _CONSTANTS

    def __post_init__(self) -> None:
        wanted = [k.name for k in _CONSTANTS]
        if [k.name for k in self.constants] != wanted:
            raise ValueError(f"its constants are {', '.join(wanted)}, in this order")

    def loss(self, c: Constants, x: Inputs) -> Value:
        """The loss of every run; precision does not enter, as the noise is fitted for each."""
        n, d = x.log_params, x.log_tokens
        signal = c["b"] * np.exp(c["q"] * d)
        noise = c["c"] * np.exp(c["r"] * (n + d)) + c["d"] * np.exp(c["s"] * d) + c["e"]
        return 1.0 / (c["a"] * np.exp(c["p"] * n) * np.log2(1.0 + signal / noise))

    def check(self, c: Constants, x: Inputs) -> None:
        """Return at once: it is defined everywhere."""


def laws() -> tuple[Law, ...]:
    """The form alone."""
    return (
        Law(
            "shannon2026",
            Shannon(),
            title="Ouyang et al. 2026, loss as inverse capacity, to be fitted",
            source="2605.23901",
            evidence="S",
            notes=(
                "two secondary notes give different algebra: check the paper before relying on it",
                "one fit for each format; b and the three noises share one scale, so fix one of "
                "them",
            ),
        ),
    )
