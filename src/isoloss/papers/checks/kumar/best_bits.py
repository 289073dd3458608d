"""The best precision where params, tokens and bits are chosen together: Kumar et al. 2024, 4.3."""

from __future__ import annotations

from math import sqrt

import numpy as np

from isoloss.formats import as_precision
from isoloss.linear import Study
from isoloss.papers.checking import check
from isoloss.papers.checks.kumar.formula import (
    FITTED,
    PRINTED,
    SQUARED,
    best_bits_of,
    constants,
    factors,
    found,
    in_bits,
    loss_of,
    mean_factor,
    product,
    root,
)
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory
from isoloss.plans import MFU, Choice, RealBits, as_machine, best_bits, plan, rate_of

ALL = in_bits(8)
COMPUTE = 1e20
BITS = (4, 5, 6, 7, 8, 10, 12, 16, 32)


@check
def kumar_offsets(laboratory: Laboratory) -> Finding:
    """The bits of largest f/P with +n, without n, and with -n; by formula and by the planner."""
    law, printed = laboratory.law(FITTED), laboratory.law(PRINTED)
    whole, none = factors(law), factors(printed)
    minus = factors(law, sign=-1.0)
    grid = np.linspace(0.05, 20, 400)
    elastic = max(sum(f.elasticity(float(bits)) for f in minus.values()) for bits in grid)
    best, tied = best_bits_of(whole.values()), best_bits_of([mean_factor(law)] * 3)
    short, short_tied = best_bits_of(none.values()), best_bits_of([mean_factor(printed)] * 3)
    says = (
        f"With the offsets the best is {best:.2f} bits ({tied:.2f} with one mean gamma and n), "
        f"without {short:.2f} ({short_tied:.2f}); with the other sign fewer bits are always better."
    )
    return found(
        {
            "best bits, +n": best,
            "best bits, +n, one mean gamma and n": tied,
            "best bits of the planner": _planned(laboratory, FITTED, 1e18).bits,
            "best bits, no n": short,
            "best bits, no n, one mean gamma": short_tied,
            "greatest elasticity of f, -n": elastic,
        },
        says,
        (FITTED, PRINTED),
        _figure_of_offsets(laboratory, says),
    )


@check
def kumar_misread(laboratory: Laboratory) -> Finding:
    """The best bits of the law as printed."""
    law = laboratory.law(PRINTED)
    mean = mean_factor(law)
    x = root(lambda x: np.exp(x) - 1 - 3 * x, 0.5, 5.0)
    best = best_bits_of(factors(law).values())
    tied = best_bits_of([mean] * 3)
    return found(
        {
            "three gammas": best,
            "three gammas, by the planner": _planned(laboratory, PRINTED, 1e18).bits,
            "mean gamma": mean.gamma,
            "one mean gamma": tied,
            "x of exp(x) - 1 = 3 x": x,
        },
        f"As printed the law is best at {best:.2f} bits, with one mean gamma at {tied:.2f}.",
        (PRINTED,),
    )


@check
def kumar_any_compute(laboratory: Laboratory) -> Finding:
    """The best plan at three budgets, eight decades apart."""
    best = {c: _planned(laboratory, FITTED, c) for c in (1e18, 1e22, 1e26)}
    formula = best_bits_of(factors(laboratory.law(FITTED)).values())
    first, last = best[1e18], best[1e26]
    return found(
        {"bits of largest f/P": formula}
        | {f"at {c:.0e} FLOPs".replace("+", ""): each.bits for c, each in best.items()}
        | {
            "params at 1e18 FLOPs": first.params,
            "exponent of params": np.log(last.params / first.params) / np.log(1e8),
            "tokens a param at 1e18 FLOPs": first.tokens / first.params,
            "tokens a param at 1e26 FLOPs": last.tokens / last.params,
        },
        f"{first.bits:.4f} bits at 1e18 FLOPs and {last.bits:.4f} at 1e26.",
        (FITTED,),
    )


