"""The search: laws by weight, the feasible set of a budget, expected loss.

`weighted_laws` turns what a user gives (fits, comparisons, laws, names) into members with weights
and bootstrap replicates; `space` has the limits of a budget on a machine in the terms of each
precision, and `feasible` the params and tokens that they leave, or why none; `optimum` finds the
least loss in a space, for all replicates at once; `expected` averages losses and plans over laws
and replicates.
"""

from isoloss.plans.search.expected import (
    loss_of,
    losses_at,
    mean_loss,
    over_rates,
    replanned,
    shares,
    thinned,
)
from isoloss.plans.search.feasible import shares_within, space_of, why_none
from isoloss.plans.search.optimum import Best, Loss, minimise, search
from isoloss.plans.search.ordering import EQUAL, order_of, uncompared
from isoloss.plans.search.repeated import Repeating, repeating
from isoloss.plans.search.seeing import Panel, views_of
from isoloss.plans.search.space import (
    LEAST_TOKENS,
    MOST_PARAMS,
    MOST_TOKENS,
    Space,
    Spending,
    decoding_bytes,
    device_hours,
    drawn_space,
    serving_bytes,
    spendings_of,
    training_bytes,
)
from isoloss.plans.search.weighted_laws import (
    MISREAD,
    LawLike,
    LawsLike,
    Member,
    blind,
    complete,
    far,
    is_one_base,
    levels_of,
    member_of,
    members_of,
    metric_of_all,
    paper_of,
    reweighted,
)

# fmt: off
__all__ = [
    "EQUAL", "LEAST_TOKENS", "MISREAD", "MOST_PARAMS", "MOST_TOKENS", "Best", "LawLike", "LawsLike",
    "Loss", "Member", "Panel", "Repeating", "Space", "Spending", "blind", "complete",
    "decoding_bytes", "device_hours", "drawn_space", "far", "is_one_base", "levels_of", "loss_of",
    "losses_at", "mean_loss", "member_of", "members_of", "metric_of_all", "minimise", "order_of",
    "over_rates", "paper_of", "repeating", "replanned", "reweighted", "search", "serving_bytes",
    "shares", "shares_within", "space_of", "spendings_of", "thinned", "training_bytes",
    "uncompared", "views_of", "why_none",
]
# fmt: on
