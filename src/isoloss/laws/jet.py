"""A value with exact first and second derivatives, so that a formula is written once, in numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: A float, an array or a Jet: what a formula computes with.
Value = Any
#: Derivatives beyond which pairs are looked at for zeros: constants of different levels of a table
#: never meet in a run, and most pairs of a law with many levels are of that kind.
MANY = 12


class Jet:
    """A value of shape (S, n) with sparse derivatives by the constants it depends on.

    ``grad[i]`` is the derivative by constant i, ``hess[i, j]`` (i <= j) the second one; constants
    that are absent have derivative zero. Arrays broadcast: a constant is (S, 1), a feature of the
    runs (n,), S is the number of parameter vectors evaluated at once. Jets take part in numpy
    arithmetic (``+ - * / **``) and in ``np.exp, log, log2, log1p, expm1, sqrt, square, tanh,
    minimum``; anything else raises TypeError.
    """

    __slots__ = ("grad", "hess", "value")

    def __init__(
        self,
        value: Array,
        grad: Mapping[int, Value],
        hess: Mapping[tuple[int, int], Value] | None = None,
    ) -> None:
        self.value = value
        self.grad = grad
        self.hess = {} if hess is None else hess

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Value, **kwargs: Value
    ) -> Value:
        rule = _RULES.get(ufunc)
        if method != "__call__" or kwargs or rule is None:
            return NotImplemented
        return rule(*inputs)

    def __add__(self, other: Value) -> Jet:
        return _add(self, other)

    def __mul__(self, other: Value) -> Jet:
        return _multiply(self, other)

    def __sub__(self, other: Value) -> Jet:
        return _add(self, -other)

    def __rsub__(self, other: Value) -> Jet:
        return _add(-self, other)

    def __truediv__(self, other: Value) -> Jet:
        return _divide(self, other)

    def __rtruediv__(self, other: Value) -> Jet:
        return _divide(other, self)

    def __pow__(self, other: Value) -> Jet:
        return _power(self, other)

    def __rpow__(self, other: Value) -> Jet:
        return _power(other, self)

    def __neg__(self) -> Jet:
        return _multiply(self, -1.0)

    __radd__ = __add__
    __rmul__ = __mul__

    def mapped(self, change: Callable[[Value], Value]) -> Jet:
        """The jet with a linear map applied to the value and to every derivative."""
        hess = {pair: change(h) for pair, h in self.hess.items()}
        return Jet(change(self.value), {i: change(g) for i, g in self.grad.items()}, hess)


def take(value: Value, index: NDArray[np.intp]) -> Value:
    """Gathers the last axis: values per level become values per run."""

    def pick(array: Value) -> Value:
        return array[..., index] if np.ndim(array) and np.shape(array)[-1] > 1 else array

    if isinstance(value, Jet):
        return value.mapped(pick)
    return pick(np.asarray(value))


def select(mask: NDArray[np.bool_], value: Value, otherwise: float) -> Value:
    """The value where the mask (over the last axis) holds, a plain number elsewhere."""
    if mask.all():
        return value
    if isinstance(value, Jet):
        chosen = value.mapped(lambda part: np.where(mask, part, 0.0))
        return Jet(np.where(mask, value.value, otherwise), chosen.grad, chosen.hess)
    return np.where(mask, value, otherwise)


def plain(value: Value) -> Array:
    """The value without derivatives."""
    return np.asarray(value.value if isinstance(value, Jet) else value, dtype=float)


def _merge(a: Mapping[Any, Value], b: Mapping[Any, Value]) -> dict[Any, Value]:
    out = dict(a)
    for key, value in b.items():
        out[key] = out[key] + value if key in out else value
    return out


def _scaled(parts: Mapping[Any, Value], factor: Value) -> dict[Any, Value]:
    return {key: part * factor for key, part in parts.items()}


def _is_zero(part: Value) -> bool:
    """Whether a part is zero everywhere; most that are not show it in their first row."""
    array = np.asarray(part)
    return not (array[0].any() if array.ndim > 1 else False) and not array.any()


def _pairs(
    grad: Mapping[int, Value], other: Mapping[int, Value], hess: dict[tuple[int, int], Value]
) -> None:
    """Adds grad_i other_j + grad_j other_i to the second derivatives."""
    many = len(grad) + len(other) > MANY
    for i, g in grad.items():
        for j, o in other.items():
            product = g * o
            if many and _is_zero(product):
                continue
            pair = (i, j) if i <= j else (j, i)
            if i == j:
                product = 2.0 * product
            hess[pair] = hess[pair] + product if pair in hess else product


def _add(a: Value, b: Value) -> Jet:
    if not isinstance(b, Jet):
        return Jet(a.value + b, a.grad, a.hess)
    if not isinstance(a, Jet):
        return Jet(a + b.value, b.grad, b.hess)
    return Jet(a.value + b.value, _merge(a.grad, b.grad), _merge(a.hess, b.hess))


def _multiply(a: Value, b: Value) -> Jet:
    if not isinstance(a, Jet):
        a, b = b, a
    if not isinstance(b, Jet):
        product: Jet = a.mapped(lambda part: part * b)
        return product
    grad = _merge(_scaled(a.grad, b.value), _scaled(b.grad, a.value))
    hess = _merge(_scaled(a.hess, b.value), _scaled(b.hess, a.value))
    _pairs(a.grad, b.grad, hess)
    return Jet(a.value * b.value, grad, hess)


def _chain(a: Jet, value: Array, first: Value, second: Value) -> Jet:
    """A scalar function of a jet from its value and its two derivatives."""
    hess = _scaled(a.hess, first)
    items = sorted(a.grad.items())
    many = len(items) > MANY
    for k, (i, g) in enumerate(items):
        bent = g * second
        for j, o in items[k:]:
            product = bent * o
            if many and _is_zero(product):
                continue
            hess[i, j] = hess[i, j] + product if (i, j) in hess else product
    return Jet(value, _scaled(a.grad, first), hess)


def _exp(a: Jet) -> Jet:
    value = np.exp(a.value)
    return _chain(a, value, value, value)


def _log(a: Jet) -> Jet:
    inverse = 1.0 / a.value
    return _chain(a, np.log(a.value), inverse, -inverse * inverse)


def _reciprocal(a: Jet) -> Jet:
    inverse = 1.0 / a.value
    square = inverse * inverse
    return _chain(a, inverse, -square, 2.0 * square * inverse)


def _divide(a: Value, b: Value) -> Jet:
    if isinstance(b, Jet):
        return _multiply(_reciprocal(b), a)
    return _multiply(a, 1.0 / np.asarray(b, dtype=float))


def _power(a: Value, b: Value) -> Jet:
    if isinstance(b, Jet):
        return _jet_power(a, b) if isinstance(a, Jet) else _exp(_multiply(b, np.log(a)))
    value = a.value**b
    return _chain(a, value, b * a.value ** (b - 1.0), b * (b - 1.0) * a.value ** (b - 2.0))


def _jet_power(a: Jet, b: Jet) -> Jet:
    """a^b in one pass over the second derivatives (exp(b log a) would take three)."""
    value, log = a.value**b.value, np.log(a.value)
    by_a = value / a.value
    slope = b.value * by_a
    first = _chain(a, value, slope, (b.value - 1.0) * slope / a.value)
    second = _chain(b, value, value * log, value * log * log)
    hess = _merge(first.hess, second.hess)
    _pairs(_scaled(a.grad, by_a * (1.0 + b.value * log)), b.grad, hess)
    return Jet(value, _merge(first.grad, second.grad), hess)


def _tanh(a: Jet) -> Jet:
    value = np.tanh(a.value)
    slope = 1.0 - value * value
    return _chain(a, value, slope, -2.0 * value * slope)


def _expm1(a: Jet) -> Jet:
    slope = np.exp(a.value)
    return _chain(a, np.expm1(a.value), slope, slope)


def _minimum(a: Value, b: Value) -> Jet:
    smaller = plain(a) <= plain(b)
    first, second = (
        x if isinstance(x, Jet) else Jet(np.asarray(x, dtype=float), {}) for x in (a, b)
    )
    return _add(
        first.mapped(lambda part: np.where(smaller, part, 0.0)),
        second.mapped(lambda part: np.where(smaller, 0.0, part)),
    )


_RULES: dict[Any, Callable[..., Jet]] = {
    np.add: _add,
    np.subtract: lambda a, b: _add(a, -b),
    np.multiply: _multiply,
    np.true_divide: _divide,
    np.power: _power,
    np.negative: lambda a: -a,
    np.exp: _exp,
    np.expm1: _expm1,
    np.log: _log,
    np.log1p: lambda a: _log(1.0 + a),
    np.log2: lambda a: _log(a) * (1.0 / np.log(2.0)),
    np.sqrt: lambda a: _power(a, 0.5),
    np.square: lambda a: _power(a, 2.0),
    np.tanh: _tanh,
    np.minimum: _minimum,
}
