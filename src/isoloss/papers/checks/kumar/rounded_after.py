"""Rounding after training in Kumar et al. 2024: figures 1 left, 2, 7, critical tokens, eq. 10."""

from __future__ import annotations

from math import exp, inf, isfinite, log, nan

import numpy as np

from isoloss.laws import Law
from isoloss.papers.checking import check
from isoloss.papers.checks.kumar.formula import FITTED, PRINTED, constants, found, loss_of
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory
from isoloss.plans import critical_tokens
from isoloss.runs import Runs

SMALL = 3e7
SIZES = {"30M": 3e7, "220M": 2.2e8, "8B": 8e9}
#: Sizes and served bits of which the facts have critical tokens.
CRITICAL = (
    ("30M", 3), ("30M", 4), ("30M", 5), ("30M", 6), ("30M", 8),
    ("220M", 3), ("220M", 4), ("8B", 4),
)  # fmt: skip
#: Trained and served bits of weights by the names of the claim on figure 7.
JUMPS = {(4, 4), (4, 6), (4, 3), (6, 4), (3, 2)}


@check
def kumar_upturn(laboratory: Laboratory) -> Finding:
    """Loss of 30M params after rounding, against tokens a param."""
    law, printed = laboratory.law(FITTED), laboratory.law(PRINTED)
    at = {d: loss_of(law, SMALL, d * 1e9, "fp -> w3") for d in (1.5, 6, 26)}
    without = loss_of(printed, SMALL, 26e9, "fp -> w3")
    turn = {b: critical_tokens(law, SMALL, f"fp -> w{b}") / SMALL for b in (3, 4)}
    says = (
        f"In 3 bits the loss is least at {turn[3]:.0f} tokens a param, in 4 at {turn[4]:.0f}; in 3 "
        f"bits it ends at {at[26]:.2f} nats, without b at {without:.2f}."
    )
    rows = [
        {
            "x": float(tokens) / SMALL,
            "y": loss_of(law, SMALL, float(tokens), precision),
            "series": name,
        }
        for name, precision in [("none", "fp")] + [(f"INT{b}", f"fp -> w{b}") for b in (6, 5, 4, 3)]
        for tokens in np.geomspace(1.5e9, 2.62e10, 25)
    ]
    return found(
        {
            "INT3: tokens a param of least loss": turn[3],
            "INT4: tokens a param of least loss": turn[4],
            "INT3 at 1.5B tokens": at[1.5],
            "INT3 at 6B tokens": at[6],
            "INT3 at 26B tokens": at[26],
            "INT3 at 26B tokens, without b": without,
        },
        says,
        (FITTED, PRINTED),
        drawn(
            "rounded after training",
            "Does more pretraining hurt a model that is rounded? 30M params, by the law.",
            rows,
            ("tokens a param", "loss after rounding (nats)"),
            says,
        ),
    )


@check
def kumar_rounding_grows(laboratory: Laboratory) -> Finding:
    """What rounding costs by bits and tokens, and its exponents, from the law's losses."""
    law, printed = laboratory.law(FITTED), laboratory.law(PRINTED)
    gap = {
        (bits, d): float(law.gap(SMALL, d * 1e9, f"fp -> w{bits}"))
        for bits in (3, 4, 5, 6)
        for d in (1.5, 26)
    }
    without = float(printed.gap(SMALL, 26e9, "fp -> w3"))
    larger = float(law.gap(2.2e8, 26e9, "fp -> w3"))
    says = (
        f"Rounding 30M params to 3 bits costs {gap[3, 1.5]:.3f} nats at 1.5B tokens and "
        f"{gap[3, 26]:.3f} at 26B; b is a factor of {gap[3, 26] / without:.2f}."
    )
    return found(
        {f"INT{bits} at {d}B": value for (bits, d), value in gap.items()}
        | {
            "with b over without": gap[3, 26] / without,
            "exponent of tokens": log(gap[3, 26] / gap[3, 1.5]) / log(26 / 1.5),
            "exponent of params": log(larger / gap[3, 26]) / log(2.2e8 / SMALL),
            "bits a factor e": 1 / log(gap[3, 26] / gap[4, 26]),
        },
        says,
        (FITTED, PRINTED),
        drawn(
            "cost of rounding",
            "What does rounding after training cost? By the law.",
            _growth(law),
            ("tokens a param", "loss that rounding adds (nats)"),
            says,
        ),
    )


