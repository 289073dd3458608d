"""The loss that is minimised: of one law, and the mean over laws and their replicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from isoloss.formats import Precision
from isoloss.laws import Array, Levels, Value, plain
from isoloss.plans.budget import Budget
from isoloss.plans.search.optimum import Best, Loss, search
from isoloss.plans.search.space import Space
from isoloss.plans.search.weighted_laws import Member, levels_of


def shares(members: Sequence[Member], draws: int) -> list[list[int]]:
    """The replicates of each law that are planned again, as many as its weight says."""
    out = []
    for m in members:
        share = max(1, round(draws * m.weight)) if m.drawn is not None else 1
        out.append([int(k) for k in np.linspace(0, m.count - 1, min(share, m.count))])
    return out


def mean_loss(
    members: Sequence[Member], counts: Sequence[list[int]], levels: Levels, budget: Budget
) -> Loss:
    """The loss averaged over laws by weight and over the replicates of each."""
    known = [(m.settled(), m.chosen(rows)) for m, rows in zip(members, counts, strict=True)]

    def loss(log_params: Value, log_tokens: Value) -> Value:
        total: Value = 0.0
        for m, c in known:
            found = m.loss(c, log_params, log_tokens, levels, budget.unique_tokens)
            total = total + m.weight * _averaged(found)
        return total

    return loss


def _averaged(found: Value) -> Value:
    """The mean over replicates, (1, n), of a value or of a jet with its derivatives."""

    def over(part: Value) -> Value:
        return np.mean(np.atleast_2d(part), axis=0, keepdims=True)

    return found.mapped(over) if hasattr(found, "mapped") else over(found)


def loss_of(member: Member, c: Mapping[str, Value], levels: Levels, budget: Budget) -> Loss:
    """The loss of one law under some constants."""
    settled = member.settled()
    return lambda u, y: settled.loss(c, u, y, levels, budget.unique_tokens)


def over_rates(
    members: Sequence[Member], counts: Sequence[Sequence[int]], draws: int
) -> list[list[int]]:
    """The rows of each law's replicates beside which rates are drawn: its own, or of a bare law its
    constants as often as its weight says.
    """
    return [
        list(rows) if m.drawn is not None else [0] * max(1, round(draws * m.weight))
        for m, rows in zip(members, counts, strict=True)
    ]


def replanned(
    members: Sequence[Member],
    counts: Sequence[list[int]],
    levels: Levels,
    budget: Budget,
    space: Space | Sequence[Space],
) -> tuple[Best, Array]:
    """The plan of every replicate of every law, and the weight of each, adding up to one.

    A space for each law has costs of its own for each of the law's rows.
    """
    found, weights = [], []
    spaces = [space] * len(members) if isinstance(space, Space) else space
    for m, rows, own in zip(members, counts, spaces, strict=True):
        c = m.chosen(rows)
        # Where compute is limited and a replicate still finds no best size, its plan stands at the
        # edge: what it does not tell makes the interval wide, and is no error.
        endless = own.limits_training
        found.append(search(loss_of(m, c, levels, budget), own, len(rows), endless))
        weights += [m.weight / len(rows)] * len(rows)
    stacked = (
        np.vstack([getattr(b, name) for b in found]) for name in ("params", "tokens", "loss")
    )
    return Best(*stacked), np.array(weights)


def thinned(
    members: Sequence[Member], counts: Sequence[Sequence[int]], most: int
) -> list[list[int]]:
    """Fewer replicates of each law, evenly chosen, about `most` in all by weight."""
    few = []
    for member, rows in zip(members, counts, strict=True):
        kept = min(len(rows), max(1, round(most * member.weight)))
        few.append([rows[int(i)] for i in np.linspace(0, len(rows) - 1, kept)])
    return few


def losses_at(
    members: Sequence[Member],
    counts: Sequence[Sequence[int]],
    precisions: Sequence[Precision],
    params: float,
    tokens: float,
    budget: Budget,
) -> tuple[Array, Array]:
    """The loss by every replicate of every law at one size and length, (S, n), and weights (S,).

    NaN where a law is undefined at a precision; the weights add up to one.
    """
    found, weights = [], []
    for m, rows in zip(members, counts, strict=True):
        known = [k for k, why in enumerate(m.unknown(precisions)) if why is None]
        loss = np.full((len(rows), len(precisions)), np.nan)
        if known:
            n, d = (np.full((1, len(known)), np.log(v)) for v in (params, tokens))
            levels = levels_of([precisions[k] for k in known])
            loss[:, known] = plain(m.loss(m.chosen(rows), n, d, levels, budget.unique_tokens))
        found.append(loss)
        weights += [m.weight / len(rows)] * len(rows)
    return np.vstack(found), np.array(weights)
