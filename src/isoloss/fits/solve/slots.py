"""Slots: constants of which each run has one at most share a derivative, as colours of a graph.

A law with a table has a constant for every level, and a run has one level: its loss moves with one
of them. Derivatives by all of a table are then one pass over the formula, and each run says by
which constant its own is. Chen's law of 45 constants has nine slots on the runs of `quest2025`.

Reference: Curtis, Powell and Reid 1974, J. Inst. Math. Appl. 13 (estimation of sparse Jacobians).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoloss.laws import Array, Inputs, Law, alternatives

#: Constants of one table from which on they share a slot.
LEAST = 2


@dataclass(frozen=True)
class Pairs:
    """Where second derivatives of two slots go: runs in order, first run and constants of each."""

    order: NDArray[np.intp]
    first: NDArray[np.intp]
    one: NDArray[np.intp]
    other: NDArray[np.intp]


@dataclass(frozen=True)
class Slots:
    """The slot of every free constant, and the constant behind a slot in every run.

    Attributes
    ----------
    of
        The slot of each free constant, the index of the first one in it, shape (p,).
    owners
        For each slot of several: the index of the constant that each run has, -1 for none, (n,).
    """

    of: NDArray[np.intp]
    owners: dict[int, NDArray[np.intp]]
    _kept: dict[tuple[int, int], Pairs] = field(default_factory=dict, compare=False, repr=False)

    def put(self, jacobian: Array, slot: int, slope: Array) -> None:
        """Write slopes (S, n) by a slot into the Jacobian (S, p, n)."""
        own = self.owners.get(slot)
        if own is None:
            jacobian[:, slot, :] = slope
            return
        rows = np.flatnonzero(own >= 0)
        jacobian[:, own[rows], rows] = slope[:, rows]

    def add(self, hessian: Array, pair: tuple[int, int], second: Array) -> None:
        """Add second derivatives (S, n) by two slots, summed over runs, to a Hessian (S, p, p)."""
        i, j = pair
        if i not in self.owners and j not in self.owners:
            total = second.sum(-1)
            hessian[:, i, j] += total
            if i != j:
                hessian[:, j, i] += total
            return
        pairs = self._pairs(i, j, second.shape[-1])
        if not len(pairs.order):
            return
        totals = np.add.reduceat(second[:, pairs.order], pairs.first, axis=1)
        hessian[:, pairs.one, pairs.other] += totals
        if i != j:
            hessian[:, pairs.other, pairs.one] += totals

    def _pairs(self, i: int, j: int, count: int) -> Pairs:
        if (i, j) not in self._kept:
            one, other = (self.owners.get(k, np.full(count, k)) for k in (i, j))
            rows = np.flatnonzero((one >= 0) & (other >= 0))
            key = one[rows] * len(self.of) + other[rows]
            order = np.argsort(key, kind="stable")
            _, first = np.unique(key[order], return_index=True)
            ordered = rows[order]
            self._kept[i, j] = Pairs(ordered, first, one[ordered[first]], other[ordered[first]])
        return self._kept[i, j]


def slots_of(law: Law, x: Inputs) -> Slots:
    """The slots of a law's free constants on some runs; ties keep a constant to itself."""
    place = {k.name: i for i, k in enumerate(law.free)}
    tied = {*law.ties, *law.ties.values()}
    of, owners = np.arange(len(place)), {}
    for table in alternatives(law.formula, x.levels):
        free = {place[name]: mask for name, mask in table.items() if name in place.keys() - tied}
        if len(free) < LEAST:
            continue
        slot = min(free)
        own = np.full(len(x), -1)
        for i, mask in free.items():
            of[i] = slot
            own[mask[x.level]] = i
        owners[slot] = own
    return Slots(of, owners)