@check
def kumar_critical(laboratory: Laboratory) -> Finding:
    """Critical tokens by the planner, and as tokens a param."""
    law, printed = laboratory.law(FITTED), laboratory.law(PRINTED)
    tokens = {
        f"{size} INT{bits}": critical_tokens(law, SIZES[size], f"fp -> w{bits}")
        for size, bits in CRITICAL
    }
    a_param = {name: value / SIZES[name.split()[0]] for name, value in tokens.items()}
    without = critical_tokens(printed, SMALL, "fp -> w5") / SMALL
    ours = dict(tokens)
    ours |= {f"{name}, tokens a param": a_param[name] for name in tokens if name != "30M INT8"}
    ours |= {
        "30M INT5, tokens a param, to two digits": a_param["30M INT5"],
        "30M INT5, tokens a param, without b": without,
        "exponent of params": log(tokens["220M INT3"] / tokens["30M INT3"]) / log(220 / 30),
    }
    return found(
        ours,
        f"30M params: {a_param['30M INT3']:.0f} tokens a param in 3 bits, "
        f"{a_param['30M INT5']:.0f} in 5; an 8B model in 4 bits would turn at "
        f"{a_param['8B INT4']:.0f}, which no practice shows: the constants do not carry that far.",
        (FITTED, PRINTED),
    )


@check
def kumar_jump(laboratory: Laboratory) -> Finding:
    """Mean gap of weights trained in some bits and served in others, on the table of isoloss."""
    runs = laboratory.runs("isoloss2026").usable
    ours = {
        f"trained in {trained} bits, served in {served}": _served_gap(runs, trained, served)
        for trained, served in sorted(JUMPS)
    }
    told = ", ".join(
        f"{trained} to {served} bits {_told(each)}"
        for (trained, served), each in zip(sorted(JUMPS), ours.values(), strict=True)
    )
    return Finding(
        ours, f"Mean loss that serving adds, in nats: {told}.", (f"isoloss2026 {runs.hash[:12]}",)
    )


@check
def kumar_interpretable(laboratory: Laboratory) -> Finding:
    """Equation 9, as the law has it, over equation 10, at 6 bits in training and 4 after."""
    law = laboratory.law(PRINTED)
    post = constants(law)["gamma_post"]
    # Equation 10 has neither offsets nor N_eff apart from equation 9; only the bracket differs.
    said = law.at(C_w=1.0)
    exact = law.at(C_w=1.0 / post, gamma_w=post)
    ratio = {}
    for name, each in (("printed", said), ("exact", exact)):
        c = constants(each)
        nine = float(each.gap(1e8, 1e10, "w6 -> w4", "w6"))
        effective = 1e8 * (1 - exp(-6 / c["gamma_w"]))
        size = c["C_T"] * 1e10 ** c["gamma_D"] * effective ** -c["gamma_N"]
        ten = size * (exp(-4 / post) - exp(-6 / c["gamma_w"]))
        ratio[name] = nine / ten
    return found(
        {
            "equation 9 over equation 10, printed": ratio["printed"],
            "equation 9 over equation 10": ratio["exact"],
        },
        f"With C_w = 1 equation 9 is {ratio['printed']:.3f} times equation 10, which is negative "
        "with the gammas of table 2; they are equal only if C_w, 1/gamma_post and 1/gamma_w are.",
        (PRINTED,),
    )


def _growth(law: Law) -> list[dict[str, float | str]]:
    """What rounding adds by tokens a param, bits and size, as rows of a figure."""
    return [
        {
            "x": float(d) / SIZES[size],
            "y": float(law.gap(SIZES[size], float(d), f"fp -> w{bits}")),
            "series": f"INT{bits}",
            "panel": f"{size} params",
        }
        for size in ("30M", "220M")
        for bits in (3, 4, 5, 6)
        for d in np.geomspace(1.5e9, 2.62e10, 9)
    ]


def _told(found: Ours) -> str:
    return f"{found.value:.4f}" if isfinite(found.value) else "not told by the runs"


def _served_gap(runs: Runs, trained: int, served: int) -> Ours:
    """Mean of loss as served less loss as trained over all runs, with its standard error."""
    chosen = runs.where(precision=f"w{trained} -> w{served}")
    gaps = np.asarray(chosen["gap"], dtype=float)
    gaps = gaps[np.isfinite(gaps)]
    if len(gaps) < 2:
        return Ours(nan, inf)
    return Ours(float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(len(gaps))))
