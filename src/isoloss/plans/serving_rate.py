"""What one device generates in serving: "2500 tokens/s at 8B", inversely to the params of a model.

Tokens served cost device hours, and at which rate nobody can tell from that of training: decoding
is bound by bandwidth, batches and latency. So it is asked for, and is taken for every precision.
"""

from __future__ import annotations

import re

from isoloss.plans.costs import amount
from isoloss.plans.problems import PlanError
from isoloss.runs import compact

_AT = re.compile(r"\s+at\s+|\s*@\s*", re.IGNORECASE)
EXAMPLE = "'2500 tokens/s at 8B', of one device"
#: The size at which a rate is printed.
SHOWN = 1e9


def as_serve_rate(given: object, served: float | None, params: float | None) -> float | None:
    """Params times tokens a second of one device, from words.

    Parameters
    ----------
    given
        A text, as "2500 tokens/s at 8B"; the size may be left out where params are held.
    served, params
        Of the budget.

    Raises
    ------
    PlanError
        It cannot be read, has no size, or nothing is served.
    """
    if given is None:
        return None
    if not isinstance(given, str):
        raise PlanError(f"cannot read {given!r} as serve_rate; write it like {EXAMPLE}")
    if served is None:
        raise PlanError(
            f"serve_rate is {given!r} and no tokens are served; give them as served='1T' "
            "(--served 1T)"
        )
    speed, *size = _AT.split(given.strip(), maxsplit=1)
    if not size and params is None:
        raise PlanError(f"serve_rate {given!r} does not say of what size; write it like {EXAMPLE}")
    whole = amount(size[0], "params", "the size in serve_rate") if size else float(params or 0.0)
    return amount(speed, "speed", "serve_rate") * whole


def needed(served: float, machine: str) -> str:
    """The error where tokens are served on a device and nothing says how fast."""
    return (
        f"{compact(served)} tokens served take hours of {machine} at a rate of serving, which that "
        f"of training does not tell; give serve_rate (--serve-rate) as {EXAMPLE}"
    )


def in_words(rate: float) -> str:
    """A rate for the report."""
    return (
        f"{compact(rate / SHOWN)} tokens/s a device at {compact(SHOWN)} params, inversely to them"
    )
