"""Quantised SGD in linear regression: the problem, the descent, and the risk of the result."""

from isoloss.linear.descent import SGD
from isoloss.linear.directions import risk_by_direction, training_risk
from isoloss.linear.exact import excess_risk, excess_risks, stability_limit
from isoloss.linear.quantisers import Scales
from isoloss.linear.question import Study
from isoloss.linear.regression import Regression
from isoloss.linear.replicates import Difference, Replicates
from isoloss.linear.risk import Directions, Parts, Risk, TrainingRisk
from isoloss.linear.sampling import sample_risk, sample_risks
from isoloss.linear.simulating import simulate
from isoloss.linear.studies import STUDIES, study

__all__ = [
    "SGD",
    "STUDIES",
    "Difference",
    "Directions",
    "Parts",
    "Regression",
    "Replicates",
    "Risk",
    "Scales",
    "Study",
    "TrainingRisk",
    "excess_risk",
    "excess_risks",
    "risk_by_direction",
    "sample_risk",
    "sample_risks",
    "simulate",
    "stability_limit",
    "study",
    "training_risk",
]
