"""What a run costs on a machine: peaks, rates, measured throughput, shapes."""

from isoloss.plans.costs.hardware import MACHINES, MFU, Hardware, machine
from isoloss.plans.costs.rates import Rate, own_class, rate_of
from isoloss.plans.costs.shapes import bits_of, counted_over_rule, decoder_of, kv_elements
from isoloss.plans.costs.throughput import measured
from isoloss.plans.costs.units import Dimension, amount

# fmt: off
__all__ = [
    "MACHINES", "MFU", "Dimension", "Hardware", "Rate", "amount", "bits_of", "counted_over_rule",
    "decoder_of", "kv_elements", "machine", "measured", "own_class", "rate_of",
]
# fmt: on
