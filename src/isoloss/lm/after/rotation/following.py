"""Which tensors of a model write to its residual stream and which read from it, seen while tokens
pass.

The stream begins where tokens are looked up. What is added to it is written to it; what takes it,
itself or behind a norm, reads from it. Every tensor whose last axis lies in the basis of the stream
is marked on its way; operators that treat the places of that axis alike pass the mark on, all
others end it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.weak import WeakTensorKeyDictionary

from isoloss.lm.after.seen import FACTORS, Places, in_parts
from isoloss.lm.shape import ModelError

_ATEN = torch.ops.aten
_SUMS = (
    _ATEN.add, _ATEN.add_, _ATEN.index_add, _ATEN.index_add_, _ATEN.index_put, _ATEN.index_put_,
    _ATEN.scatter_add, _ATEN.scatter_add_, _ATEN.cat,
)  # fmt: skip
_SCALES = (_ATEN.mul, _ATEN.mul_, _ATEN.div, _ATEN.div_)
#: Operators that leave each row of the last axis as it is, or take rows together.
_KEEP = (
    _ATEN._to_copy, _ATEN.clone, _ATEN.index, _ATEN.index_select, _ATEN._unsafe_view, _ATEN.sum,
    _ATEN.repeat,
)  # fmt: skip


@dataclass(frozen=True)
class _Read:
    """The stream, or what a norm makes of it."""

    norm: str = ""


@dataclass(frozen=True)
class _Written:
    """What may be added to the stream: the tensors that made it, and the norm behind them."""

    names: frozenset[str]
    norm: str = ""


@dataclass(frozen=True)
class Ends:
    """The tensors of a model at its residual stream, by name.

    Attributes
    ----------
    tables
        Those whose rows are looked up into it.
    readers
        Those that multiply it: the axis of their inputs (-1 or -2), and the norm before them ("":
        none).
    writers
        Those that are added to it: matrices with the axis of their inputs, biases with 0.
    norms
        The norms that take it.
    """

    tables: frozenset[str]
    readers: dict[str, tuple[int, str]]
    writers: dict[str, int]
    norms: dict[str, nn.Module]


@torch.no_grad()
def ends_of_stream(model: nn.Module, width: int, run: Callable[[], Any]) -> Ends:
    """What is seen of the stream in a run of tokens.

    Raises
    ------
    ModelError
        A tensor is used in two ways, a norm stands between a matrix and the stream, or no token
        passes a matrix of this width.
    """
    named = dict(model.named_parameters())
    following = _Following(named, width)
    with torch.compiler.set_stance("force_eager"), following.norms_of(model), following:
        run()
    seen = {*following.axes, *following.tables, *following.added}
    for name, weight in named.items():
        if name not in seen and weight.dim() >= 2 and width in weight.shape[-2:]:
            raise ModelError(f"no token passes '{name}', so that nobody knows what takes it")
    if shared := following.tables & {*following.readers}:
        raise ModelError(f"'{min(shared)}' is looked up and multiplied")
    writers = {name: following.axes.get(name, 0) for name in following.writers}
    return Ends(frozenset(following.tables), following.readers, writers, following.norms)


class _Following(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Marks what lies in the basis of the stream."""

    def __init__(self, named: dict[str, nn.Parameter], width: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._named, self._width = Places(named), width
        self._marks: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self.axes: dict[str, int] = {}
        self.tables: set[str] = set()
        self.added: set[str] = set()
        self.readers: dict[str, tuple[int, str]] = {}
        self.writers: set[str] = set()
        self.norms: dict[str, nn.Module] = {}

    @contextmanager
    def norms_of(self, model: nn.Module) -> Iterator[None]:
        """A context in which modules with a gain of the stream's width are taken as norms."""
        hooks = [
            module.register_forward_hook(self._norm(name, module))
            for name, module in model.named_modules()
            if _gain(module, self._width) is not None
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _norm(self, name: str, module: nn.Module) -> Callable[..., None]:
        def after(_: nn.Module, args: tuple[Any, ...], out: Any) -> None:
            mark = self._mark(args[0]) if args else None
            if mark == _Read():
                self.norms[name] = module
                self._marks[out] = _Read(name)
            elif isinstance(mark, _Written):
                self._marks[out] = _Written(mark.names, name)
            else:
                self._set(out, None)

        return after

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Make what was asked for, and mark it."""
        if (parts := in_parts(self, func, args, kwargs)) is not NotImplemented:
            return parts
        given = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, Tensor)]
        marks = [self._mark(each) for each in given]
        out = func(*args, **(kwargs or {}))
        op = func.overloadpacket
        if factors := FACTORS.get(op):
            self._product(args, factors, out)
        elif op is _ATEN.embedding and (name := self._name(args[0])):
            self.tables.add(name)
            self._set(out, _Read())
        elif op in _SUMS:
            self._set(out, self._sum(given, marks))
        elif op in _SCALES:
            self._set(out, _one(marks) if _is_a_number(given, marks) else None)
        elif op in _KEEP or func.is_view:
            self._views(given, marks, out)
        return out

    def _product(self, args: tuple[Any, ...], factors: tuple[int, int], out: Tensor) -> None:
        x, weight = (args[k] for k in factors)
        for factor, axis in ((x, -1), (weight, -2)):
            if place := self._named.of(factor):
                if (inputs := place.axis_of(factor, axis)) is None:
                    raise ModelError(f"a product sums over a part of one axis of '{place.name}'")
                self.axes[place.name] = inputs
        name = self._name(weight)
        if name is None:
            return
        mark = self._mark(x)
        if isinstance(mark, _Read):
            reads = (self.axes[name], mark.norm)
            if self.readers.setdefault(name, reads) != reads:
                raise ModelError(f"'{name}' takes the stream behind different norms")
        bias = self._name(args[0]) if factors[0] else None
        self._set(out, _Written(frozenset({name} | ({bias} if bias else set()))))

    def _sum(self, given: list[Tensor], marks: list[Any]) -> _Read | _Written | None:
        known = [mark for mark in marks if mark is not None]
        names = {
            name
            for each, mark in zip(given, marks, strict=True)
            if mark is None and (name := self._name(each))
        }
        self.added |= names
        written = [mark for mark in known if isinstance(mark, _Written)]
        if not known or any(mark not in (_Read(), *written) for mark in known):
            return None
        norm = next((mark.norm for mark in written if mark.norm), "")
        names = names.union(*(mark.names for mark in written))
        if len(written) == len(known):
            return _Written(frozenset(names), norm)
        if norm:
            raise ModelError(
                f"the norm '{norm}' stands between a matrix and the stream, where its gain cannot "
                "be turned"
            )
        self.writers |= names
        return _Read()

    def _views(self, given: list[Tensor], marks: list[Any], out: Any) -> None:
        found = [each for each in tree_flatten(out)[0] if isinstance(each, Tensor)]
        for each in found:
            # A row of the last axis is one still where its numbers lie as they lay.
            same = each.dim() and given[0].dim() and each.stride(-1) == given[0].stride(-1)
            self._set(each, marks[0] if same else None)

    def _set(self, out: Any, mark: Any) -> None:
        if mark is not None and out.dim() and out.shape[-1] == self._width:
            self._marks[out] = mark
        elif out in self._marks:
            del self._marks[out]

    def _mark(self, tensor: Any) -> _Read | _Written | None:
        found: _Read | _Written | None = self._marks.get(tensor)  # type: ignore[no-untyped-call]
        return found

    def _name(self, tensor: Tensor) -> str | None:
        place = self._named.of(tensor)
        return place and place.name


def _gain(module: nn.Module, width: int) -> Tensor | None:
    weight = dict(module.named_parameters(recurse=False)).get("weight")
    return weight if weight is not None and weight.shape == (width,) else None


def _one(marks: list[Any]) -> Any:
    known = [mark for mark in marks if mark is not None]
    return known[0] if len(known) == 1 else None


def _is_a_number(given: list[Tensor], marks: list[Any]) -> bool:
    """Whether what is not marked is one number for each row of the last axis."""
    others = [each for each, mark in zip(given, marks, strict=True) if mark is None]
    return all(not each.dim() or each.shape[-1] == 1 for each in others)