@check
def kumar_flat(laboratory: Laboratory) -> Finding:
    """Reducible loss at equal compute by bits, over that of 16 bits, by the planner."""
    law = laboratory.law(FITTED)
    floor = constants(law)["E"]
    choices = _choices(laboratory)
    over = {b: (choices[b].loss - floor) / (choices[16].loss - floor) for b in BITS}
    near = max(over[6], over[7], over[8]) / min(over.values())
    worth = (product(law, 7) / 7) / (product(law, 16) / 16)
    says = (
        f"7 bits leave {over[7]:.3f} of the reducible loss of 16 bits, 4 bits {over[4]:.3f}; 6 to "
        f"8 bits lie within {near - 1:.1%} of the best."
    )
    rows = [{"x": float(b), "y": over[b], "series": "ours"} for b in BITS]
    return found(
        {f"{b} bits": value for b, value in over.items() if b != 16}
        | {
            "worst of 6 to 8 bits over the best": near,
            "compute that 7 bits are worth over 16": worth,
        },
        says,
        (FITTED,),
        drawn(
            "flat optimum",
            "How much does the precision matter? Best params and tokens at equal compute.",
            rows,
            ("bits of every part", "reducible loss over that of 16 bits"),
            says,
        ),
    )


@check
def kumar_resolved(laboratory: Laboratory) -> Finding:
    """The gain of 7 over 16 bits beside the error of the joint fit."""
    choices = _choices(laboratory)
    gain = choices[16].loss - choices[7].loss
    error = sqrt(SQUARED["joint"])
    return found(
        {"gain at 1e20 FLOPs": gain, "gain over the error of the joint fit": gain / error},
        f"The gain is {gain:.3f} nats, the error of a run under the joint fit {error:.3f}: the "
        "optimum rests on the shape of the law and not on differences that single runs show.",
        (FITTED,),
    )


@check
def kumar_sizes_at_bits(laboratory: Laboratory) -> Finding:
    """Best params and tokens at fixed bits over those of 16 bits: planner and formula."""
    law = laboratory.law(FITTED)
    planned = {bits: _over_16(laboratory, bits) for bits in (4, 6, 8, 32)}
    apart = 0.0
    for bits, (params, tokens) in planned.items():
        f, bits_over = product(law, bits) / product(law, 16), bits / 16
        # alpha = beta: both exponents are one half.
        apart = max(apart, abs(params - (f * bits_over) ** -0.5))
        apart = max(apart, abs(tokens - (f / bits_over) ** 0.5))
    ours = {f"params at {bits} bits": each[0] for bits, each in planned.items()}
    ours |= {f"tokens at {bits} bits": each[1] for bits, each in planned.items()}
    return found(
        ours | {"greatest difference of planner and formula": apart},
        f"Planner and corrected formula differ by at most {apart:.0e}.",
        (FITTED,),
    )


@check
def kumar_fewer_tokens(laboratory: Laboratory) -> Finding:
    """Whether the best tokens fall as bits fall."""
    four, eight = _over_16(laboratory, 4), _over_16(laboratory, 8)
    return found(
        {
            "params at 8 bits": eight[0],
            "params at 4 bits": four[0],
            "tokens at 4 bits": four[1],
            "tokens at 8 bits": eight[1],
        },
        f"Best tokens go as sqrt(f/P), which peaks at the best bits: {eight[1]:.2f} times those of "
        f"16 bits at 8, {four[1]:.2f} times at 4.",
        (FITTED,),
    )


@check
def kumar_four_bits(laboratory: Laboratory) -> Finding:
    """Params that make up for training everything in 4 bits."""
    law, printed = laboratory.law(FITTED), laboratory.law(PRINTED)
    needed = {bits: product(law, bits) / product(law, 4) for bits in (8, 16)}
    without = product(printed, 16) / product(printed, 4)
    return found(
        {
            "against 16 bits": needed[16],
            "against 8 bits": needed[8],
            "against 16 bits, without offsets": without,
        },
        f"{needed[16]:.2f} times the params with the offsets, {without:.2f} times without.",
        (FITTED, PRINTED),
    )


@check
def kumar_four_bits_misread(laboratory: Laboratory) -> Finding:
    """Params that make up for 4 bits by the law as printed."""
    law = laboratory.law(PRINTED)
    rho = [float(law.factors(in_bits(bits))[0][0]) for bits in (16, 4)]
    return found(
        {"against 16 bits": rho[0] / rho[1]},
        f"As printed, {rho[0] / rho[1]:.2f} times the params.",
        (PRINTED,),
    )


