"""All and active params of a mixture of experts, from a shape or from words: '671B active 37B'."""

from __future__ import annotations

import re

from isoloss.plans.costs.units import amount
from isoloss.plans.problems import PlanError
from isoloss.runs import Decoder, Mixture, compact

#: '671B active 37B', and '671B, 37B active'.
_WORDS = (
    re.compile(r"(?P<all>\S+)(?:\s+total)?\s*,?\s+active\s+(?P<active>\S+)", re.IGNORECASE),
    re.compile(r"(?P<all>\S+?)(?:\s+total)?(?:\s*,\s*|\s+)(?P<active>\S+)\s+active", re.IGNORECASE),
)


def active_and_all(given: object) -> tuple[object, float | None]:
    """The params that a token uses, and all of them: of "671B active 37B" 37e9 and 671e9.

    Parameters
    ----------
    given
        The params of a budget; what is no such text comes back as it is, with None.

    Raises
    ------
    PlanError
        A count cannot be read, or more params are active than there are.
    """
    found = None
    if isinstance(given, str) and "active" in given.lower():
        found = next((m for each in _WORDS if (m := each.fullmatch(given.strip()))), None)
        if found is None and re.search(r"\d\s*[%/]", given):
            raise PlanError(
                f"params is {given!r}; mixtures of experts are planned at a held size, as '671B "
                "active 37B': plan the active params as a dense model, then hold the two counts"
            )
        if found is None:
            raise PlanError(f"cannot read {given!r} as params; write it like '671B active 37B'")
    if found is None:
        return given, None
    whole, active = (amount(found[name], "params", "params") for name in ("all", "active"))
    if active > whole:
        raise PlanError(
            f"params has {compact(active)} active of {compact(whole)}; at most all are active"
        )
    return active, whole


def all_params(shape: Decoder | Mixture | None, words: float | None) -> float | None:
    """All params of a mixture of experts, None of what is dense."""
    return float(shape.params) if isinstance(shape, Mixture) else words


def law_params(shape: Decoder | Mixture) -> float:
    """What laws take for N: params without embeddings and head, of a mixture those that one token
    uses.
    """
    if isinstance(shape, Mixture):
        return float(shape.active_non_embedding_params)
    return float(shape.non_embedding_params)
