"""Rounding inside a model: which part gets which format, and how its gradient passes.

A precision names a format for each part and scope (parts.py). A format's method is a gradient rule
(gradient_rule.py; rules/ holds one file each): a function with a gradient of its own, or a module
whose step is learned (learned_step.py). fake_quant.py is the rule of `formats`, compiled;
many_grids.py rounds many plain formats of a batched sweep in one pass; operands.py has the backward
products whose operands are rounded apart.
"""

from isoloss.lm.rounding.gradient_rule import (
    GradientRule,
    check_method,
    know_rules,
    method_of,
    own_rules,
    register_rule,
    rule_of,
    without_method,
)
from isoloss.lm.rounding.learned_step import STEP_RATE, LearnedStep
from isoloss.lm.rounding.many_grids import Grids, is_plain
from isoloss.lm.rounding.operands import Operand, Operands, has_operands, operands_of
from isoloss.lm.rounding.parts import (
    ENDS,
    MATRICES,
    Rounding,
    check_groups,
    check_precision,
    check_steps,
    check_tied,
    filled_format,
    rounding_of,
)

# fmt: off
__all__ = [
    "ENDS", "MATRICES", "STEP_RATE", "GradientRule", "Grids", "LearnedStep", "Operand", "Operands",
    "Rounding", "check_groups", "check_method", "check_precision", "check_steps", "check_tied",
    "filled_format", "has_operands", "is_plain", "know_rules", "method_of", "operands_of",
    "own_rules", "register_rule", "rounding_of", "rule_of", "without_method",
]
# fmt: on
