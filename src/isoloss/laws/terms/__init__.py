"""The terms that laws are composed of: links, patterns, penalties, maps, tables of levels."""

from isoloss.laws.terms.error_penalty import ErrorPenalty, MethodFactor
from isoloss.laws.terms.links import (
    FormatLink,
    bits_power,
    decaying,
    error_capacity,
    float_fields,
    halving,
    noise_of,
    saturating,
    tanh_error,
)
from isoloss.laws.terms.maps import Cap, Repetition, best_params
from isoloss.laws.terms.patterns import Gate, SharedScale, Sparse
from isoloss.laws.terms.penalties import Condition, Penalty, Requantised, Rounded
from isoloss.laws.terms.per_byte import PerByte, best_quantised_share
from isoloss.laws.terms.tables import Table, alternatives, bound, labelled

# fmt: off
__all__ = [
    "Cap", "Condition", "ErrorPenalty", "FormatLink", "Gate", "MethodFactor", "Penalty",
    "PerByte", "Repetition", "Requantised", "Rounded", "SharedScale", "Sparse", "Table",
    "alternatives", "best_params", "best_quantised_share", "bits_power", "bound", "decaying",
    "error_capacity", "float_fields", "halving", "labelled", "noise_of", "saturating",
    "tanh_error",
]
# fmt: on
