"""Which runs to train next: candidates, gradients of refits, greedy exchange."""

from isoloss.plans.design.design_result import NextRun, NextRuns, Width
from isoloss.plans.design.designing import next_runs

# fmt: off
__all__ = [
    "NextRun", "NextRuns", "Width", "next_runs",
]
# fmt: on
