"""How to serve a model that exists: precisions ranked by what they cost.

`serving_search` has the verb, `serving_result` the answer: loss gap, memory, decode speed and
critical tokens of each way to serve.
"""

from isoloss.plans.serve.serving_result import ServingChoice, ServingPlan
from isoloss.plans.serve.serving_search import rank_serving

# fmt: off
__all__ = [
    "ServingChoice", "ServingPlan", "rank_serving",
]
# fmt: on
