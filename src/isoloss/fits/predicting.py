"""The verb ``predict``: a loss from a fit, a comparison, a law or a law's name."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from isoloss.fits.compare_laws import Comparison
from isoloss.fits.doubt import Of, Prediction, of_law, points
from isoloss.fits.result import Fit
from isoloss.formats import Precision
from isoloss.laws import Law, preset


def predict(
    thing: Fit | Comparison | Law | str,
    params: ArrayLike,
    tokens: ArrayLike,
    precision: str | Precision | Sequence[str | Precision] = "fp",
    *,
    level: float = 0.9,
    of: Of = "run",
    group: str | None = None,
    sparsity: str | None = None,
) -> Prediction:
    """The predicted loss in nats; of a fit or a comparison with its interval, of a bare law without.

    Params and tokens are counts or texts such as "1.3B". Raises DomainError where the law is not defined, ValueError
    for an unknown law.
    """
    if isinstance(thing, Fit | Comparison):
        return thing.predict(
            params, tokens, precision, level=level, of=of, group=group, sparsity=sparsity
        )
    law = preset(thing) if isinstance(thing, str) else thing
    return of_law(law, points(params, tokens, precision, group, sparsity), level)
