"""Candidates planned: `panels` by the laws that see them, `ridges` along what runs do not hold, and
`as_choices` with intervals and costs.
"""

from isoloss.plans.planned.as_choices import Use, beside_first, choice_of, ranked, unseen_choice
from isoloss.plans.planned.panels import Planned, Plans
from isoloss.plans.planned.ridges import withheld_by_ridges

# fmt: off
__all__ = [
    "Planned", "Plans", "Use", "beside_first", "choice_of", "ranked", "unseen_choice",
    "withheld_by_ridges",
]
# fmt: on
