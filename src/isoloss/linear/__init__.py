"""Quantised SGD in linear regression: the problem, the descent, and the risk of the result."""

from isoloss.linear.allocating import allocate
from isoloss.linear.allotment import Allocation, Choice
from isoloss.linear.allowance import Allowance
from isoloss.linear.bounds import Bound, risk_bound
from isoloss.linear.closed_forms import best_size, effective_samples, effective_size, size_constant
from isoloss.linear.conditions import Condition, rate_conditions
from isoloss.linear.descent import SGD
from isoloss.linear.directions import risk_by_direction, training_risk
from isoloss.linear.effective import EffectiveSize, effective_data_size, effective_model_size
from isoloss.linear.exact import excess_risk, excess_risks, stability_limit
from isoloss.linear.float_bits import EqualBits, bit_rule, equal_risk_bits, format_constant
from isoloss.linear.gradient_noise import GradientNoise, NoiseSources
from isoloss.linear.quantisers import Scales
from isoloss.linear.question import Study
from isoloss.linear.regression import Regression
from isoloss.linear.replicates import Difference, Replicates
from isoloss.linear.risk import Directions, Parts, Risk, TrainingRisk
from isoloss.linear.sampling import sample_risk, sample_risks
from isoloss.linear.seeing import first_coordinates
from isoloss.linear.simulating import simulate
from isoloss.linear.studies import STUDIES, study
from isoloss.linear.tightness import Tightness, bound_tightness

# fmt: off
__all__ = [
    "SGD", "STUDIES", "Allocation", "Allowance", "Bound", "Choice", "Condition", "Difference", "Directions",
    "EffectiveSize", "EqualBits", "GradientNoise", "NoiseSources", "Parts", "Regression", "Replicates",
    "Risk", "Scales", "Study", "Tightness", "TrainingRisk", "allocate", "best_size", "bit_rule",
    "bound_tightness", "effective_data_size", "effective_model_size", "effective_samples", "effective_size",
    "equal_risk_bits", "excess_risk", "excess_risks", "first_coordinates", "format_constant",
    "rate_conditions", "risk_bound", "risk_by_direction", "sample_risk", "sample_risks", "simulate",
    "size_constant", "stability_limit", "study", "training_risk",
]
