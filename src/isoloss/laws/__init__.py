"""Closed-form laws of loss against params, tokens and precision, as compositions of small terms."""

from isoloss.laws.constant import Constant, amplitude, exponent, power, scale
from isoloss.laws.doors import as_law
from isoloss.laws.formula import (
    Addend,
    ArgumentMap,
    Composed,
    Constants,
    Formula,
    Grouped,
    Link,
    relinked,
)
from isoloss.laws.gap_of import GapOf, gap_law, is_gap_law, with_errors
from isoloss.laws.inputs import DomainError, Inputs, Level, Levels, Mask, as_inputs
from isoloss.laws.jet import Array, Jet, Value, plain, select, take
from isoloss.laws.law import Law
from isoloss.laws.pieces import PIECES, register_term
from isoloss.laws.provenance import EVIDENCE, HOLE, Box, Evidence, holes_of, kind_of
from isoloss.laws.registry import LAWS, preset, presets, register
from isoloss.laws.repetition import (
    LENDER,
    MOST_EPOCHS,
    best_ratio,
    lent_constants,
    with_repetition,
)
from isoloss.laws.saving import law_from_json
from isoloss.laws.sight import Sight, alike, seen_parts, sees_repetition, sights, unseen
from isoloss.laws.terms import (
    Cap,
    Condition,
    ErrorPenalty,
    FormatLink,
    Gate,
    MethodFactor,
    Penalty,
    PerByte,
    Repetition,
    Requantised,
    Rounded,
    SharedScale,
    Sparse,
    Table,
    alternatives,
    best_quantised_share,
    bits_power,
    decaying,
    error_capacity,
    float_fields,
    halving,
    saturating,
    tanh_error,
)

__all__ = [
    "EVIDENCE", "HOLE", "LAWS", "LENDER", "MOST_EPOCHS", "PIECES", "Addend", "ArgumentMap", "Array",
    "Box", "Cap", "Composed", "Condition", "Constant", "Constants", "DomainError", "ErrorPenalty",
    "Evidence", "FormatLink", "Formula", "GapOf", "Gate", "Grouped", "Inputs", "Jet", "Law",
    "Level", "Levels", "Link", "Mask", "MethodFactor", "Penalty", "PerByte", "Repetition",
    "Requantised", "Rounded", "SharedScale", "Sight", "Sparse", "Table", "Value", "alike",
    "alternatives", "amplitude", "as_inputs", "as_law", "best_quantised_share", "best_ratio",
    "bits_power", "decaying", "error_capacity", "exponent", "float_fields", "gap_law", "halving",
    "holes_of", "is_gap_law", "kind_of", "law_from_json", "lent_constants", "plain", "power",
    "preset", "presets", "register", "register_term", "relinked", "saturating", "scale",
    "seen_parts", "sees_repetition", "select", "sights", "take", "tanh_error", "unseen",
    "with_errors", "with_repetition",
]  # fmt: skip
