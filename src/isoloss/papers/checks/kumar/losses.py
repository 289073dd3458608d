"""Losses of Kumar's law on the grid of the runs: figures 3 centre, 4 and 5, and the base."""

from __future__ import annotations

from math import sqrt

import numpy as np

from isoloss.papers.checking import check
from isoloss.papers.checks.kumar.formula import (
    EXPLAINED,
    FITTED,
    SQUARED,
    factors,
    found,
    loss_of,
    root,
)
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory

SIZES = {"30M": 3e7, "60M": 6e7, "110M": 1.1e8, "220M": 2.2e8}


@check
def kumar_base_losses(laboratory: Laboratory) -> Finding:
    """Losses of unrounded models."""
    law = laboratory.law(FITTED)
    ours = {
        f"{name} on {tokens}B": float(law(params, tokens * 1e9, "fp"))
        for name, params in SIZES.items()
        for tokens in (1.5, 3, 6, 13, 26)
    }
    return found(
        ours,
        f"From {min(ours.values()):.3f} to {max(ours.values()):.3f} nats.",
        (FITTED,),
    )


@check
def kumar_axis(laboratory: Laboratory) -> Finding:
    """Losses with weights in 3 to 8 bits at four sizes and three lengths."""
    law = laboratory.law(FITTED)
    loss = {
        (name, d, bits): float(law(params, d * 1e9, f"w{bits}"))
        for name, params in SIZES.items()
        for d in (3.3, 13.1, 26.2)
        for bits in range(3, 9)
    }
    rows = [
        {"x": float(bits), "y": value, "series": name, "panel": f"{d}B tokens"}
        for (name, d, bits), value in loss.items()
    ]
    losses = list(loss.values())
    says = f"The losses lie between {min(losses):.3f} and {max(losses):.3f} nats."
    return found(
        {"least": min(losses), "greatest": max(losses)},
        says,
        (FITTED,),
        drawn(
            "weights in few bits",
            "How does the loss fall with the bits of weights? By the law.",
            rows,
            ("bits of weights", "loss (nats)"),
            says,
        ),
    )


@check
def kumar_contours(laboratory: Laboratory) -> Finding:
    """Params of equal loss at 3, 8 and 12 bits of weights on 13B tokens."""
    law, tokens = laboratory.law(FITTED), 13e9
    goal = float(law(3e7, tokens, "w12"))

    def params_at(bits: int) -> float:
        log_params = root(
            lambda u: float(law(float(np.exp(u)), tokens, f"w{bits}")) - goal,
            np.log(1e7),
            np.log(1e9),
        )
        return float(np.exp(log_params))

    at = {bits: params_at(bits) for bits in (3, 8, 12)}
    w = factors(law)["w"]
    says = (
        f"Weights in 3 bits need {at[3] / at[12]:.3f} times the params of 12, in 8 bits "
        f"{at[8] / at[12]:.3f} times."
    )
    rows = [
        {"x": float(bits), "y": params / w(bits), "series": f"{loss:.2f} nats"}
        for loss, params in ((loss_of(law, n, tokens), n) for n in (3e7, 5e7, 1e8))
        for bits in range(3, 13)
    ]
    return found(
        {
            "params at 3 bits over those at 12": at[3] / at[12],
            "params at 8 bits over those at 12": at[8] / at[12],
            "the same from effective params alone": w(12) / w(3),
        },
        says,
        (FITTED,),
        drawn(
            "lines of equal loss",
            "How many params make up for fewer bits of weights? 13B tokens, by the law.",
            rows,
            ("bits of weights", "params"),
            says,
        ),
    )


@check
def kumar_errors(laboratory: Laboratory) -> Finding:
    """What the printed R2 and mean squared errors of figure 5 say of each other."""
    error = {name: sqrt(value) for name, value in SQUARED.items()}
    variance = {name: SQUARED[name] / (1 - EXPLAINED[name]) for name in SQUARED}
    return found(
        {
            "error of the fit of weights": error["weights"],
            "error of the joint fit": error["joint"],
            "error of the product over that of the joint fit": error["product"] / error["joint"],
            "variance of the losses from R2 and MSE, joint over product": variance["joint"]
            / variance["product"],
        },
        f"Errors of {error['weights']:.3f}, {error['joint']:.3f} and {error['product']:.3f} nats; "
        f"joint and product fit losses of the same variance, {variance['joint']:.4f}.",
        ("printed R2 and MSE",),
    )
