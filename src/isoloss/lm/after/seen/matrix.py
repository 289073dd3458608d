"""A matrix of weights where it stands in a model: a parameter of its own, or one expert's part of a
stack of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix that multiplies activations, read and written as (outputs, inputs).

    Attributes
    ----------
    name
        Where it stands: "model.layers.0.mlp.experts.down_proj[3]".
    scope
        The name by which a precision speaks of it: "down_proj", "head".
    module
        The module that holds the parameter.
    weight
        The parameter: (outputs, inputs) or (inputs, outputs), or a stack of these.
    expert
        Which of a stack, None where the parameter is the matrix.
    turned
        Whether the parameter has its inputs before its outputs, as `Conv1D` of GPT-2.
    held
        Whether it is multiplied elsewhere than in a linear layer that is its module.
    """

    name: str
    scope: str
    module: nn.Module
    weight: Tensor
    expert: int | None = None
    turned: bool = False
    held: bool = False

    @property
    def _place(self) -> Tensor:
        whole = self.weight.data if self.expert is None else self.weight.data[self.expert]
        return whole.mT if self.turned else whole

    @property
    def path(self) -> list[str]:
        """The names on the way to it, without the number of an expert."""
        return self.name.partition("[")[0].split(".")

    @property
    def inputs(self) -> int:
        """How many numbers it takes of each token."""
        return self._place.shape[1]

    @property
    def outputs(self) -> int:
        """How many numbers it gives of each token."""
        return self._place.shape[0]

    @property
    def size(self) -> int:
        """How many weights it has."""
        return self._place.numel()

    def read(self) -> Tensor:
        """The weights, shape (outputs, inputs)."""
        return self._place.contiguous()

    @property
    def start(self) -> int:
        """Where in the parameter it begins, in elements."""
        return 0 if self.expert is None else self.expert * self.weight.stride(0)

    def write(self, new: Tensor) -> None:
        """Put weights of shape (outputs, inputs) in its place."""
        self._place.copy_(new)
