"""What is chosen beside formats and methods when a model is rounded for serving, and what rows,
keys and kept inputs say of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from isoloss.formats import Precision


@dataclass(frozen=True)
class Options:
    """Choices beside the precision; each says here where it shows.

    Attributes
    ----------
    rotate
        Whether the residual stream is rotated before anything is rounded.
    draw
        Seeds what is rounded at random, weights and, while the model is served, activations; and
        rotations.
    """

    rotate: bool = False
    draw: int = 0

    def random(self, model: nn.Module) -> torch.Generator:
        """A source of random numbers on the device of a model, from its beginning."""
        return torch.Generator(next(model.parameters()).device).manual_seed(self.draw)

    def aside(self, precision: Precision) -> str:
        """What changes the inputs of all matrices, by which what is seen of them is kept."""
        turned = f" rotated {self.draw}" if self.rotate else ""
        return turned + (f" drawn {self.draw}" if _is_random(precision) else "")

    @property
    def label(self) -> str:
        """What the column `method` of a row has behind the methods."""
        return ", rotated" if self.rotate else ""

    @property
    def columns(self) -> dict[str, bool]:
        """What a row, and the key of a row, have beside."""
        return {"rotated": True} if self.rotate else {}

    def is_drawn(self, precision: Precision) -> bool:
        """Whether the draw makes a difference to a model without calibration."""
        return self.rotate or _is_random(precision)


def _is_random(precision: Precision) -> bool:
    return any(known.is_random for known in precision.serve.values())
