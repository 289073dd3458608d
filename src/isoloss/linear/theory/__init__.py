"""What the papers derive: bounds, effective sizes, bit rules, best sizes, and joint allocation of
size, samples and bits.
"""

from isoloss.linear.theory.allocating import allocate
from isoloss.linear.theory.allocation_budget import Allowance
from isoloss.linear.theory.allocation_result import Allocation, AllocationChoice
from isoloss.linear.theory.bounds import Bound, risk_bound
from isoloss.linear.theory.closed_forms import (
    best_size,
    effective_samples,
    effective_size,
    size_constant,
)
from isoloss.linear.theory.conditions import RateCondition, RateConditions, rate_conditions
from isoloss.linear.theory.float_bits import EqualBits, bit_rule, equal_risk_bits, format_constant
from isoloss.linear.theory.gradient_noise import GradientNoise, NoiseSources
from isoloss.linear.theory.model_sizes import first_coordinates
from isoloss.linear.theory.sizes import (
    EffectiveSize,
    EffectiveSizes,
    EqualRisk,
    effective_data_size,
    effective_model_size,
    effective_sizes,
    equal_risk_samples,
    equal_risk_size,
)
from isoloss.linear.theory.tightness import Tightness, bound_tightness

# fmt: off
__all__ = [
    "Allocation",
    "AllocationChoice",
    "Allowance",
    "Bound",
    "EffectiveSize",
    "EffectiveSizes",
    "EqualBits",
    "EqualRisk",
    "GradientNoise",
    "NoiseSources",
    "RateCondition",
    "RateConditions",
    "Tightness",
    "allocate",
    "best_size",
    "bit_rule",
    "bound_tightness",
    "effective_data_size",
    "effective_model_size",
    "effective_samples",
    "effective_size",
    "effective_sizes",
    "equal_risk_bits",
    "equal_risk_samples",
    "equal_risk_size",
    "first_coordinates",
    "format_constant",
    "rate_conditions",
    "risk_bound",
    "size_constant",
]
# fmt: on
