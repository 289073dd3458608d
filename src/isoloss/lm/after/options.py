"""What is chosen beside formats and methods when a model is rounded for serving, and what rows,
keys and kept inputs say of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from isoloss.formats import Precision


@dataclass(frozen=True)
class Options:
    """Choices beside the precision; each says here where it shows.

    Attributes
    ----------
    rotate
        Whether the residual stream is rotated before anything is rounded.
    draw
        Seeds weights that are rounded at random, and rotations.
    """

    rotate: bool = False
    draw: int = 0

    @property
    def aside(self) -> str:
        """What changes the inputs of all matrices, by which what is seen of them is kept."""
        return f" rotated {self.draw}" if self.rotate else ""

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
        return self.rotate or any(known.is_random for known in precision.serve.values())
