"""Plans: a budget and laws in; params, tokens and precision out, with how sure that is."""

from isoloss.plans.budget import Budget
from isoloss.plans.critical import critical_tokens
from isoloss.plans.disagreement import Disagreement, Reading, gaps_by_law, plans_by_law
from isoloss.plans.hardware import MACHINES, MFU, Hardware, machine
from isoloss.plans.planning import plan
from isoloss.plans.problems import PlanError
from isoloss.plans.ranking import serving
from isoloss.plans.rates import Rate, rate_of
from isoloss.plans.real_bits import RealBits, best_bits
from isoloss.plans.result import Choice, LawPlan, Plan
from isoloss.plans.serving_result import Served, Serving
from isoloss.plans.shapes import decoder_of
from isoloss.plans.throughput import measured

__all__ = [
    "MACHINES", "MFU", "Budget", "Choice", "Disagreement", "Hardware", "LawPlan", "Plan", "PlanError",
    "Rate", "Reading", "RealBits", "Served", "Serving", "best_bits", "critical_tokens", "decoder_of", "gaps_by_law", "machine",
    "measured", "plan", "plans_by_law", "rate_of", "serving",
]  # fmt: skip
