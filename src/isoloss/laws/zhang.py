"""The theory's law: additive noise hides params beyond a size, multiplicative noise adds a floor."""

from __future__ import annotations

from isoloss.laws.constant import Constant, amplitude, scale
from isoloss.laws.formula import Composed
from isoloss.laws.law import Law
from isoloss.laws.links import multiplicative_noise
from isoloss.laws.maps import Cap
from isoloss.laws.penalties import Penalty, Rounded

CAP = Cap(
    "d",
    scale("c", "params that noise of size one would leave", 1e-3, 1e12, (0.1, 1e3), "params"),
    Constant("a", "decay of the spectrum of the data", 1.01, 10.0, (1.2, 3.0)),
)


def laws() -> tuple[Law, ...]:
    """E + A min(N, c eps^(-1/a))^-alpha + B D^-beta, and F eps/(1 + eps) for multiplicative noise."""
    floor = Penalty(
        amplitude("F", "loss that multiplicative noise of size one leaves"),
        None,
        None,
        (multiplicative_noise("d"),),
        Rounded("d"),
    )
    law = Law(
        "zhang2026",
        Composed(maps=(CAP,), penalties=(floor,)),
        title="Zhang et al. 2026, quantised stochastic gradient descent in regression, to be fitted",
        source="2602.19241 and 2510.18259, orders derived here from their setting",
        evidence="D",
        notes=(
            "for noise in the data (part d); in the theory alpha = a - 1 and beta = (a - 1)/a",
            "the papers' own constants and their effective number of samples are not known here",
        ),
    )
    return (law.fix(kappa=1.0),)
