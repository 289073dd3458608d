"""Plans: a budget and laws in; params, tokens and precision out, with how sure that is."""

from isoloss.plans.budget import Budget
from isoloss.plans.charts import Charts, Curve, Frontier, Served, Serving, Surface
from isoloss.plans.critical import critical_tokens
from isoloss.plans.hardware import MACHINES, MFU, Hardware, machine
from isoloss.plans.planning import plan
from isoloss.plans.problems import PlanError
from isoloss.plans.rates import Rate, rate_of
from isoloss.plans.result import Choice, LawPlan, Plan
from isoloss.plans.saving import load
from isoloss.plans.shapes import decoder_of
from isoloss.plans.throughput import measured

# fmt: off
__all__ = [
    "MACHINES", "MFU", "Budget", "Charts", "Choice", "Curve", "Frontier", "Hardware", "LawPlan", "Plan",
    "PlanError", "Rate", "Served", "Serving", "Surface", "critical_tokens", "decoder_of", "load", "machine",
    "measured", "plan", "rate_of",
]
