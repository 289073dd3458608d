"""Plans: a budget and laws in; params, tokens and precision out, with how sure that is and what to train next."""

from isoloss.plans.budget import Budget
from isoloss.plans.critical import critical_tokens
from isoloss.plans.design_result import NextRun, NextRuns, Width
from isoloss.plans.designing import next_runs
from isoloss.plans.hardware import MACHINES, MFU, Hardware, machine
from isoloss.plans.planning import plan
from isoloss.plans.problems import PlanError
from isoloss.plans.rates import Rate, rate_of
from isoloss.plans.result import Choice, LawPlan, Plan
from isoloss.plans.shapes import decoder_of
from isoloss.plans.throughput import measured

# fmt: off
__all__ = [
    "MACHINES", "MFU", "Budget", "Choice", "Hardware", "LawPlan", "NextRun", "NextRuns", "Plan", "PlanError", "Rate",
    "Width", "critical_tokens", "decoder_of", "machine", "measured", "next_runs", "plan", "rate_of",
]
