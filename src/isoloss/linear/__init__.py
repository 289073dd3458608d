"""Quantised SGD in linear regression: the problem, the descent, and the risk of the result."""

from isoloss.linear.descent import SGD
from isoloss.linear.exact import risk_by_direction, training_risk
from isoloss.linear.quantisers import Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import INPUT_WORDS, Directions, Parts, Risk, TrainingRisk
from isoloss.linear.risk_of import excess_risk, excess_risks, stability_limit
from isoloss.linear.sampled import Difference, Replicates, sample_risk, sample_risks
from isoloss.linear.schedules import SCHEDULES, Schedule
from isoloss.linear.simulating import simulate
from isoloss.linear.studies import STUDIES, Study, study
from isoloss.linear.theory import (
    Allocation,
    AllocationChoice,
    Allowance,
    Bound,
    EffectiveSize,
    EqualBits,
    GradientNoise,
    NoiseSources,
    RateCondition,
    Tightness,
    allocate,
    best_size,
    bit_rule,
    bound_tightness,
    effective_data_size,
    effective_model_size,
    effective_samples,
    effective_size,
    equal_risk_bits,
    first_coordinates,
    format_constant,
    rate_conditions,
    risk_bound,
    size_constant,
)

# fmt: off
__all__ = [
    "INPUT_WORDS",
    "SCHEDULES",
    "SGD",
    "STUDIES",
    "Allocation",
    "AllocationChoice",
    "Allowance",
    "Bound",
    "Difference",
    "Directions",
    "EffectiveSize",
    "EqualBits",
    "GradientNoise",
    "NoiseSources",
    "Parts",
    "RateCondition",
    "Regression",
    "Replicates",
    "Risk",
    "Scales",
    "Schedule",
    "Study",
    "Tightness",
    "TrainingRisk",
    "allocate",
    "best_size",
    "bit_rule",
    "bound_tightness",
    "effective_data_size",
    "effective_model_size",
    "effective_samples",
    "effective_size",
    "equal_risk_bits",
    "excess_risk",
    "excess_risks",
    "first_coordinates",
    "format_constant",
    "rate_conditions",
    "risk_bound",
    "risk_by_direction",
    "sample_risk",
    "sample_risks",
    "simulate",
    "size_constant",
    "stability_limit",
    "study",
    "training_risk",
]
