"""Models of equal params times bits: Kumar et al. 2024, figure 6 left."""

from __future__ import annotations

import polars as pl

from isoloss.linear import Study
from isoloss.papers.checking import check
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.laboratory import Laboratory

#: Params of the five models by their bits, N P = 7.04e9 (figure 6).
SIZES = {4: 1.76e9, 6: 1.1733e9, 8: 0.88e9, 16: 0.44e9, 32: 0.22e9}
TOKENS = 16e9


@check
def equal_bits(laboratory: Laboratory) -> Finding:
    """Loss of the five models of equal params times bits on 16B tokens, by the law."""
    law = laboratory.law("kumar2024")
    loss = {
        bits: float(law(params, TOKENS, f"w{bits} a{bits} kv{bits}"))
        for bits, params in SIZES.items()
    }
    best = min(loss, key=lambda bits: loss[bits])
    return Finding(
        ours={f"INT{bits}": Ours(value) for bits, value in loss.items()} | {"best": Ours(best)},
        says=f"The loss is least at {best} bits, {loss[best]:.3f} nats.",
        rests_on=("kumar2024",),
        figure=Study(
            name="equal bits",
            question="Which precision is best where params times bits are equal? 16B tokens.",
            table=pl.DataFrame(
                {"bits": list(loss), "loss": list(loss.values()), "series": "ours", "panel": ""}
            ),
            x="bits",
            y="loss",
            series="series",
            panel="panel",
            labels=("bits of every part", "loss (nats)"),
            answer=(f"Least at {best} bits.",),
        ),
    )
