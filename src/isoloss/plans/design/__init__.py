"""Which runs to train next: optimal design for the params of a plan.

`designing` has the verb. `candidates` are a grid of runs with their cost; `refit_gradients` asks
some bootstrap replicates how each run would move the constants, and how these move the plan;
`exchange` buys runs greedily and exchanges them; `design_result` is the answer.
"""

from isoloss.plans.design.design_result import NextRun, NextRuns, Width
from isoloss.plans.design.designing import next_runs

# fmt: off
__all__ = [
    "NextRun", "NextRuns", "Width", "next_runs",
]
# fmt: on
