"""The theory's law: additive noise hides params beyond a size, multiplicative adds a floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoloss.formats import Format
from isoloss.laws.constant import Constant, amplitude, scale
from isoloss.laws.formula import Composed
from isoloss.laws.inputs import Levels, Mask
from isoloss.laws.jet import Value
from isoloss.laws.law import Law
from isoloss.laws.terms import Cap, FormatLink, Penalty, noise_of

ORDER = 180

CAP = Cap(
    "d",
    scale("c", "params that noise of size one would leave", 1e-3, 1e12, (0.1, 1e3), "params"),
    Constant("a", "decay of the spectrum of the data", 1.01, 10.0, (1.2, 3.0)),
)
POWER = Constant(
    "p",
    "power of eps/(1 + eps) in that floor: 1 in use with rounded data, 2 without",
    0.5,
    3.0,
    (1.0, 2.0),
)


@dataclass(frozen=True)
class Relative:
    """The levels at which the noise of a part grows with the value; additive noise has no floor."""

    part: str

    def applies(self, levels: Levels) -> Mask:
        """Where the part has relative noise."""
        return np.asarray(levels.read(self.part, _is_relative, unset=0.0) > 0)


def _is_relative(known: Format) -> float:
    return float(noise_of(known)[0] == "multiplicative")


def _share(known: Format) -> float:
    """eps/(1 + eps)."""
    _, eps = noise_of(known)
    return eps / (1 + eps)


def _raised(share: Value, power: Value) -> Value:
    return np.exp(power * np.log(share))


def laws() -> tuple[Law, ...]:
    """E + (A min(N, c eps^(-1/a))^-alpha + B D^-beta)^kappa + F (eps/(1 + eps))^p.

    The minimum is for additive noise, the floor F for multiplicative.
    """
    floor = Penalty(
        amplitude("F", "loss that multiplicative noise of size one leaves"),
        None,
        None,
        (FormatLink("d", (POWER,), _raised, _share, noun="noise level"),),
        Relative("d"),
    )
    law = Law(
        "zhang2026",
        Composed(maps=(CAP,), penalties=(floor,)),
        bounds={"alpha": (0.02, 8.0), "beta": (0.02, 8.0)},
        title="Zhang et al. 2026, quantised stochastic gradient descent in regression, to be "
        "fitted",
        source="2602.19241 and 2510.18259, orders derived here from their setting",
        evidence="D",
        notes=(
            "for noise in the data (part d); in the theory kappa alpha = a - 1 and kappa beta = "
            "(a - 1)/a",
            "the theory has the order of the base, of which a sum and a maximum are alike; exact "
            "risk is nearer the maximum (kappa below one)",
            "c is in units of ideal noise: integers, whose eps is taken as 4^-bits, have another "
            "one",
            "the papers' own constants and their effective number of samples are not known here",
        ),
    )
    return (law,)
