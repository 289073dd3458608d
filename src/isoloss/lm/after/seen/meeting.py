"""Matrices met by activations while a model runs: each with its inputs, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from isoloss.lm.after.seen.matrix import Matrix
from isoloss.lm.after.seen.products import Product, Products
from isoloss.lm.shape import ModelError


class Enough(Exception):
    """Raised inside a run whose rest is not needed."""


class Meeting:
    """Tells what some matrices take of a run.

    Parameters
    ----------
    matrices
        Which; others are not told of.
    met
        Called with a matrix and its inputs, (..., tokens, inputs). A run ends early where every
        matrix was met, unless one may be passed by.
    """

    def __init__(self, matrices: Iterable[Matrix], met: Callable[[Matrix, Tensor], None]) -> None:
        self._by_weight: dict[int, list[Matrix]] = {}
        for matrix in matrices:
            self._by_weight.setdefault(id(matrix.weight), []).append(matrix)
        self._named = {str(key): held[0].weight for key, held in self._by_weight.items()}
        self._met = met
        self._wanted = sum(map(len, self._by_weight.values()))
        self._seen: set[Matrix] = set()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """A context for one run."""
        self._seen = set()
        try:
            # Compiled roundings of a model cannot be looked into; as they are, they are the same.
            with torch.compiler.set_stance("force_eager"), Products(self._named, self._product):
                yield
        except Enough:
            return

    def _product(self, product: Product) -> None:
        for matrix in self._by_weight[int(product.name)]:
            x = _inputs(matrix, product)
            if x is not None:
                self._met(matrix, x)
                self._seen.add(matrix)
        if len(self._seen) == self._wanted:
            raise Enough


def _inputs(matrix: Matrix, product: Product) -> Tensor | None:
    """What the matrix takes in a product with its parameter; None where another expert takes it."""
    if matrix.expert is None:
        return product.x
    if product.axes == 2:
        return product.x if product.start == matrix.start else None
    if product.x.dim() != product.axes:
        raise ModelError(
            f"the experts of '{matrix.name}' are multiplied at once, so the inputs of each are not "
            "seen; load the model with experts_implementation='eager'"
        )
    return product.x[matrix.expert]


def in_order(matrices: Iterable[Matrix], runs: Iterable[Callable[[], Any]]) -> list[list[Matrix]]:
    """The matrices in the order in which tokens pass them, those that take the same input one after
    another as one group; experts of a stack come one by one where the first of them is passed.
    Runs follow one another until all were passed; experts that none passes come last.

    Raises
    ------
    ModelError
        Tokens do not pass one of them, which is no expert.
    """
    wanted = list(matrices)
    groups: list[list[Matrix]] = []
    done: set[Matrix] = set()
    last: list[Tensor] = []

    def met(matrix: Matrix, x: Tensor) -> None:
        if matrix in done:
            return
        if matrix.expert is not None:
            stack = [each for each in wanted if each.weight is matrix.weight]
            groups.extend([each] for each in stack)
            done.update(stack)
            last.clear()
            return
        # The same memory, which is kept: q, k and v of a model that has them apart, gate and up.
        if last and _is_same(last[0], x):
            groups[-1].append(matrix)
        else:
            groups.append([matrix])
        done.add(matrix)
        last[:] = [x]

    for run in runs:
        with torch.no_grad(), Meeting([m for m in wanted if m not in done], met).watch():
            run()
        last.clear()
        if len(done) == len(wanted):
            return groups
    missed = [matrix for matrix in wanted if matrix not in done]
    if others := [matrix.name for matrix in missed if "experts" not in matrix.path]:
        raise ModelError(
            f"{len(others)} of {len(wanted)} matrices are not passed by tokens, such as "
            f"'{others[0]}'; name others"
        )
    return [*groups, *([matrix] for matrix in missed)]


def _is_same(one: Tensor, other: Tensor) -> bool:
    return (one.data_ptr(), one.shape, one.stride()) == (
        other.data_ptr(),
        other.shape,
        other.stride(),
    )
