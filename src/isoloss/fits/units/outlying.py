"""Rows far from all others: named with what was observed and predicted, never dropped."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isoloss.fits.sample import Sample
from isoloss.fits.solve import Optimum
from isoloss.fits.warning import ResultWarning, WarningKind
from isoloss.laws import Law
from isoloss.runs import compact

#: Robust standard deviations beyond which a row is far, and how far beyond the next it must be.
FAR, BEYOND = 6.0, 1.5
#: Most rows that are called odd, as a share of all; more are a misfit.
MOST = 0.05
#: A relative residual of this size is rounding, or the solver's.
ROUNDING = 1e-6


def odd_rows(sample: Sample, optimum: Optimum, law: Law) -> Iterator[ResultWarning]:
    """A warning that names the rows whose residuals stand far from all others."""
    residual = optimum.problem.residuals(optimum.theta[None, :])[0]
    if len(residual) < 8:
        return
    middle = float(np.median(residual))
    scale = max(1.4826 * float(np.median(np.abs(residual - middle))), ROUNDING)
    # As many residuals as there are constants may be pulled to nothing.
    scale *= np.sqrt(len(residual) / max(1, len(residual) - len(optimum.theta)))
    size = np.abs(residual - middle) / scale
    order = np.argsort(-size)
    far = [int(k) for k in order if size[k] > FAR]
    most = max(1, int(MOST * len(residual)))
    if not 0 < len(far) <= most or size[far[-1]] < BEYOND * size[order[len(far)]]:
        return
    predicted = law.loss(sample.x)
    x = sample.x
    named = "; ".join(
        f"{compact(x.params[k])} params on {compact(x.tokens[k])} tokens in "
        f"{x.levels.items[x.level[k]]}: observed {sample.loss[k]:.4g}, predicted {predicted[k]:.4g}"
        f" ({size[k]:.0f} robust standard deviations)"
        for k in far[:3]
    )
    more = f" and {len(far) - 3} more" if len(far) > 3 else ""
    many = "one run lies" if len(far) == 1 else f"{len(far)} runs lie"
    yield ResultWarning(
        WarningKind.ODD_ROW,
        f"{many} far from all others, the next at {size[order[len(far)]]:.1f}: {named}{more}; "
        "nothing was dropped",
    )
