"""Laws of the error: what a format costs follows from how far it moves numbers.

**After training** (`error`):

    gap = c err^p N^-n D^d m,

err the relative error of rounding normal rows as wide as the matrices of a decoder of N params, m
the factor of a method beside rounding to nearest. A format that nobody has run has an error, so it
has a price. The exponent p is near 1: the loss is near its minimum in most directions, and the
quadratic form of its curvature grows with the mean square of what is added.

**In training** (`error_trained`): N_eff = N exp(-c_w err_w^p - c_a err_a^p - c_kv err_kv^p) in
Hoffmann's law, err at the best scale. Fitted to losses of quest2025 p is .64 (90%: .61 to .67);
gaps alone do not hold it.
"""

from __future__ import annotations

from isoloss.laws.constant import Constant, amplitude, power, scale
from isoloss.laws.formula import Composed
from isoloss.laws.law import Law
from isoloss.laws.terms import ErrorPenalty, MethodFactor, error_capacity

ORDER = 175

PARTS = {"w": "weights", "a": "activations", "kv": "keys and values"}


def laws() -> tuple[Law, ...]:
    """The laws of the error after training and in it, to be fitted."""
    return _after(), _trained()


def _after() -> Law:
    penalties = tuple(_penalty(part) for part in PARTS)
    law = Law(
        "error",
        Composed(penalties=penalties),
        title="A power of the rounding error of normal rows, after training, to be fitted",
        source="isoloss",
        notes=(
            "a format that nobody has run is placed by its error",
            "activations and keys have heavier tails than the normal rows that they are priced by",
        ),
    )
    return law.fix(kappa=1.0)


def _trained() -> Law:
    power = scale("p", "power of the error in training", 0.05, 5.0, (0.4, 1.2))
    factors = tuple(
        error_capacity(
            part,
            scale(f"c_{part}", f"size of what rounding {name} costs", 1e-3, 1e4, (1, 20)),
            power,
        )
        for part, name in PARTS.items()
    )
    law = Law(
        "error_trained",
        Composed(params_factor=factors),
        title="Params that a rounding error leaves, in training, to be fitted",
        source="isoloss",
        notes=("a format that nobody trained in is placed by its error",),
    )
    return law.fix(kappa=1.0)


def _size(name: str) -> str:
    return f"size of what rounding {name} in training costs"


def _penalty(part: str) -> ErrorPenalty:
    name = PARTS[part]
    own = "m" if part == "w" else f"m_{part}"
    factor = Constant(
        own, f"gap of {name} over that of rounding to nearest", 1e-3, 10.0, (0.3, 1.0)
    )
    return ErrorPenalty(
        part,
        amplitude(f"c_{part}", f"size of what rounding {name} after training costs", "nats"),
        scale(f"p_{part}", f"power of the error of {name}", 0.05, 5.0, (0.7, 1.3)),
        power(f"n_{part}", f"how fast the cost of rounding {name} falls with params"),
        power(f"d_{part}", f"how fast the cost of rounding {name} grows with tokens"),
        MethodFactor(part, factor),
    )
