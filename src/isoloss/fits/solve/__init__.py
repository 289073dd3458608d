"""The least objective: coordinates, starts, solver, certificate."""

from isoloss.fits.solve.gradients import log_slopes
from isoloss.fits.solve.objective import HUBER, SQUARES, Objective, as_objective
from isoloss.fits.solve.optimum import BASE, Certificate, Optimum, optimise, pose, unheld
from isoloss.fits.solve.problem import Coordinates, Problem
from isoloss.fits.solve.solver import solve

# fmt: off
__all__ = [
    "BASE", "HUBER", "SQUARES", "Certificate", "Coordinates", "Objective", "Optimum", "Problem",
    "as_objective", "log_slopes", "optimise", "pose", "solve", "unheld",
]
# fmt: on
