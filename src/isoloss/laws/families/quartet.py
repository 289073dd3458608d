"""Quartet's law: the format of the forward pass costs params, that of the backward pass tokens."""

from __future__ import annotations

from isoloss.laws.constant import scale
from isoloss.laws.families.frantar import EFF
from isoloss.laws.formula import Composed
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box
from isoloss.laws.terms import Table

ORDER = 100

EFF_TOKENS = scale("eff_D", "effective over nominal tokens", 1e-3, 2.0, (0.2, 1.0))
FORWARD = {
    "w:mxfp4~sr a:mxfp4~sr": 0.42,
    "w:mxfp4 a:mxfp4": 0.59,
    "w:mxfp4@quest a:mxfp4@quest": 0.64,
    "w:mxfp4@quartet a:mxfp4@quartet": 0.65,
    "w4@luq a4@luq": 0.49,
    "w:e2m1@luq a:e2m1@luq": 0.01,
}
BACKWARD = {
    "g:mxfp4~sr": 0.88,
    "g:mxfp4": 0.93,
    "g:mxfp4@quest": 0.83,
    "g:mxfp4@quartet": 0.95,
    "g4@luq": 0.15,
    "g:e2m1@luq": 0.07,
}


def laws() -> tuple[Law, ...]:
    """The base on bf16 runs, then the factors on it: two stages, as printed in version 4."""
    formula = Composed(
        params_factor=(Table(("w", "a"), EFF, tuple(FORWARD)),),
        tokens_factor=(Table(("g",), EFF_TOKENS, tuple(BACKWARD)),),
    )
    factors = {f"eff[{level}]": value for level, value in FORWARD.items()}
    factors |= {f"eff_D[{level}]": value for level, value in BACKWARD.items()}
    return (
        Law(
            "quartet2025",
            formula,
            {"A": 1.52e5, "alpha": 0.589, "B": 5.25e5, "beta": 0.544, "E": 1.35, "kappa": 0.274}
            | factors,
            title="Castro et al. 2025 (Quartet), MXFP4 forward and backward",
            source="2505.14669v4; @quartet and @luq are whole recipes, the rest one pass alone",
            evidence="P",
            box=Box(
                (3e7, 8e8), (7.5e8, 1.3e12), (25, 1600), "mxfp4 forward (w, a) and backward (g)"
            ),
            notes=(
                "the notebook's unrounded base: A 127445, alpha 0.5785, B 465834, beta 0.5389, E "
                "1.3408, kappa 0.2764",
                "plain mxfp4 is nearest rounding; versions before 4 had stochastic rounding "
                "ahead of it by a bug",
            ),
        ),
    )
