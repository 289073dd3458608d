"""How to serve a model that exists: precisions ranked by what they cost."""

from isoloss.plans.serve.serving_result import ServingChoice, ServingPlan
from isoloss.plans.serve.serving_search import rank_serving

# fmt: off
__all__ = [
    "ServingChoice", "ServingPlan", "rank_serving",
]
# fmt: on
