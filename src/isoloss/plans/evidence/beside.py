"""A plan beside published models: the nearest in params and tokens, as rows of its report."""

from __future__ import annotations

from isoloss.fits import Section
from isoloss.runs import PublishedModel, compact, nearest_models

#: Rows at most.
MOST = 4
HEAD = (
    "model", "params", "active", "tokens", "tokens per param", "trained in", "FLOPs / the plan's",
    "published device hours", "source",
)  # fmt: skip


def beside_section(params: float, tokens: float, all_params: float = float("nan")) -> Section:
    """The published models nearest to params on tokens, with the plan as the first row.

    Parameters
    ----------
    params
        Params that one token uses.
    tokens
        Of training.
    all_params
        Of a mixture of experts; NaN: those that one token uses.
    """
    whole = params if all_params != all_params else all_params
    here = (
        "this plan", compact(whole), compact(params), compact(tokens), compact(tokens / params),
        "", "1", "", "",
    )  # fmt: skip
    rows = (_row(model, params * tokens) for model in nearest_models(params, tokens, MOST))
    note = (
        "nearest in active params and tokens, whose product FLOPs go by; counts and hours as their "
        "authors print them"
    )
    return Section("Beside published models", (note,), HEAD, (here, *rows))


def _row(model: PublishedModel, here: float) -> tuple[str, ...]:
    hours = f"{compact(model.hours)} {model.device}" if model.device else "not published"
    return (
        model.name,
        compact(model.params),
        compact(model.active),
        compact(model.tokens),
        compact(model.tokens / model.active),
        model.trained or "not said",
        f"{model.active * model.tokens / here:.3g}",
        hours,
        model.source,
    )
