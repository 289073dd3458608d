"""Two optima of Kumar et al. 2024: at held params (figure 6 right) and for serving (figure 9)."""

from __future__ import annotations

from math import log

import numpy as np

from isoloss.laws import Law
from isoloss.papers.checking import check
from isoloss.papers.checks.kumar.formula import (
    FITTED,
    constants,
    factors,
    found,
    in_bits,
    product,
    root,
)
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory
from isoloss.plans import best_bits

#: Params and tokens of the asked points of figure 6 right, by the names of the claim.
ASKED = {
    "8B at 15T": (8e9, 15e12),
    "70B at 15T": (70e9, 15e12),
    "405B at 15T": (405e9, 15e12),
    "405B at 0.1T": (405e9, 0.1e12),
    "8B at 1000T": (8e9, 1000e12),
}
#: Bits within which the serving optimum is looked for, by cost in bits of all weights.
COSTS = {1e8: (2.0, 12.0), 1e10: (2.0, 12.0), 1e14: (4.0, 13.0)}


@check
def kumar_held_values(laboratory: Laboratory) -> Finding:
    """The best bits at held params, by the planner at the compute that leaves the asked tokens."""
    planned = _planned(laboratory)
    apart = max(abs(tokens / ASKED[name][1] - 1) for name, (_, tokens) in planned.items())
    told = ", ".join(f"{bits:.3f} ({name})" for name, (bits, _) in planned.items())
    return found(
        {name: bits for name, (bits, _) in planned.items()},
        f"{told}; planner and formula differ by {apart:.0e} in tokens.",
        (FITTED,),
    )


@check
def kumar_held_params(laboratory: Laboratory) -> Finding:
    """How the best bits at held params grow with compute."""
    law, planned = laboratory.law(FITTED), _planned(laboratory)
    c = constants(law)
    gammas = [f.gamma for f in factors(law).values()]
    largest, mean = c["beta"] * max(gammas), c["beta"] * sum(gammas) / len(gammas)
    slope = _slope(law, *ASKED["8B at 1000T"])
    says = (
        f"{slope:.2f} bits a factor e of compute (8B at 1000T), where beta times the largest gamma "
        f"is {largest:.3f} and times the mean {mean:.3f}: the slowest part sets the slope."
    )
    rows = [
        {"x": float(tokens), "y": _formula(law, params, float(tokens)), "series": name}
        for name, params in (("8B", 8e9), ("70B", 70e9), ("405B", 405e9))
        for tokens in np.geomspace(1e11, 1e15, 33)
    ]
    return found(
        {name: planned[name][0] for name in ("405B at 0.1T", "8B at 1000T")}
        | {
            "bits a factor e of compute, over beta x largest gamma": slope / largest,
            "bits a factor e of compute, over beta x mean gamma": slope / mean,
        },
        says,
        (FITTED,),
        drawn(
            "held params",
            "Which precision is best for a model of held size? Cost linear in bits.",
            rows,
            ("tokens", "best bits of every part"),
            says,
        ),
    )


@check
def kumar_serving_cost(laboratory: Laboratory) -> Finding:
    """The optimum of params, tokens and served bits where the cost is params times bits."""
    best = {
        cost: best_bits(
            laboratory.law(FITTED), cost, "memory-bits", precision="fp -> w4", within=within
        )
        for cost, within in COSTS.items()
    }
    first, middle, last = best.values()
    span = log(1e14 / 1e8)
    slope = (last.bits - first.bits) / span
    says = f"{middle}, where params times bits are 1e10; {slope:.3f} bits a factor e of cost."
    rows = [
        {"x": cost, "y": value, "series": name, "panel": name}
        for cost, each in best.items()
        for name, value in (("bits", each.bits), ("params", each.params), ("tokens", each.tokens))
    ]
    return found(
        {
            "bits a factor e of cost": slope,
            "exponent of params": log(last.params / first.params) / span,
            "exponent of tokens": log(last.tokens / first.tokens) / span,
            "bits at 1e10": middle.bits,
            "params at 1e10": middle.params,
            "tokens at 1e10": middle.tokens,
        },
        says,
        (FITTED,),
        drawn(
            "serving cost",
            "What is best to serve at a cost of params times bits? Training is free.",
            rows,
            ("params x bits", "best value"),
            says,
        ),
    )


def _planned(laboratory: Laboratory) -> dict[str, tuple[float, float]]:
    """Bits and tokens of the planner at each asked point."""
    law = laboratory.law(FITTED)
    return laboratory.once(
        ("kumar held params",), lambda: {name: _at(law, *each) for name, each in ASKED.items()}
    )


def _at(law: Law, params: float, tokens: float) -> tuple[float, float]:
    """The planner's bits and tokens at the compute where the formula's best uses these tokens."""
    compute = 6 / 16 * params * tokens * _formula(law, params, tokens)
    best = best_bits(law, compute, "linear-bits", precision=in_bits(8), params=params)
    return best.bits, best.tokens


def _formula(law: Law, params: float, tokens: float) -> float:
    """The best bits at held params and these tokens, equation 22 with three gammas and offsets.

    At equal D P a further bit pays until alpha A (N f)^-alpha dlog f/dlog P = beta B D^-beta.
    """
    c, each = constants(law), factors(law)
    lost = c["beta"] * c["B"] * tokens ** -c["beta"]

    def gain(bits: float) -> float:
        effective = params * product(law, bits)
        elastic = sum(f.elasticity(bits) for f in each.values())
        return float(c["alpha"] * c["A"] * effective ** -c["alpha"] * elastic - lost)

    return root(gain, max(f.zero for f in each.values()) + 1e-6, 60.0)


def _slope(law: Law, params: float, tokens: float) -> float:
    """d bits / d log compute along the best plans of held params, by central difference."""
    bits = [_formula(law, params, tokens * step) for step in (0.99, 1.01)]
    compute = [log(tokens * step * b) for step, b in zip((0.99, 1.01), bits, strict=True)]
    return (bits[1] - bits[0]) / (compute[1] - compute[0])
