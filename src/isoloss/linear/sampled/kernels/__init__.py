"""What the sampler compiles: random numbers from counters, rounding, samples, one replicate,
loops.
"""

from isoloss.linear.sampled.kernels.rules import rule_of, scaled_rule
from isoloss.linear.sampled.kernels.task import NORMAL, SIGNED, SPARSE, TARGET, Task

# fmt: off
__all__ = [
    "NORMAL", "SIGNED", "SPARSE", "TARGET", "Task", "rule_of", "scaled_rule",
]
# fmt: on
