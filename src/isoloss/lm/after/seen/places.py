"""Where named tensors lie in memory, by which their views are told; operators in their parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

Name = TypeVar("Name")


class Place(NamedTuple, Generic[Name]):
    """A tensor and where it lies.

    Attributes
    ----------
    name
        What it is known by.
    tensor
        The named tensor, or a copy of a view of it in another type.
    first, last
        Of its elements, counted from the beginning of their storage.
    start
        Where in the named tensor it begins, in elements.
    axes
        Which axis of the named tensor, from its end, each of its axes is; None where it is none.
    """

    name: Name
    tensor: Tensor
    first: int
    last: int
    start: int
    axes: tuple[int | None, ...]

    def start_of(self, view: Tensor) -> int:
        """Where in the named tensor a view begins, in elements."""
        return self.start + int(view.storage_offset()) - self.first

    def axis_of(self, view: Tensor, axis: int) -> int | None:
        """The axis of the named tensor, from its end, that an axis of its view is: that of the same
        stride and length.
        """
        step, long = view.stride(axis), view.shape[axis]
        own = range(-1, -self.tensor.dim() - 1, -1)
        alike = (k for k in own if self.tensor.stride(k) == step and self.tensor.shape[k] == long)
        found = next(alike, None)
        return None if found is None else self.axes[found]


class Places(Generic[Name]):
    """Tells of any tensor whether it is, or is a view of, one that was named.

    Several named tensors may lie in one storage, as parameters that were put one behind the other.
    """

    def __init__(self, named: Mapping[Name, Tensor]) -> None:
        self._by_storage: dict[int, list[Place[Name]]] = {}
        for name, tensor in named.items():
            self._add(name, tensor, 0, tuple(range(-tensor.dim(), 0)))

    def of(self, tensor: Tensor) -> Place[Name] | None:
        """The place of the named tensor in which a tensor begins, None where it is of no such."""
        held = self._by_storage.get(_storage(tensor), ())
        start = tensor.storage_offset()
        return next((each for each in held if each.first <= start <= each.last), None)

    def copied(self, view: Tensor, copy: Tensor) -> bool:
        """Take a copy of a view as the view itself, and say whether it is of a named tensor; the
        copy is kept, so that its memory is not used again.
        """
        place = self.of(view)
        if place is None:
            return False
        axes = tuple(place.axis_of(view, axis) for axis in range(-view.dim(), 0))
        self._add(place.name, copy, place.start_of(view), axes)
        return True

    def _add(self, name: Name, tensor: Tensor, start: int, axes: tuple[int | None, ...]) -> None:
        if tensor.numel():
            steps = zip(tensor.shape, tensor.stride(), strict=True)
            first = int(tensor.storage_offset())
            last = first + sum((long - 1) * step for long, step in steps)
            held = self._by_storage.setdefault(_storage(tensor), [])
            held.append(Place(name, tensor, first, last, start, axes))


def in_parts(mode: TorchDispatchMode, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
    """What an operator that is made of others gives, with the mode seeing these; else
    NotImplemented.

    Inference mode hands on `linear` and `matmul` whole, which are products of two matrices else.
    """
    with mode:
        return func.decompose(*args, **(kwargs or {}))


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


#: The operator that gives a tensor in another type or on another device.
CAST = torch.ops.aten._to_copy
