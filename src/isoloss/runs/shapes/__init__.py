"""Shapes of models as data: published ones by name, with sources, and those that a user gives.

`published_shapes` has the registry, `published_models` what published models were trained on,
`mixture` the shape of a mixture of experts, `config_json` the reader of a Hugging Face
configuration, `given` the door that takes any of these as text.
"""

from isoloss.runs.shapes.config_json import read_config
from isoloss.runs.shapes.given import as_shape
from isoloss.runs.shapes.mixture import GroupedHeads, LatentHeads, Mixture
from isoloss.runs.shapes.published_models import MODELS, PublishedModel, nearest_models
from isoloss.runs.shapes.published_shapes import SHAPES, PublishedShape

# fmt: off
__all__ = [
    "MODELS", "SHAPES", "GroupedHeads", "LatentHeads", "Mixture", "PublishedModel",
    "PublishedShape", "as_shape", "nearest_models", "read_config",
]
# fmt: on
