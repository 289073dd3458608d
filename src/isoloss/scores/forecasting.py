"""The verb ``forecast``: what a fit predicts of runs that are not there yet, to be frozen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from isoloss.files import shown_value
from isoloss.fits import Comparison, Fit, Prediction, WarningKind, predict
from isoloss.formats import Precision
from isoloss.laws import Array, Law
from isoloss.scores.distribution import PROBABILITIES
from isoloss.scores.frozen_forecast import Forecast, forecast_of_quantiles
from isoloss.scores.problems import ScoreError

#: Warnings that name what a law has no constants or no term for.
LACKING = (WarningKind.NOT_IN_DATA, WarningKind.UNSEEN_PARTS)


def forecast(
    fit: Fit | Comparison | Any,
    params: ArrayLike,
    tokens: ArrayLike,
    precision: str | Precision | Sequence[str | Precision] = "fp",
    *,
    gap: bool = False,
    note: str = "",
) -> Forecast:
    """What a fit predicts of new runs, as a forecast that `Forecast.save` freezes.

    Parameters
    ----------
    fit
        A fit or a comparison; a law alone has no doubt to be scored by.
    params, tokens, precision
        The points, as `predict` takes them: they broadcast.
    gap
        The loss less that of the same model without rounding.
    note
        Anything that the reader should know, as where the runs will be made.

    Returns
    -------
    Forecast
        Quantiles of a new run at every point; losses hold its noise, gaps of a fit of losses are of
        the law's mean.

    Raises
    ------
    ScoreError
        It is no fit, a point has no interval or stands twice, a gap is that of the reference
        itself, or the note is no text.
    FitError, DomainError
        As `predict`.
    """
    if isinstance(fit, Law | str) or not isinstance(fit, Fit | Comparison):
        raise ScoreError(
            f"cannot freeze a forecast of {shown_value(fit)}; give a fit or a comparison, whose "
            "predictions have intervals"
        )
    if not isinstance(note, str):
        raise ScoreError(f"note is {shown_value(note)}; it is text")
    count = len(PROBABILITIES) // 2
    levels = [PROBABILITIES[-1 - k] - PROBABILITIES[k] for k in range(count)]
    found = [predict(fit, params, tokens, precision, gap=gap, level=round(level, 9))
             for level in levels]  # fmt: skip
    _check_told(found[0])
    if gap:
        _check_rounded(found[0].precision)
    lows, highs = [each.low for each in found], [each.high for each in found]
    quantiles = np.stack([*lows, *highs[::-1]], axis=1)
    first = found[0]
    return forecast_of_quantiles(
        first.params,
        first.tokens,
        first.precision,
        first.loss,
        _apart(quantiles),
        _by(fit),
        quantity="gap" if gap else "loss",
        metric=first.metric,
        data=_table(fit),
        warnings=[str(each) for each in first.warnings],
        note=note,
    )


def _check_told(found: Prediction) -> None:
    """Raise ScoreError for a point without an interval."""
    for n, d, precision, absent in zip(
        found.params, found.tokens, found.precision, found.absent, strict=True
    ):
        if absent is not None:
            raise ScoreError(
                f"{n:.3g} params on {d:.3g} tokens in '{precision}' have no interval ({absent}"
                f"{_why(found, precision)}), so that no outcome could score it; leave the point out"
            )


def _why(found: Prediction, precision: str) -> str:
    """What a law lacks for a precision, as its warnings name it; "" where they do not."""
    told = [w.text for w in found.warnings if w.kind in LACKING and f"'{precision}'" in w.text]
    return "".join(f": {each}" for each in told[:1])


def _check_rounded(precisions: Sequence[str]) -> None:
    """Raise ScoreError for a gap of the reference itself."""
    for each in precisions:
        if Precision.parse(each).is_wide:
            raise ScoreError(
                f"the gap of '{each}' is zero by definition: it is the reference that gaps are "
                "measured from; leave it out, or forecast its loss"
            )


def _apart(quantiles: Array) -> Array:
    """Quantiles that rise, in rows: equal ones, as of few draws, a billionth of the loss apart."""
    least = 1e-9 * np.maximum(1.0, np.abs(quantiles).max())
    order = np.maximum.accumulate(quantiles, axis=1)
    return np.asarray(order + least * np.arange(quantiles.shape[1]))


def _by(fit: Fit | Comparison) -> dict[str, float]:
    return {fit.law.name: 1.0} if isinstance(fit, Fit) else dict(fit.weights)


def _table(fit: Fit | Comparison) -> str:
    return fit.facts.hash if isinstance(fit, Fit) else fit.best.facts.hash
