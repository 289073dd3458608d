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
        Called with a matrix and its inputs, (..., tokens, inputs).
    all_of_it
        Whether runs go on when every matrix was met, since one may be met again.
    """

    def __init__(
        self,
        matrices: Iterable[Matrix],
        met: Callable[[Matrix, Tensor], None],
        all_of_it: bool = False,
    ) -> None:
        self._by_weight: dict[int, list[Matrix]] = {}
        for matrix in matrices:
            self._by_weight.setdefault(id(matrix.weight), []).append(matrix)
        self._named = {str(key): held[0].weight for key, held in self._by_weight.items()}
        self._met = met
        self._wanted = sum(map(len, self._by_weight.values()))
        self._all_of_it = all_of_it
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
        if len(self._seen) == self._wanted and not self._all_of_it:
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


def in_order(
    matrices: Iterable[Matrix], runs: Iterable[Callable[[], Any]]
) -> tuple[list[list[Matrix]], bool]:
    """The matrices in the order in which tokens pass them, those that take the same inputs one
    after another as one group; and whether one is passed several times in a run, as layers of
    shared weights. Experts of a stack come one by one where the first of them is passed.

    Runs follow one another until all were passed; experts that none passes come last.

    Raises
    ------
    ModelError
        Tokens do not pass one of them, which is no expert.
    """
    wanted = list(matrices)
    passed = _Passed(wanted)
    for run in runs:
        with torch.no_grad(), Meeting(passed.left(), passed.met, all_of_it=True).watch():
            run()
        passed.last.clear()
        if not passed.left():
            break
    missed = passed.left()
    if others := [matrix.name for matrix in missed if "experts" not in matrix.path]:
        raise ModelError(
            f"{len(others)} of {len(wanted)} matrices are not passed by tokens, such as "
            f"'{others[0]}'; name others"
        )
    return [*passed.groups(), *([matrix] for matrix in missed)], passed.again


class _Passed:
    """Notes which inputs each matrix takes, by number."""

    def __init__(self, wanted: list[Matrix]) -> None:
        self._wanted = wanted
        #: In the order in which they were passed.
        self._inputs: dict[Matrix, list[int]] = {}
        self._count = 0
        self.last: list[Tensor] = []
        self.again = False

    def met(self, matrix: Matrix, x: Tensor) -> None:
        # The same memory, which is kept: q, k and v of a model that has them apart, gate and up.
        if not (self.last and _is_same(self.last[0], x)):
            self._count += 1
            self.last[:] = [x]
        if matrix.expert is not None and matrix not in self._inputs:
            stack = [each for each in self._wanted if each.weight is matrix.weight]
            self._inputs.update({each: [] for each in stack if each not in self._inputs})
        took = self._inputs.setdefault(matrix, [])
        self.again |= bool(took)
        took.append(self._count)

    def left(self) -> list[Matrix]:
        """Those that no run has passed."""
        return [matrix for matrix in self._wanted if matrix not in self._inputs]

    def groups(self) -> list[list[Matrix]]:
        """Those that were passed, by what they took."""
        found: dict[object, list[Matrix]] = {}
        for matrix, took in self._inputs.items():
            alone = matrix.expert is not None
            found.setdefault(matrix if alone else tuple(took), []).append(matrix)
        return list(found.values())


def _is_same(one: Tensor, other: Tensor) -> bool:
    return (one.data_ptr(), one.shape, one.stride()) == (
        other.data_ptr(),
        other.shape,
        other.stride(),
    )
