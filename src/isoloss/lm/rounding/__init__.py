"""Rounding inside a model: compiled, straight through, with learned steps, many grids side by side."""

from isoloss.lm.rounding.learned_step import STEP_RATE, LearnedStep
from isoloss.lm.rounding.many_grids import Grids, is_plain
from isoloss.lm.rounding.parts import (
    ENDS,
    Rounding,
    check_groups,
    check_precision,
    check_tied,
    rounding_of,
)
from isoloss.lm.rounding.straight_through import method_of

# fmt: off
__all__ = [
    "ENDS", "STEP_RATE", "Grids", "LearnedStep", "Rounding", "check_groups", "check_precision",
    "check_tied", "is_plain", "method_of", "rounding_of",
]
# fmt: on
