"""What speaks for a fit and against it: its parts, hold-outs, warnings, and their report."""

from isoloss.fits.evidence.holdout import (
    RULES,
    HoldOut,
    Rule,
    Split,
    check_held,
    check_rule,
    rollout,
    split,
    splits,
)
from isoloss.fits.evidence.law_card import (
    law_sections,
)
from isoloss.fits.evidence.law_equation import (
    law_form,
)
from isoloss.fits.evidence.parts import Errors, Facts, HeldOut, Points, Sensitivity, errors_of
from isoloss.fits.evidence.report import (
    constants_section,
    efficiencies_sections,
    errors_section,
    exponent_sections,
    gaps_sections,
    held_out_sections,
    lines_of_facts,
    lines_of_misfit,
    sensitivity_sections,
    what_of,
)
from isoloss.fits.evidence.warnings_of_fit import judge, not_covered

# fmt: off
__all__ = [
    "RULES", "Errors", "Facts", "HeldOut", "HoldOut", "Points", "Rule", "Sensitivity", "Split",
    "check_held", "check_rule", "constants_section", "efficiencies_sections", "errors_of",
    "errors_section", "exponent_sections", "gaps_sections", "held_out_sections", "judge",
    "law_form", "law_sections", "lines_of_facts", "lines_of_misfit", "not_covered", "rollout",
    "sensitivity_sections", "split", "splits", "what_of",
]
# fmt: on
