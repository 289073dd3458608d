"""Which tensors of a model meet activations in products of matrices, seen while tokens pass it.

The name of a module says little: experts stand as one stack of three axes, in some families with
their outputs first and in others last, and a weight may be computed from others just before it is
used. What multiplies activations, over which of its axes the product sums, and with which inputs,
is seen in the products themselves, whatever the family.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.weak import WeakTensorKeyDictionary

from isoloss.lm.after.seen.places import CAST, Places, in_parts

_ATEN = torch.ops.aten
#: Products of matrices by their operator: where the two factors stand among its arguments.
FACTORS = {
    _ATEN.mm: (0, 1), _ATEN.addmm: (1, 2), _ATEN.bmm: (0, 1), _ATEN.baddbmm: (1, 2),
    _ATEN._grouped_mm: (0, 1),
}  # fmt: skip
#: What takes rows out of a table by their number.
_LOOKS_UP = (_ATEN.embedding, _ATEN.index, _ATEN.index_select, _ATEN.gather)
_CONVOLUTION = _ATEN.convolution
#: What adds a tensor to others, as a bias or a table of positions.
_ADDS = (_ATEN.add, _ATEN.add_, _ATEN.sub, _ATEN.sub_, _ATEN.rsub)


class Product(NamedTuple):
    """A product in which a named tensor met activations.

    Attributes
    ----------
    name
        Of the tensor.
    axis
        The axis of the tensor that was summed over, its inputs: -1 or -2.
    start
        Where in the tensor's memory the factor begins, in elements: which of a stack it is.
    axes
        How many axes the factor has: three where a whole stack was taken at once.
    x
        The other factor, (..., tokens, inputs).
    """

    name: str
    axis: int
    start: int
    axes: int
    x: Tensor


class Products(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context that tells of each product of a named tensor with activations.

    Parameters
    ----------
    named
        The tensors to look for; their memory tells them.
    met
        Called with each product, after it was made.
    in_use
        Whether a linear layer of a weight's name is under way, whose other factor is then what it
        takes, even where that is a weight too: queries that were learned.

    Attributes
    ----------
    computed
        Names whose values were computed with before a product: what the product took is not the
        tensor itself.
    convolved
        Names of kernels of convolutions.
    apart
        Names that were looked up as tables or added, as biases are, and vectors.
    scaling
        Names by which activations were multiplied number by number.
    strange
        Names that were taken in a way which is none of these, with what took them.
    """

    def __init__(
        self,
        named: Mapping[str, Tensor],
        met: Callable[[Product], None],
        in_use: Callable[[str], bool] = lambda name: False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._named = Places(named)
        self._met, self._in_use = met, in_use
        self._lengths = {n: tensor.numel() for n, tensor in named.items() if tensor.dim() < 2}
        #: Tensors that were computed from named ones alone, with the names; looked up in one.
        self._from: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self._rows: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self.computed: dict[str, None] = {}
        self.convolved: dict[str, None] = {}
        self.apart: dict[str, None] = {}
        self.scaling: dict[str, None] = {}
        self.strange: dict[str, str] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Make what was asked for, and note what it was made from."""
        if (parts := in_parts(self, func, args, kwargs)) is not NotImplemented:
            return parts
        out = func(*args, **(kwargs or {}))
        given = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, Tensor)]
        if factors := FACTORS.get(func.overloadpacket):
            if factors[0] and (bias := self._name(args[0])):
                self.apart[bias] = None
            self._product(args[factors[0]], args[factors[1]], out)
        elif func.overloadpacket is _CONVOLUTION:
            self._noted(self.convolved, args[1])
        else:
            self._other(func, given, out)
        return out

    def _product(self, left: Tensor, right: Tensor, out: Tensor) -> None:
        sides = [(left, right, left.dim() - 1), (right, left, right.dim() - 2)]
        behind = [self._names(left), self._names(right)]
        if all(behind):
            used = [self._in_use(self._name(factor) or "") for factor, *_ in sides]
            if not any(used):  # of weights alone, as A B of an adapter: another weight
                self._marked(self._from, out, tuple(dict.fromkeys(behind[0] + behind[1])))
                return
            takes = used.index(True)
            self.apart.update(dict.fromkeys(behind[1 - takes]))
            sides = [sides[takes]]
        plain = any(self._name(factor) for factor, *_ in sides)
        for factor, other, axis in sides:
            if name := self._name(factor):
                self._factor(name, factor, axis, other if factor is right else other.mT)
            elif factor in self._from:
                self.computed.update(dict.fromkeys(self._matrices_of(factor)))
            elif factor in self._rows and not plain:
                self.computed.update(dict.fromkeys(self._rows[factor]))

    def _factor(self, name: str, factor: Tensor, axis: int, x: Tensor) -> None:
        """Tell of a named tensor that met activations, summed over an axis of the factor."""
        place = self._named.of(factor)
        assert place is not None
        summed = place.axis_of(factor, axis)
        if name not in self._matrices_of(factor):
            self.apart[name] = None
        elif summed is None:
            one = place.tensor.dim() < 2
            taken = "it has one axis and is" if one else "a part of one of its axes is"
            self.strange[name] = f"{taken} taken as a matrix"
        else:
            self._met(Product(name, summed, place.start_of(factor), factor.dim(), x))

    def _other(self, func: Any, given: list[Tensor], out: Any) -> None:
        """What is no product: it leads from a named tensor to others, or ends its way."""
        found = [self._names(each) for each in given]
        names = tuple(dict.fromkeys(name for each in found for name in each))
        if not names:
            rows = next((self._rows[each] for each in given if each in self._rows), None)
            if rows is not None and func.is_view:
                self._marked(self._rows, out, rows)
            return
        if func.overloadpacket is CAST and self._named.copied(given[0], out):
            return  # in another type it is the same tensor still
        if all(found):
            self._marked(self._from, out, names)
        elif func.overloadpacket in _LOOKS_UP and found[0]:
            self.apart.update(dict.fromkeys(names))
            self._marked(self._rows, out, names)
        elif torch.Tag.pointwise in func.tags:
            ends = self.apart if func.overloadpacket in _ADDS else self.scaling
            ends.update(dict.fromkeys(names))
        else:
            said = f"{func.overloadpacket} takes it, which is no product known here"
            self.apart.update(dict.fromkeys(names))
            self.strange.update({n: said for each in given for n in self._matrices_of(each)})

    def _marked(self, marks: WeakTensorKeyDictionary, out: Any, names: tuple[str, ...]) -> None:
        for tensor in _tensors(out):
            if self._name(tensor) is None:  # a view is its tensor still
                marks[tensor] = names

    def _noted(self, names: dict[str, None], tensor: Tensor) -> None:
        if name := self._name(tensor):
            names[name] = None
        else:
            self.computed.update(dict.fromkeys(self._source(tensor)))

    def _names(self, tensor: Tensor) -> tuple[str, ...]:
        own = self._name(tensor)
        return self._source(tensor) if own is None else (own,)

    def _source(self, tensor: Tensor) -> tuple[str, ...]:
        found: tuple[str, ...] = self._from.get(tensor, ())  # type: ignore[no-untyped-call]
        return found

    def _matrices_of(self, view: Tensor) -> tuple[str, ...]:
        """The named tensors behind one, without vectors that it is all of, or a vector made of:
        these are no matrix in any product.
        """
        names = self._names(view)
        axes = [long for long, step in zip(view.shape, view.stride(), strict=True) if step]
        if sum(long > 1 for long in axes) > 1:
            return names
        whole = math.prod(axes) if self._name(view) else None
        lengths = ((name, self._lengths.get(name)) for name in names)
        return tuple(n for n, long in lengths if long is None or whole not in (None, long))

    def _name(self, tensor: Tensor) -> str | None:
        place = self._named.of(tensor)
        return place and place.name


def _tensors(out: Any) -> Iterator[Tensor]:
    return (each for each in tree_flatten(out)[0] if isinstance(each, Tensor))
