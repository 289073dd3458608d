"""Which documented columns of a table a fit has no use for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isoloss.fits.sample import POOLED, SAME, Sample
from isoloss.laws import DomainError, Law
from isoloss.runs import COLUMNS

#: Columns that every fit uses: what the law takes, what is excluded, what is one unit.
USED = (
    "params", "tokens", "precision", "loss", "metric", "status", "reason", "loss_se", "seed",
    "sparsity", "group",
)  # fmt: skip


def not_used(sample: Sample, law: Law) -> tuple[str, ...]:
    """The documented columns that hold values which the fit does not look at, in their order.

    Those that only tell runs apart (as lr_peak: which runs are repeats of one cell, and pairs) are
    used for that.
    """
    known = {*USED, *POOLED, *SAME} - {"unique_tokens"}
    if sample.weights is None:
        known -= {"loss_se"}
    out = []
    for column in COLUMNS:
        if column.name in known or column.name not in sample.runs.columns:
            continue
        values = sample.runs[column.name]
        held = any(v is not None for v in values) if values.dtype == object else (
            np.isfinite(values).any()
        )  # fmt: skip
        if held and not (column.name == "unique_tokens" and _repeats(law, sample)):
            out.append(column.name)
    return tuple(out)


def _repeats(law: Law, sample: Sample) -> bool:
    """Whether the law's losses change when tokens are repeated."""
    x = sample.x
    try:
        often, once = (
            law.loss(replace(x, unique_tokens=share * x.tokens)) for share in (0.05, 1.0)
        )
    except DomainError:
        return True
    return not np.allclose(often, once, rtol=1e-12, atol=0)
