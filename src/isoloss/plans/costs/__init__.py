"""What a run costs on a machine: peaks, rates, measured throughput, shapes."""

from isoloss.plans.costs.hardware import MFU, Hardware
from isoloss.plans.costs.machines import MACHINES, as_machine, register_machine
from isoloss.plans.costs.rates import Rate, own_class, rate_of
from isoloss.plans.costs.shapes import bits_of, counted_over_rule, decoder_of, kv_elements
from isoloss.plans.costs.throughput import measured
from isoloss.plans.costs.units import Dimension, amount

# fmt: off
__all__ = [
    "MACHINES", "MFU", "Dimension", "Hardware", "Rate", "amount", "as_machine", "bits_of",
    "counted_over_rule", "decoder_of", "kv_elements", "measured", "own_class", "rate_of",
    "register_machine",
]
# fmt: on
