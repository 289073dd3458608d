"""What a plan was made from: its laws and their bootstrap replicates, the budget, the machine, the feasible set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isoloss.laws import Array
from isoloss.plans.budget import Budget
from isoloss.plans.costs import Hardware
from isoloss.plans.search import Best, Member, Space


@dataclass(frozen=True)
class Question:
    """What a plan was made from: its laws, how many refits of each, the space, and every refit planned again.

    It is not saved with the plan.
    """

    members: tuple[Member, ...]
    counts: Sequence[Sequence[int]]
    budget: Budget
    device: Hardware
    space: Space
    drawn: Best
    weights: Array
