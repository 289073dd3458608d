"""The gap that a recipe is expected to have along training, with its doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from isoloss.files import real_number
from isoloss.fits.arguments import FitError, shown
from isoloss.fits.predicting import predict
from isoloss.fits.warning import ResultWarning
from isoloss.laws import Array

#: Tokens at which a fit is asked, between which its gap is interpolated.
POINTS = 48


@dataclass(frozen=True, eq=False)
class Expectation:
    """An expected gap by tokens.

    Attributes
    ----------
    said
        Where it is from, in words.
    tokens
        Ascending, shape (n,); one point holds at all tokens.
    gap, low, high
        The gap and the ends of its interval, nats per token, shape (n,).
    warnings
        What a fit does not tell of these points.
    """

    said: str
    tokens: Array
    gap: Array
    low: Array
    high: Array
    warnings: tuple[ResultWarning, ...] = ()

    def at(self, tokens: Array) -> tuple[Array, Array, Array]:
        """Gap and ends of the interval at some tokens, linear in their logarithm between points."""
        with np.errstate(divide="ignore"):  # no tokens yet: what holds at the first point
            known, asked = np.log(self.tokens), np.log(tokens)
        gap, low, high = (np.interp(asked, known, e) for e in (self.gap, self.low, self.high))
        return gap, low, high

    @property
    def grows(self) -> bool:
        """Whether it says how the gap changes with tokens."""
        return len(self.tokens) > 1


def given_gap(expected: Any, error: Any, alarm: float) -> Expectation:
    """A gap that is given with its standard error; FitError where either is no number or the error
    is not said.
    """
    if not np.isfinite(real_number(expected)):
        raise FitError(f"expected is {shown(expected)}; it is a gap in nats per token, as 0.02")
    if error is None:
        raise FitError(
            f"the expected gap {float(expected):g} has no standard error; give it (--error), as "
            "0.005, or 0 for a bound"
        )
    if not 0 <= real_number(error) < np.inf:
        raise FitError(f"error is {shown(error)}; it is a standard error of zero or more")
    reach = float(stats.norm.ppf(1 - alarm / 4)) * float(error)
    gap = np.array([float(expected)])
    said = f"given, {float(expected):g} +- {float(error):g}"
    return Expectation(said, np.ones(1), gap, gap - reach, gap + reach)


def predicted_gap(
    law: Any, params: Any, precision: Any, span: tuple[float, float], alarm: float
) -> Expectation:
    """The gap that a fit predicts between two counts of tokens, for a new run; FitError where its
    params or precision are not given, or it has no interval there.
    """
    for name, value in (("params", params), ("precision", precision)):
        if value is None:
            raise FitError(f"a fit predicts the gap of a model; give its {name} (--{name})")
    tokens = np.geomspace(*span, POINTS)
    found = predict(law, params, tokens, precision, gap=True, level=1 - alarm / 2, of="run")
    if np.isnan(found.low).any():
        why = next(each for each in found.absent if each is not None)
        at = float(tokens[int(np.isnan(found.low).argmax())])
        raise FitError(
            f"the predicted gap of '{precision}' has no interval at {at:.3g} tokens ({why}); give "
            "a fit that holds it, or a gap with its error (--expected, --error)"
        )
    said = f"predicted for {precision} by a fit"
    return Expectation(said, tokens, found.loss, found.low, found.high, found.warnings)
