"""What stands behind a plan: its question, its choices, the numbers of its figures, and regrets.

`choices` and `charts` are values. `beside` puts a choice beside published models, and
`beside_hours` its device hours beside those of published runs; `between` says
between which losses one lies whose parts differ. `question` keeps what the plan was made from, so
that `charting` (figures), `regret` (what simpler choices would cost) and `break_even` (from which
speed-up on a precision pays) can be computed when they are first asked for; `speed_in_words` prints
the last. Nothing here knows `Plan`, which is made of these.
"""

from isoloss.plans.evidence.beside import beside_section
from isoloss.plans.evidence.beside_hours import published_hours
from isoloss.plans.evidence.between import gap_lies_between, lies_between
from isoloss.plans.evidence.break_even import BreakEven, LawBreakEven, break_evens_of
from isoloss.plans.evidence.charting import charts_of
from isoloss.plans.evidence.charts import Charts, Curve, Frontier, Served, Serving, Surface
from isoloss.plans.evidence.choices import Choice, LawPlan, Regret, unranked
from isoloss.plans.evidence.question import Question
from isoloss.plans.evidence.regret import regrets_of
from isoloss.plans.evidence.speed_in_words import (
    break_even_section,
    costs_section,
    over_budget,
    throughput_of,
)

# fmt: off
__all__ = [
    "BreakEven", "Charts", "Choice", "Curve", "Frontier", "LawBreakEven", "LawPlan", "Question",
    "Regret", "Served", "Serving", "Surface", "beside_section", "break_even_section",
    "break_evens_of", "charts_of", "costs_section", "gap_lies_between", "lies_between",
    "over_budget", "published_hours", "regrets_of", "throughput_of", "unranked",
]
# fmt: on
