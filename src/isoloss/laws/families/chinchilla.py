"""Hoffmann's law and those of the same form, E + A/N^alpha + B/D^beta, which know no precision."""

from __future__ import annotations

from isoloss.laws.formula import Composed
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box

ORDER = 10

#: The 240 runs that the replication keeps; those of the paper are the same figure's.
HOFFMANN_RUNS = Box((5.7e7, 1.62e10), (8.2e8, 3.2e11), (0.45, 342), "bf16")


def laws() -> tuple[Law, ...]:
    """The form, free and with alpha = beta; Hoffmann et al. as published and replicated; Gadre."""
    form = Law(
        "chinchilla",
        Composed(),
        title="Hoffmann's form, to be fitted",
        source="2203.15556, section 3.3",
        evidence="P",
    ).fix(kappa=1.0)
    tied = Law(
        "chinchilla_tied",
        Composed(),
        title="Hoffmann's form with one exponent for params and tokens, to be fitted",
        source="2305.16264",
        evidence="C",
    )
    return form, tied.fix(kappa=1.0).tie("beta", "alpha"), _hoffmann(), _epoch(), _gadre()


def _hoffmann() -> Law:
    return Law(
        "hoffmann2022",
        Composed(),
        {"A": 406.4, "alpha": 0.33917, "B": 410.7, "beta": 0.28491, "E": 1.6934},
        title="Hoffmann et al. 2022, approach 3, unrounded",
        source="2203.15556, eq. 10; unrounded constants from the code of 2404.10102",
        evidence="C",
        box=HOFFMANN_RUNS,
        notes=(
            "the fit stopped early: its split of compute (59 tokens per param at 5.76e23 flop) "
            "is not that of the paper's other approaches; epoch2024 is the replication",
        ),
    ).fix(kappa=1.0)


def _epoch() -> Law:
    return Law(
        "epoch2024",
        Composed(),
        {"A": 482.006, "alpha": 0.34781, "B": 2085.434, "beta": 0.36585, "E": 1.81686},
        title="Besiroglu et al. 2024, replication of Hoffmann's approach 3",
        source="2404.10102, code",
        evidence="C",
        box=HOFFMANN_RUNS,
        notes=(
            "runs read off a figure; standard errors: A 124.5, alpha 0.0154, B 1293.3, "
            "beta 0.0206, E 0.0257, alpha/(alpha+beta) 0.020",
        ),
    ).fix(kappa=1.0)


def _gadre() -> Law:
    law = Law(
        "gadre2024",
        Composed(),
        title="Gadre et al. 2024, over-training, to be fitted",
        source="2403.08540, code",
        evidence="C",
        box=Box((1.1e7, 6.9e9), (5.5e7, 9e11), (5, 640), "bf16"),
        notes=("written in compute and tokens per param there: the same form with alpha = beta",),
    )
    return law.fix(kappa=1.0).tie("beta", "alpha")
