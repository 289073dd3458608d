"""The critical data size: the tokens beyond which more of them raise a law's loss."""

from __future__ import annotations

import numpy as np

from isoloss.formats import Precision
from isoloss.plans.checks import one_precision
from isoloss.plans.costs import amount
from isoloss.plans.problems import PlanError
from isoloss.plans.search import (
    LEAST_TOKENS,
    MOST_TOKENS,
    LawLike,
    Loss,
    Member,
    levels_of,
    member_of,
    minimise,
    views_of,
)


def critical_tokens(
    law: LawLike, params: str | float, precision: str | Precision, *, group: str | None = None
) -> float:
    """The tokens of least loss at a size and precision.

    For a base of kappa 1 and one penalty k N^-n D^d it is (beta B N^n / (d k))^(1/(d + beta)).

    Reference: Kumar et al. 2024 (2411.04330), eq. 13; Sun et al. 2025 (2501.02423).

    Parameters
    ----------
    law
        A law, its name, or a fit.
    params
        Count, as 1e9 or "1B".
    precision
        One spelling or Precision, as "fp -> w4".
    group
        Whose constants, where the law has some for each of several groups.

    Returns
    -------
    float
        Tokens; infinite where the loss falls up to 1e20 of them.

    Raises
    ------
    PlanError
        An argument is of the wrong kind, the law is undefined at the precision, or it has no term
        for a part, scope, format or method of it.
    """
    asked = one_precision(precision)
    member = member_of(law, group)
    view = views_of(member, [asked])[0]
    if not view.sees:
        told = "" if view.undefined else ", so its critical tokens are unknown"
        raise PlanError(f"{view.why(member.law.name, asked)}{told}")
    return critical_tokens_of(member, amount(params, "params", "params"), asked)


def critical_of(loss: Loss, params: float) -> float:
    """The tokens of least loss at a size, for any loss; infinite where it falls up to 1e20."""
    size = np.full((1, 1), np.log(params))
    ends = np.full((1, 1), LEAST_TOKENS), np.full((1, 1), MOST_TOKENS)
    best = float(minimise(lambda y: loss(size, y), *ends)[0, 0])
    return float(np.exp(best)) if best < MOST_TOKENS - 1e-6 else float("inf")


def critical_tokens_of(member: Member, params: float, precision: Precision) -> float:
    """The critical tokens of a law that is defined at the precision."""
    levels = levels_of([precision])
    return critical_of(lambda u, y: member.loss(member.values, u, y, levels, None), params)