@check
def kumar_cost(laboratory: Laboratory) -> Finding:
    """What the planner's choices cost by 6/16 N D P and by 6 N D."""
    choices = _choices(laboratory)
    spent = {b: 6 / 16 * choices[b].params * choices[b].tokens * b / COMPUTE for b in (7, 16)}
    at_16 = 6 * choices[16].params * choices[16].tokens / COMPUTE
    return found(
        {
            "6/16 N D P over the budget at 7 bits": spent[7],
            "6 N D over the budget at 16 bits": at_16,
        },
        "Plans on 'linear-bits' spend 6/16 N D P, which is 6 N D at 16 bits.",
        (FITTED, "the planner's 'linear-bits'"),
    )


@check
def kumar_machine_cost(laboratory: Laboratory) -> Finding:
    """How much faster an H100 trains in 8 and 4 bits than in 16, over what linear in bits says."""
    # At its peaks: one share of them in every class of formats.
    machine = as_machine("h100").with_mfu({"all": MFU})
    gain = {
        bits: 1.0 / rate_of(machine, as_precision(f"w{bits} a{bits} kv{bits} g{bits}")).cost
        for bits in (8, 4)
    }
    return found(
        {f"{bits} bits: gain of the rate over 16/{bits}": gain[bits] * bits / 16 for bits in gain},
        f"At its peaks an H100 trains {gain[8]:.2f} times as fast in 8 bits as in 16, and "
        f"{gain[4]:.2f} times in 4.",
        ("datasheet of the H100",),
    )


@check
def kumar_equal_cost(laboratory: Laboratory) -> Finding:
    """N in 16 bits against 2 N in 8, on 16B tokens."""
    law = laboratory.law(FITTED)
    gains = {
        name: loss_of(law, params, 16e9, in_bits(16)) - loss_of(law, 2 * params, 16e9, in_bits(8))
        for name, params in (("220M", 220e6), ("880M", 880e6))
    }
    over = 2 * product(law, 8) / product(law, 16)
    return found(
        {
            "220M: loss in 16 bits less loss of 440M in 8": gains["220M"],
            "880M: loss in 16 bits less loss of 1.76B in 8": gains["880M"],
            "effective params, 2 N in 8 bits over N in 16": over,
        },
        f"2 N params in 8 bits have {over:.2f} times the effective params of N in 16.",
        (FITTED,),
    )


def _planned(laboratory: Laboratory, law: str, compute: float) -> RealBits:
    """The planner's best real bits of all parts."""
    return laboratory.once(
        ("best bits", law, compute),
        lambda: best_bits(laboratory.law(law), compute, "linear-bits", precision=ALL),
    )


def _choices(laboratory: Laboratory) -> dict[int, Choice]:
    """The planner's choice in each of several precisions at 1e20 FLOPs, far beyond the runs."""

    def planned() -> dict[int, Choice]:
        each = [
            plan(
                laboratory.law(FITTED),
                COMPUTE,
                "linear-bits",
                precision=[in_bits(bits)],
                extrapolate=True,
            ).choices[0]
            for bits in BITS
        ]
        return dict(zip(BITS, each, strict=True))

    return laboratory.once(("kumar choices",), planned)


def _over_16(laboratory: Laboratory, bits: int) -> tuple[float, float]:
    """Best params and tokens over those of 16 bits."""
    choices = _choices(laboratory)
    this, other = choices[bits], choices[16]
    return this.params / other.params, this.tokens / other.tokens


def _figure_of_offsets(laboratory: Laboratory, says: str) -> Study:
    """f(P)/P against bits, with and without offsets."""
    rows = []
    for series, name in (("with offsets", FITTED), ("without offsets", PRINTED)):
        each = factors(laboratory.law(name))
        top = best_bits_of(each.values())
        best = product(laboratory.law(name), top) / top
        low = max(f.zero for f in each.values()) + 0.3
        rows += [
            {
                "x": float(bits),
                "y": product(laboratory.law(name), float(bits)) / bits / best,
                "series": series,
            }
            for bits in np.linspace(max(low, 1.0), 16, 120)
        ]
    return drawn(
        "best bits",
        "Which precision buys the most effective params for its cost? f(P)/P over its largest.",
        rows,
        ("bits of every part", "effective params for the cost, over the best"),
        says,
    )
