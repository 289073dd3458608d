"""The learned-step rule ('@lsq'): the step of an integer grid is trained with the weights
(formulas: learned_step.py).
"""

from __future__ import annotations

from dataclasses import replace

from isoloss.formats import Format
from isoloss.lm.rounding.gradient_rule import GradientRule
from isoloss.lm.rounding.learned_step import LearnedStep


def _refusal(known: Format, scope: str, share: str | int | None) -> str | None:
    bare = replace(known, granularity=None, method=None)
    if not known.is_integer or known.span != "symmetric" or bare != known.bare:
        return "@lsq takes int2, int3, ... to nearest, with no modifier but a granularity"
    if scope.partition(".")[0] != "w" and share != "tensor":
        return (
            "numbers that change with every batch have one learned step a tensor; "
            f"write {scope}:{known.name}/tensor@lsq"
        )
    return None


RULE = GradientRule("lsq", module=LearnedStep, refusal=_refusal)
