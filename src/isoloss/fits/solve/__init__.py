"""The least objective: coordinates, starts, solver, certificate."""

from isoloss.fits.solve.gradients import log_slopes
from isoloss.fits.solve.objective import (
    DIGITS,
    HUBER,
    OBJECTIVES,
    RESIDUAL_LOSSES,
    SQUARES,
    STUDENT,
    Objective,
    ResidualLoss,
    as_objective,
)
from isoloss.fits.solve.optimum import (
    BASE,
    Certificate,
    Optimum,
    TooFewRuns,
    feasible_starts,
    improved,
    is_base,
    optimise,
    pose,
    unheld,
)
from isoloss.fits.solve.problem import Coordinates, Problem
from isoloss.fits.solve.solver import solve

# fmt: off
__all__ = [
    "BASE", "DIGITS", "HUBER", "OBJECTIVES", "RESIDUAL_LOSSES", "SQUARES", "STUDENT", "Certificate",
    "Coordinates", "Objective", "Optimum", "Problem", "ResidualLoss", "TooFewRuns", "as_objective",
    "feasible_starts", "improved", "is_base", "log_slopes", "optimise", "pose", "solve", "unheld",
]
# fmt: on
