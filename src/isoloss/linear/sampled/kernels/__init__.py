"""What the sampler compiles: counters to random numbers, rounding in lanes, rows of samples, one
replicate, loops of them.
"""

from isoloss.linear.sampled.kernels.rules import rule_of, scaled_rule, shares_scales
from isoloss.linear.sampled.kernels.task import NORMAL, SIGNED, SPARSE, TARGET, Task

# fmt: off
__all__ = [
    "NORMAL", "SIGNED", "SPARSE", "TARGET", "Task", "rule_of", "scaled_rule", "shares_scales",
]
# fmt: on
