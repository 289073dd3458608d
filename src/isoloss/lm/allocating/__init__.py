"""Bits a layer: what rounding each unit of a model (units.py) costs alone (measuring.py), the
format of each that costs least within a budget (allocation.py), that as a recipe of other tools
(recipes.py).
"""

from isoloss.lm.allocating.allocation import BitAllocation, allocate_bits
from isoloss.lm.allocating.measuring import Sensitivity, sensitivity
from isoloss.lm.allocating.recipes import gguf_arguments, llmcompressor_recipe

# fmt: off
__all__ = [
    "BitAllocation", "Sensitivity", "allocate_bits", "gguf_arguments", "llmcompressor_recipe",
    "sensitivity",
]
# fmt: on
