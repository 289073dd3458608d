"""Which runs to train next: optimal design for the params of a plan.

`designing` has the verb. `candidates` are a grid of runs with their cost; `refit_gradients` asks
some bootstrap replicates how each run would move the constants, and how these move the plan;
`exchange` buys runs greedily and exchanges them; `design_result` is the answer.

Before the first run there is no fit: `first_design` has the verb, `questions` what may be asked,
`power_laws` reads published laws over the runs that are possible, `expected` says what each expects
of a design, `first_search` finds one, `rivals` are others of the same cost, `first_verdict` says
STOP or what lacks, and `first_result` is the answer.
"""

from isoloss.plans.design.design_result import NextRuns, Width
from isoloss.plans.design.designing import next_runs
from isoloss.plans.design.first_design import first_runs
from isoloss.plans.design.first_result import FirstRuns, LawAnswer, Rival
from isoloss.plans.design.to_train import NextRun

# fmt: off
__all__ = [
    "FirstRuns", "LawAnswer", "NextRun", "NextRuns", "Rival", "Width", "first_runs", "next_runs",
]
# fmt: on
