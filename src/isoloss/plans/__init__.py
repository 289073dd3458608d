"""Plans: a budget and laws in; params, tokens and precision out, with intervals and the next runs.

Wings: `costs` (what a run costs on a machine), `search` (the least expected loss within a budget),
`evidence` (the parts of a plan, its charts and regrets), `serve` (how to serve a model that
exists), `paying` (whether a gap is worth the speed that it buys), `design` (which runs to train
next). At the top stand the `budget`, the verb (`planning`), its `result` and warnings, and three
questions that are no plan: the best bits as a real number (`real_bits`), the critical tokens
(`critical`), and what each published law says (`disagreement`).
"""

from isoloss.plans.budget import Budget, BudgetLike, as_budget, machine_of
from isoloss.plans.costs import (
    MACHINES,
    MFU,
    RUNS,
    SPEEDUPS,
    Hardware,
    PublishedRun,
    PublishedSpeedup,
    Range,
    Rate,
    TrainingMemory,
    TrainingRule,
    as_machine,
    decoder_of,
    measured,
    rate_of,
    register_machine,
    register_run,
    register_speedup,
    training_memory,
)
from isoloss.plans.critical import critical_tokens
from isoloss.plans.design import (
    FirstRuns,
    LawAnswer,
    NextRun,
    NextRuns,
    Rival,
    Width,
    first_runs,
    next_runs,
)
from isoloss.plans.disagreement import Disagreement, Reading, gaps_by_law, plans_by_law
from isoloss.plans.evidence import (
    BreakEven,
    Charts,
    Choice,
    Curve,
    Frontier,
    LawBreakEven,
    LawPlan,
    LawSays,
    Regret,
    Served,
    Serving,
    Spelling,
    Surface,
)
from isoloss.plans.paying import (
    BASE_LAWS,
    Indifference,
    LawMargin,
    Payoff,
    Payoffs,
    Terms,
    pays,
)
from isoloss.plans.planning import plan
from isoloss.plans.problems import OVERRIDE, PlanError
from isoloss.plans.real_bits import RealBits, best_bits
from isoloss.plans.result import Plan
from isoloss.plans.saving import load
from isoloss.plans.search import LawLike, LawsLike
from isoloss.plans.serve import ServingChoice, ServingPlan, rank_serving

# fmt: off
__all__ = [
    "BASE_LAWS", "MACHINES", "MFU", "OVERRIDE", "RUNS", "SPEEDUPS", "BreakEven", "Budget",
    "BudgetLike", "Charts", "Choice", "Curve", "Disagreement", "FirstRuns", "Frontier", "Hardware",
    "Indifference", "LawAnswer", "LawBreakEven", "LawLike", "LawMargin", "LawPlan", "LawSays",
    "LawsLike", "NextRun", "NextRuns", "Payoff", "Payoffs", "Plan", "PlanError", "PublishedRun",
    "PublishedSpeedup", "Range", "Rate", "Reading", "RealBits", "Regret", "Rival", "Served",
    "Serving", "ServingChoice", "ServingPlan", "Spelling", "Surface", "Terms", "TrainingMemory",
    "TrainingRule", "Width", "as_budget", "as_machine", "best_bits", "critical_tokens",
    "decoder_of", "first_runs", "gaps_by_law", "load", "machine_of", "measured", "next_runs",
    "pays", "plan", "plans_by_law", "rank_serving", "rate_of", "register_machine", "register_run",
    "register_speedup", "training_memory",
]
