"""What a precision is worth: effective sizes by a joint definition, and sizes of equal risk.

Read in this order: rescaled (what a rounded run has learnt, and the full-precision models beside
it), effective (the definition), effective_result; equal_risk is the coarser question. crossing and
closed_beside serve both.
"""

from isoloss.linear.theory.sizes.effective import (
    effective_data_size,
    effective_model_size,
    effective_sizes,
)
from isoloss.linear.theory.sizes.effective_result import EffectiveSize, EffectiveSizes
from isoloss.linear.theory.sizes.equal_risk import (
    EqualRisk,
    equal_risk_samples,
    equal_risk_size,
)

# fmt: off
__all__ = [
    "EffectiveSize", "EffectiveSizes", "EqualRisk", "effective_data_size", "effective_model_size",
    "effective_sizes", "equal_risk_samples", "equal_risk_size",
]
# fmt: on
