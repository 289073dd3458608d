"""Shapes of models as data: published ones by name, with sources, and those that a user gives.

`published_shapes` has the registry, `mixture` the shape of a mixture of experts, `config_json` the
reader of a Hugging Face configuration, `given` the door that takes any of these as text.
"""

from isoloss.runs.shapes.config_json import read_config
from isoloss.runs.shapes.given import as_shape
from isoloss.runs.shapes.mixture import GroupedHeads, LatentHeads, Mixture
from isoloss.runs.shapes.published_shapes import SHAPES, PublishedShape

# fmt: off
__all__ = [
    "SHAPES", "GroupedHeads", "LatentHeads", "Mixture", "PublishedShape", "as_shape", "read_config",
]
# fmt: on
