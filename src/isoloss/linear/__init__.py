"""Quantised SGD in linear regression: the problem, the descent, and the exact risk of the result."""

from isoloss.linear.descent import SGD
from isoloss.linear.directions import risk_by_direction, training_risk
from isoloss.linear.exact import excess_risk, excess_risks, stability_limit
from isoloss.linear.quantisers import Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Directions, Parts, Risk, TrainingRisk
from isoloss.linear.simulating import simulate

__all__ = [
    "SGD",
    "Directions",
    "Parts",
    "Regression",
    "Risk",
    "Scales",
    "TrainingRisk",
    "excess_risk",
    "excess_risks",
    "risk_by_direction",
    "simulate",
    "stability_limit",
    "training_risk",
]
