"""What a plan was made from: laws and their replicates, budget, machine, and the feasible set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isoloss.laws import Array
from isoloss.plans.budget import Budget
from isoloss.plans.costs import Hardware
from isoloss.plans.search import Best, Member, Panel, Space


@dataclass(frozen=True)
class Question:
    """What a plan was made from; it is not saved with the plan.

    Attributes
    ----------
    members
        The laws, with weights.
    counts
        The rows of each law's bootstrap replicates that were planned again.
    budget, device
        As given.
    space
        The feasible params and tokens for each precision.
    drawn, weights
        The plan of every replicate (S rows), and their weights (S,), which add up to one.
    panel, all
        All laws and candidates, of which the first choice may need some only, and their feasible
        set.
    """

    members: tuple[Member, ...]
    counts: Sequence[Sequence[int]]
    budget: Budget
    device: Hardware
    space: Space
    drawn: Best
    weights: Array
    panel: Panel | None = None
    all: Space | None = None
