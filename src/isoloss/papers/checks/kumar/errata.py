"""Printed equations of Kumar et al. 2024 beside the right ones."""

from __future__ import annotations

from math import exp

import numpy as np

from isoloss.formats import Format, fake_quantise
from isoloss.papers.checking import check
from isoloss.papers.checks.kumar.formula import (
    FITTED,
    PRINTED,
    best_bits_of,
    constants,
    found,
    in_bits,
    mean_factor,
    product,
    root,
)
from isoloss.papers.claim import Finding
from isoloss.papers.laboratory import Laboratory
from isoloss.plans import critical_tokens, plan

BUDGET = 1e20


@check
def kumar_budget_kept(laboratory: Laboratory) -> Finding:
    """N D P over its value at 16 bits, with the printed and the right power of P in D*."""
    law = laboratory.law(FITTED)
    c = constants(law)
    both = c["alpha"] + c["beta"]
    f, bits = product(law, 8) / product(law, 16), 8 / 16
    params = f ** (-c["alpha"] / both) * bits ** (-c["beta"] / both)
    printed = f ** (c["alpha"] / both) * bits ** (c["beta"] / both)
    tokens = f ** (c["alpha"] / both) * bits ** (-c["alpha"] / both)
    asked = [
        plan(law, BUDGET, "linear-bits", precision=[in_bits(b)], extrapolate=True).choices[0]
        for b in (8, 16)
    ]
    return found(
        {
            "share of the budget at 8 bits, printed": params * printed * bits,
            "share of the budget at 8 bits": params * tokens * bits,
            "tokens over those of the planner, at 8 bits": tokens
            / (asked[0].tokens / asked[1].tokens),
        },
        f"As printed N D P is {params * printed * bits:.2f} of the budget at 8 bits.",
        (FITTED,),
    )


@check
def kumar_tokens_left(laboratory: Laboratory) -> Finding:
    """N D P over 16 C / 6 with equation 16 as printed and with its factor 1/P."""
    law = laboratory.law(FITTED)
    c, bits = constants(law), 8
    both = c["alpha"] + c["beta"]
    whole = 16 * BUDGET / 6
    u = product(law, bits) ** -c["alpha"]
    ratio = u * c["A"] * c["alpha"] / (c["B"] * c["beta"])
    params = ratio ** (1 / both) * (whole / bits) ** (c["beta"] / both)
    printed = whole / params
    return found(
        {
            "N D P over 16 C / 6 at 8 bits, printed": params * printed * bits / whole,
            "N D P over 16 C / 6 at 8 bits": params * (printed / bits) * bits / whole,
        },
        f"Without 1/P the plan costs {params * printed * bits / whole:.0f} budgets at 8 bits.",
        (FITTED,),
    )


@check
def kumar_equation_7(laboratory: Laboratory) -> Finding:
    """Roots of equation 7, printed and right, with mean gamma and no offsets."""
    law = laboratory.law(PRINTED)
    gamma, alpha = mean_factor(law).gamma, constants(law)["alpha"]

    def u(bits: float) -> float:
        return float((1 - exp(-bits / gamma)) ** (-3 * alpha))

    def printed(bits: float) -> float:
        left = 3 * alpha / gamma * u(bits) ** ((3 * alpha + 1) / (3 * alpha)) * exp(-bits / gamma)
        return float(left - u(bits) / bits)

    def right(bits: float) -> float:
        left = 3 / gamma * u(bits) ** (1 / (3 * alpha)) * exp(-bits / gamma)
        return float(left - 1 / bits)

    roots = root(printed, 0.05, 30.0), root(right, 0.05, 30.0)
    best = best_bits_of([mean_factor(law)] * 3)
    return found(
        {
            "root, printed": roots[0],
            "root": roots[1],
            "root less the bits of largest f/P": roots[1] - best,
        },
        f"As printed its root is {roots[0]:.2f} bits, with the right powers {roots[1]:.2f}.",
        (PRINTED,),
    )


@check
def kumar_equation_28(laboratory: Laboratory) -> Finding:
    """Roots of equation 28, printed and right, with mean gamma and no offsets."""
    law = laboratory.law(PRINTED)
    gamma, alpha = mean_factor(law).gamma, constants(law)["alpha"]

    def left(bits: float) -> float:
        return 3 / gamma * exp(-bits / gamma) / (1 - exp(-bits / gamma))

    def u(bits: float) -> float:
        return float((1 - exp(-bits / gamma)) ** (-3 * alpha))

    grid = np.linspace(0.05, 30.0, 3000)
    highest = max(left(float(bits)) * bits / u(float(bits)) for bits in grid)
    # A curve that touches its right side in between would have a largest ratio above one.
    printed = root(lambda bits: left(bits) - u(bits) / bits, 0.05, 30.0)
    right = root(lambda bits: left(bits) - 1 / bits, 0.05, 30.0)
    says = f"The printed left side reaches at most {highest:.3f} of the right; the right root is"
    return found({"root, printed": printed, "root": right}, f"{says} {right:.2f} bits.", (PRINTED,))


@check
def kumar_equation_12(laboratory: Laboratory) -> Finding:
    """Critical tokens from equation 12, printed and right, beside equation 13 and the planner."""
    law = laboratory.law(FITTED)
    c, params = constants(law), 3e7
    worth = exp(-3 / c["gamma_post"] + c["b"]) * c["C_T"] * params ** -c["gamma_N"]

    def tokens(left: float) -> float:
        def slope(u: float) -> float:
            d = exp(u)
            falls = left * c["B"] * d ** (-c["beta"] - 1)
            return float(falls - worth * c["gamma_D"] * d ** (c["gamma_D"] - 1))

        return exp(root(slope, np.log(1e6), np.log(1e16)))

    closed = (c["beta"] * c["B"] / (c["gamma_D"] * worth)) ** (1 / (c["gamma_D"] + c["beta"]))
    printed, right = tokens(1.0), tokens(c["beta"])
    return found(
        {
            "root over equation 13, printed": printed / closed,
            "root over equation 13": right / closed,
            "root over the planner's critical tokens": right
            / critical_tokens(law, params, "fp -> w3"),
        },
        f"Without beta the root is {printed / closed:.2f} times the tokens of equation 13.",
        (FITTED,),
    )


@check
def kumar_scale(laboratory: Laboratory) -> Finding:
    """Greatest error in steps of rounding with s = Q_p / max |x|, printed and right."""
    x = np.random.default_rng(laboratory.seed).normal(size=4096)
    most, top = 127, np.abs(x).max()
    s, step = most / top, top / most
    printed = np.round(x / s) * s
    right = np.round(x * s) / s
    ours = np.asarray(fake_quantise(x, "int8"))
    return found(
        {
            name: np.abs(each - x).max() / step
            for name, each in (
                ("greatest error in steps, printed", printed),
                ("greatest error in steps", right),
                ("greatest error in steps of isoloss's int8", ours),
            )
        },
        f"As printed {np.mean(printed == 0):.0%} of Gaussian numbers become zero.",
        ("4096 Gaussian numbers",),
    )


@check
def kumar_float_formats(laboratory: Laboratory) -> Finding:
    """Bits of the named float formats, sign included."""
    names = ("E2M0", "E3M0", "E3M2", "E4M2", "E5M2", "E5M6", "E4M1", "E3M1", "E4M0")
    bits = {name: Format.parse(name.lower()).bits for name in names}
    return found(bits, f"E4M1 has {bits['E4M1']:g} bits with its sign.", ("the formats",))
