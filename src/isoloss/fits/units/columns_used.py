"""Which documented columns of a table a fit has no use for."""

from __future__ import annotations

from isoloss.fits.sample import POOLED, SAME, Sample
from isoloss.laws import Law, sees_repetition
from isoloss.runs import COLUMNS

#: Columns that every fit uses: what the law takes, what is excluded, what is one unit.
USED = (
    "params", "tokens", "precision", "loss", "metric", "status", "reason", "loss_se", "seed",
    "sparsity", "group",
)  # fmt: skip


def not_used(sample: Sample, law: Law, by_errors: bool) -> tuple[str, ...]:
    """The documented columns that hold values which the fit does not look at, in their order.

    ``by_errors`` says that rows are weighted by loss_se. Those of `tell_apart` are left out.
    """
    known = {*USED, *POOLED, *SAME} - {"unique_tokens"}
    if not by_errors:
        known -= {"loss_se"}
    out = []
    for column in COLUMNS:
        if column.name in known or column.name not in sample.runs.columns:
            continue
        if _words(sample, column.name) and not (
            column.name == "unique_tokens" and sees_repetition(law)
        ):
            out.append(column.name)
    return tuple(out)


def tell_apart(sample: Sample) -> tuple[str, ...]:
    """The columns that vary and only say which runs are repeats of one cell, and pairs."""
    return tuple(
        name for name in SAME
        if name not in ("source", "unique_tokens") and len(_words(sample, name)) > 1
    )  # fmt: skip


def _words(sample: Sample, name: str) -> set[str]:
    """The values that a column holds, as text, without unknown ones."""
    if name not in sample.runs.columns:
        return set()
    return {str(v) for v in sample.runs[name]} - {"None", "nan"}
