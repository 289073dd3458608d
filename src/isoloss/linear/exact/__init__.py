"""The exact engine: second moments of SGD are carried through time without drawing a number.

Read in this order: step_operator (one step as a linear map of the moments), state, chain (stretches
of steps; contour and heavy_ball jump over many at once), closures (real grids as noise of equal
variance), solving (a point from start to end), measuring (what is read off the last state);
stability and directions stand beside. ../risk_of.py is the essay.
"""

from isoloss.linear.exact.directions import risk_by_direction, training_risk
from isoloss.linear.exact.measuring import floor_in_use, measured, rounding_of
from isoloss.linear.exact.solving import Point, limit_of, point_of, solved, stack
from isoloss.linear.exact.stability import limits
from isoloss.linear.exact.step_operator import Noise, Noises, Operator, ideal, operator
from isoloss.linear.exact.walking import JUMP, STEP, LongWalk, Way, check_walk

# fmt: off
__all__ = [
    "JUMP", "STEP", "LongWalk",
    "Noise", "Noises", "Operator", "Point", "Way", "check_walk", "floor_in_use", "ideal",
    "limit_of", "limits", "measured", "operator", "point_of", "risk_by_direction", "rounding_of",
    "solved", "stack", "training_risk",
]
# fmt: on
