"""What stands behind a plan: its question, its choices, the numbers of its figures, and regrets.

`choices` and `charts` are values. `beside` puts a choice beside published models, and
`beside_hours` its device hours beside those of published runs; `between` says
between which losses one lies whose parts differ. `question` keeps what the plan was made from, so
that `charting` (figures), `spellings` (what each spelling computes and laws judge of it), `regret`
(what simpler choices would cost) and `break_even` (from which speed-up on a precision pays) can be
computed when they are first asked for; `speed_in_words` prints the last, `choices_in_words` the
first. Nothing here knows `Plan`, which is made of these.
"""

from isoloss.plans.evidence.beside import beside_section
from isoloss.plans.evidence.beside_hours import published_hours
from isoloss.plans.evidence.between import gap_lies_between, lies_between
from isoloss.plans.evidence.break_even import BreakEven, LawBreakEven, break_evens_of
from isoloss.plans.evidence.charting import (
    charts_of,
    frontier_of,
    surface_of,
)
from isoloss.plans.evidence.charts import Charts, Curve, Frontier, Served, Serving, Surface
from isoloss.plans.evidence.choices import Choice, LawPlan, Regret, unranked
from isoloss.plans.evidence.choices_in_words import (
    by_fewer,
    choices_section,
    loss_of_choice,
    simpler_section,
    sure_of,
)
from isoloss.plans.evidence.question import Question
from isoloss.plans.evidence.regret import regrets_of
from isoloss.plans.evidence.speed_in_words import (
    break_even_section,
    costs_section,
    over_budget,
    throughput_of,
)
from isoloss.plans.evidence.spellings import LawSays, Spelling, spellings_of, spellings_section
from isoloss.plans.evidence.unnamed_parts import ahead_by_unnamed
from isoloss.plans.evidence.wasted import saturated

# fmt: off
__all__ = [
    "BreakEven", "Charts", "Choice", "Curve", "Frontier", "LawBreakEven", "LawPlan", "LawSays",
    "Question", "Regret", "Served", "Serving", "Spelling", "Surface", "ahead_by_unnamed",
    "beside_section", "break_even_section", "break_evens_of", "by_fewer", "charts_of",
    "choices_section", "costs_section", "frontier_of", "gap_lies_between", "lies_between",
    "loss_of_choice", "over_budget", "published_hours", "regrets_of", "saturated",
    "simpler_section", "spellings_of", "spellings_section", "sure_of", "surface_of",
    "throughput_of", "unranked",
]
# fmt: on
