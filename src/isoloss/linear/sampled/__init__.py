"""The sampler: SGD with real rounding, replicate by replicate.

Read in this order: trial (problem, descent and quantisers as one value), data_source (how features
are drawn), kernels (rules of rounding, the task of one replicate and its compiled loops), running
(a task over replicates and threads), drawing and sampling (risks with standard errors), replicates
(paired differences)."""

from isoloss.linear.sampled.replicates import Difference, Replicates
from isoloss.linear.sampled.sampling import REPLICATES, sample_risk, sample_risks

# fmt: off
__all__ = [
    "REPLICATES", "Difference", "Replicates", "sample_risk", "sample_risks",
]
# fmt: on
