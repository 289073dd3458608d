"""The verb ``predict``: a loss from a fit, a comparison, a law or a law's name."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from isoloss.fits.arguments import FitError, Of, check_level, check_of, shown
from isoloss.fits.compare_laws import Comparison
from isoloss.fits.doubt import Prediction, in_parts, points, prediction_of_law
from isoloss.fits.law_arguments import LawLike
from isoloss.fits.result import Fit
from isoloss.formats import Precision
from isoloss.laws import Law, as_law


def predict(
    law: LawLike | Comparison,
    params: ArrayLike,
    tokens: ArrayLike,
    precision: str | Precision | Sequence[str | Precision] = "fp",
    *,
    level: float | None = None,
    of: Of = "run",
    group: str | None = None,
    sparsity: str | None = None,
    unique_tokens: ArrayLike | None = None,
) -> Prediction:
    """The predicted loss in the metric of the law: of a fit or a comparison with its interval.

    Parameters
    ----------
    law
        A fit, a comparison, a law or the name of one; a bare law has no interval.
    params, tokens
        Counts, or texts such as "1.3B"; they broadcast, with precision too.
    precision
        One spelling, or one for each point.
    level
        Coverage of the interval, 0.9 = 90%; by default that of the fit or comparison.
    of
        "run" for a new run, seed noise and misfit included; "mean" for the law's mean.
    group
        Whose base, where a fit has one for each group.
    sparsity
        Sparsity of the weights, as "2:4".
    unique_tokens
        The different tokens among those seen; None: none is seen twice. Laws without a term for
        repeated tokens take the map of muennighoff2023, and a warning says so.

    Returns
    -------
    Prediction
        Losses with intervals and warnings.

    Raises
    ------
    DomainError
        The law is not defined at a point.
    ValueError
        No law has this name, or an argument is not accepted (FitError).
    """
    if not isinstance(law, str | Law | Fit | Comparison):
        raise FitError(
            f"cannot predict from {shown(law)}; give a fit, a comparison, a law or the name of one"
        )
    check_of(of)
    level = None if level is None else check_level(level)
    x = points(params, tokens, precision, group, sparsity, unique_tokens)
    if isinstance(law, Fit | Comparison):
        return law.predict_inputs(x, level, of)
    known, wanted = as_law(law), 0.9 if level is None else level
    return in_parts(x, lambda some: prediction_of_law(known, some, wanted))
