"""What a run costs on a machine: peaks, rates, measured throughput, shapes.

`machines` lists devices and the abstract cost models of the papers; a machine is one literal of
`hardware.Hardware`, and `register_machine` adds one. `published_runs` and `published_speedups` are
figures that others published, `achieved` makes ranges of them, `rates` turns a precision on a
machine into a cost (each product at the wider of its operand formats), `model_parts` that of a
model whose parts differ, `throughput` reads measured rates that come first, `shapes` gives the
typical decoder of a size, `training_state` the memory that training takes on a device and
`training_rule` that memory as a limit, `units` reads amounts as people write them, `sums` money
with its currency, `mixtures` all and active params, and `sentences` a budget in words.
"""

from isoloss.plans.costs.achieved import COVERAGE, Range
from isoloss.plans.costs.hardware import MFU, Hardware
from isoloss.plans.costs.machines import MACHINES, as_machine, register_machine
from isoloss.plans.costs.mixtures import active_and_all, all_params, law_params
from isoloss.plans.costs.model_parts import (
    drawn_costs_of_models,
    ends_of,
    portions_of,
    rate_of_model,
    weight_bits,
)
from isoloss.plans.costs.published_runs import RUNS, PublishedRun, register_run
from isoloss.plans.costs.published_speedups import SPEEDUPS, PublishedSpeedup, register_speedup
from isoloss.plans.costs.rates import (
    PRODUCTS,
    Rate,
    RateDraws,
    classes_of,
    drawn_costs,
    in_doubt,
    lacks,
    level_in_words,
    own_class,
    product_class,
    rate_of,
)
from isoloss.plans.costs.sentences import words_of
from isoloss.plans.costs.shapes import (
    bits_of,
    counted_over_rule,
    decoder_of,
    kv_elements,
    shape_in_words,
)
from isoloss.plans.costs.sums import exactly, one_currency, sum_of
from isoloss.plans.costs.throughput import measured
from isoloss.plans.costs.training_rule import USUAL, TrainingRule, as_training_rule
from isoloss.plans.costs.training_state import TrainingMemory, training_memory
from isoloss.plans.costs.units import Dimension, amount, unit_of

# fmt: off
__all__ = [
    "COVERAGE", "MACHINES", "MFU", "PRODUCTS", "RUNS", "SPEEDUPS", "USUAL", "Dimension", "Hardware",
    "PublishedRun", "PublishedSpeedup", "Range", "Rate", "RateDraws", "TrainingMemory",
    "TrainingRule", "active_and_all", "all_params", "amount", "as_machine", "as_training_rule",
    "bits_of", "classes_of", "counted_over_rule", "decoder_of", "drawn_costs",
    "drawn_costs_of_models", "ends_of", "exactly", "in_doubt", "kv_elements", "lacks", "law_params",
    "level_in_words", "measured", "one_currency", "own_class", "portions_of", "product_class",
    "rate_of", "rate_of_model", "register_machine", "register_run", "register_speedup",
    "shape_in_words", "sum_of", "training_memory", "unit_of", "weight_bits", "words_of",
]
# fmt: on
