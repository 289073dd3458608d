"""Quantised SGD in linear regression: the problem, the descent, and the exact risk of the result."""

from isoloss.linear.descent import SGD
from isoloss.linear.exact import excess_risk, excess_risks, stability_limit
from isoloss.linear.quantisers import Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Parts, Risk

__all__ = [
    "SGD",
    "Parts",
    "Regression",
    "Risk",
    "Scales",
    "excess_risk",
    "excess_risks",
    "stability_limit",
]
