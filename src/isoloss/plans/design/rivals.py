"""Rival designs, each scaled to cost the same: regular grids, an L, two ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from isoloss.formats import Precision
from isoloss.laws import Array
from isoloss.plans.costs import Hardware, rate_of
from isoloss.plans.design.candidates import Candidates, Region
from isoloss.plans.design.exchange import Counts

#: Sides of the regular grids; steps of the arms of an L, and of the ladders at two ratios.
SIDES, ARMS, LADDERS = (2, 3, 4, 5, 6, 8), (2, 3, 4, 6, 8, 12), (2, 3, 4, 6, 8)
#: Seeds of every run of a rival.
SEEDS = (1, 2, 4, 8)
#: How far, as a power of the region, a design may reach to spend all of its cost.
FAR = 3.0


def rivals(
    region: Region,
    machine: Hardware,
    precisions: Sequence[Precision],
    most: float,
    runs: int,
    most_seeds: int = SEEDS[-1],
) -> Iterator[tuple[str, Candidates, int]]:
    """Rivals that cost `most` in so many runs and seeds at most, by name, each with its runs and
    their seeds, in several sizes.
    """
    rate = _rates(machine, precisions)
    for seeds in (each for each in SEEDS if each <= most_seeds):
        for name, shape in _shapes(region, precisions, rate):
            found = _scaled(shape, most / seeds)
            if found is not None and 0 < seeds * len(found) <= runs:
                yield name, found, seeds


def _shapes(
    region: Region, precisions: Sequence[Precision], rate: Array
) -> Iterator[tuple[str, Callable[[float], Candidates]]]:
    """Shapes as functions of the share of the region, in logarithms, that they reach.

    Grids and Ls need its corners, and are held to no tokens per param.
    """

    def runs(n: Array, d: Array) -> Candidates:
        return _priced(n, d, precisions, rate)

    def ends(share: float) -> list[tuple[float, float]]:
        sides = region.params, region.tokens
        return [(low, low * (high / low) ** share) for low, high in sides]

    for side in SIDES:

        def square(share: float, side: int = side) -> Candidates:
            sizes, lengths = (np.geomspace(*each, side) for each in ends(share))
            return runs(np.repeat(sizes, side), np.tile(lengths, side))

        yield "regular grid", square
    for arm in ARMS:

        def angle(share: float, arm: int = arm) -> Candidates:
            sizes, lengths = (np.geomspace(*each, arm + 1) for each in ends(share))
            first = np.full(arm, sizes[0]), np.full(arm, lengths[0])
            n = np.concatenate([sizes, first[0]])
            return runs(n, np.concatenate([np.full(arm + 1, lengths[0]), lengths[1:]]))

        yield "L-shape", angle
    for steps in LADDERS:

        def ladders(share: float, steps: int = steps) -> Candidates:
            sizes, low, high = np.geomspace(*ends(share)[0], steps), *ratios_of(region)
            return runs(np.tile(sizes, 2), np.concatenate([low * sizes, high * sizes]))

        yield "two ratios", ladders


def ratios_of(region: Region) -> tuple[float, float]:
    """The least and the most tokens per param of a region's runs at its least size."""
    low, high = region.ratio
    least, most = region.tokens[0] / region.params[0], region.tokens[1] / region.params[0]
    return max(low, least), min(high, most)


def candidates_at(
    params: Array, tokens: Array, machine: Hardware, precisions: Sequence[Precision]
) -> Candidates:
    """Runs at some params and tokens, each in every precision."""
    return _priced(params, tokens, precisions, _rates(machine, precisions))


def _priced(
    params: Array, tokens: Array, precisions: Sequence[Precision], rate: Array
) -> Candidates:
    """Such runs where the rates of the precisions are known."""
    formats = len(precisions)
    n, d = np.repeat(params, formats), np.repeat(tokens, formats)
    which = np.tile(np.arange(formats), len(params))
    return Candidates(n, d, which, 6.0 * n * d * rate[which], tuple(precisions))


def _rates(machine: Hardware, precisions: Sequence[Precision]) -> Array:
    """What a FLOP in each precision costs, in FLOPs of bf16."""
    return np.array([rate_of(machine, p).cost for p in precisions])


def _scaled(shape: Callable[[float], Candidates], most: float) -> Candidates | None:
    """The shape that costs `most`; None where even its least corner costs more."""
    low, high = 0.05, FAR
    if shape(low).cost.sum() > most:
        return None
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if shape(middle).cost.sum() <= most else (low, middle)
    return shape(low)


def ratio_spread(runs: Candidates, counts: Array | Counts, beta: float) -> float:
    """V_K = mean(k^-2 beta) - mean(k^-beta)^2 over the tokens per param k of a design.

    Reference: 2605.08541.
    """
    power = (runs.tokens / runs.params) ** -beta
    weights = counts / counts.sum()
    return float(weights @ power**2 - (weights @ power) ** 2)
