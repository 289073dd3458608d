"""Shapes of models as data: published ones by name, with sources, and those that a user gives.

`published_shapes` has the registry, `published_models` what published models were trained on,
`decoder` the shape of a dense model, `mixture` that of a mixture of experts, `matrices` the
names of their parts, `config_json` the reader of a Hugging Face
configuration, `given` the door that takes any of these as text.
"""

from isoloss.runs.shapes.config_json import read_config
from isoloss.runs.shapes.decoder import Decoder, Flops
from isoloss.runs.shapes.given import as_shape
from isoloss.runs.shapes.matrices import ENDS, Matrix, names_in, own_precisions
from isoloss.runs.shapes.mixture import GroupedHeads, LatentHeads, Mixture
from isoloss.runs.shapes.published_models import MODELS, PublishedModel, nearest_models
from isoloss.runs.shapes.published_shapes import SHAPES, PublishedShape

# fmt: off
__all__ = [
    "ENDS", "MODELS", "SHAPES", "Decoder", "Flops", "GroupedHeads", "LatentHeads", "Matrix",
    "Mixture", "PublishedModel", "PublishedShape", "as_shape", "names_in", "nearest_models",
    "own_precisions", "read_config",
]
# fmt: on
