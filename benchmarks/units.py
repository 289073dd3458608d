"""Runs that depend on one another: do 90% intervals cover, and which tables are warned?

Truth and law are Hoffmann's form, or Kumar's where runs differ in precision. The first table has
designs in which runs share something, each fitted as units are found and with rows taken as
independent, as before. The second has healthy designs of random shape and noise, and their exact
losses, none of which should be warned. Run ``python -m benchmarks.units [COUNT]``; full is 200.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from benchmarks.timing import repeats, share, table
from isoloss.fits import Fit, WarningKind, fit
from isoloss.laws import Array, as_inputs, as_law
from isoloss.runs import Runs

NAMES = ("alpha", "beta", "E")
TRUTH = as_law("chinchilla").with_values(
    {"A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28, "E": 1.69, "kappa": 1.0}
)
KUMAR = as_law("kumar2024")
#: Warnings that say that runs depend on one another, or that one of them is odd.
SAID = (
    WarningKind.UNDECLARED_UNITS,
    WarningKind.FEW_GROUPS,
    WarningKind.ODD_ROW,
    WarningKind.SPLIT_CELLS,
    WarningKind.ODD_COUNTS,
    WarningKind.RISING_LOSS,
)
NOISE = 0.005
Design = tuple[Array, Array, Array]


def grid(sizes: int, lengths: int, seeds: int = 1) -> tuple[Array, Array]:
    """Params and tokens of a grid, each cell repeated."""
    n, ratio, _ = np.meshgrid(
        np.geomspace(5e7, 5e9, sizes), np.geomspace(5, 320, lengths), np.arange(seeds)
    )
    return n.ravel(), (n * ratio).ravel()


def independent(rng: np.random.Generator) -> Design:
    """A 6 x 8 grid of runs that share nothing."""
    n, d = grid(6, 8)
    return n, d, NOISE * rng.standard_normal(len(n))


def seeds_alone(rng: np.random.Generator) -> Design:
    """Three seeds in each of 20 cells that have no effect of their own."""
    n, d = grid(4, 5, 3)
    return n, d, NOISE * rng.standard_normal(len(n))


def seeds_in_cells(rng: np.random.Generator) -> Design:
    """Three seeds in each of 20 cells, whose own effects are as large as the seed noise."""
    n, d = grid(4, 5, 3)
    cell = np.unique(np.column_stack([n, d]), axis=0, return_inverse=True)[1].ravel()
    own = rng.standard_normal(int(cell.max()) + 1)[cell]
    return n, d, NOISE * (own + rng.standard_normal(len(n)))


def checkpoints(rng: np.random.Generator) -> Design:
    """Twelve evaluations along each of eight runs: an offset a run, noise that lasts, no group."""
    n, k = np.meshgrid(np.geomspace(5e7, 5e9, 8), np.arange(1, 13))
    offset = rng.standard_normal(8)[None, :]
    walk = np.zeros(n.shape)
    for step in range(12):
        before = walk[step - 1] if step else np.zeros(8)
        walk[step] = 0.8 * before + 0.6 * rng.standard_normal(8)
    e = NOISE * (offset + walk + 0.2 * rng.standard_normal(n.shape))
    return n.ravel(), (n * 5 * k).ravel(), e.ravel()


def few_offsets(rng: np.random.Generator) -> Design:
    """Six evaluations at doubling tokens along each of eight runs: an offset a run alone."""
    n, k = np.meshgrid(np.geomspace(5e7, 5e9, 8), 2.0 ** np.arange(6))
    e = NOISE * (rng.standard_normal(8)[None, :] + 0.5 * rng.standard_normal(n.shape))
    return n.ravel(), (n * 10 * k).ravel(), e.ravel()


DESIGNS: dict[str, Callable[[np.random.Generator], Design]] = {
    "independent runs, 6 x 8": independent,
    "20 cells of 3 seeds, no cell effect": seeds_alone,
    "20 cells of 3 seeds, cell effect": seeds_in_cells,
    "8 runs x 12 checkpoints, undeclared": checkpoints,
    "8 runs x 6 at doubling tokens, undeclared": few_offsets,
}


@dataclass(frozen=True)
class Repeat:
    """One table: which constants are covered, whether it is warned, and as what it is counted."""

    covered: Array
    warned: bool
    kind: str


def runs_of(n: Array, d: Array, e: Array) -> Runs:
    """A table of losses under the truth times exp(e)."""
    frame = pl.DataFrame({"params": n, "tokens": d, "precision": "bf16", "loss": np.ones(len(n))})
    bare = Runs.from_frame(frame)
    return bare.with_columns(loss=TRUTH.loss(as_inputs(n, d, bare.precisions)) * np.exp(e))


def repeat(name: str, how: str | None, seed: int) -> Repeat:
    """One table of a design, fitted with the default options."""
    rng = np.random.default_rng([seed, len(name)])
    found: Fit = fit(
        "chinchilla", runs_of(*DESIGNS[name](rng)), objective="student", how=how, draws=200,
        starts=12, seed=seed,
    )  # fmt: skip
    ends = np.array([found.interval(k) for k in NAMES])
    truth = np.array([TRUTH.values[k] for k in NAMES])
    said = any(each.kind in SAID for each in found.warnings)
    return Repeat(
        (ends[:, 0] <= truth) & (truth <= ends[:, 1]), said, found.units.kind if found.units else ""
    )


def isoflop(rng: np.random.Generator) -> Array:
    """Params, tokens of four to six IsoFLOP curves of five to eight sizes each."""
    budget, share_of = np.meshgrid(
        np.geomspace(6e18, 6e21, int(rng.integers(4, 7))),
        np.geomspace(0.3, 3, int(rng.integers(5, 9))),
    )
    n = share_of.ravel() * np.sqrt(budget.ravel() / 120)
    return np.array([n, budget.ravel() / (6 * n)])


def random_grid(rng: np.random.Generator) -> Array:
    """Params, tokens of a grid of four to seven sizes and five to ten lengths, or of 3 x 16."""
    if rng.random() < 0.25:
        return np.array(grid(3, 16))
    return np.array(grid(int(rng.integers(4, 8)), int(rng.integers(5, 11))))


def even_grid(rng: np.random.Generator) -> Array:
    """As a grid, of separate runs whose tokens rise in even steps."""
    n, k = np.meshgrid(np.geomspace(5e7, 5e9, int(rng.integers(4, 8))), np.arange(1.0, 10.0))
    return np.array([n.ravel(), 2e10 * k.ravel()])


def random_seeds(rng: np.random.Generator) -> Array:
    """As a grid, each cell two to four times."""
    n, d = grid(int(rng.integers(4, 6)), int(rng.integers(4, 7)), int(rng.integers(2, 5)))
    return np.array([n, d])


HEALTHY: dict[str, Callable[[np.random.Generator], Array]] = {
    "grids": random_grid,
    "IsoFLOP curves": isoflop,
    "grids of even steps in tokens": even_grid,
    "seeds in cells": random_seeds,
    "4 x 5 x 9 precision grid": lambda rng: np.array(grid(4, 5)),
}
BITS = ("bf16", "w2", "w3", "w4", "w6", "w8", "w4 a8", "a6", "w3 a8")


def healthy(name: str, seed: int, exact: bool) -> Fit:
    """A fit of one healthy table; its units and warnings do not rest on replicates."""
    rng = np.random.default_rng([seed, len(name)])
    n, d = HEALTHY[name](rng)
    spelled = BITS if "precision" in name else ("bf16",)
    law = KUMAR if "precision" in name else TRUTH
    n, d = np.tile(n, len(spelled)), np.tile(d, len(spelled))
    words = np.repeat(spelled, len(n) // len(spelled))
    bare = Runs.from_frame(
        pl.DataFrame({"params": n, "tokens": d, "precision": words, "loss": 1.0})
    )
    noise = 0.0 if exact else np.exp(rng.uniform(np.log(1e-3), np.log(2e-2)))
    loss = law.loss(as_inputs(n, d, bare.precisions))
    runs = bare.with_columns(loss=loss * np.exp(noise * rng.standard_normal(len(n))))
    return fit(law.name, runs, draws=2, starts=8, seed=seed)


def coverage(count: int) -> list[list[str]]:
    """A line for each dependent design and way of resampling."""
    rows = []
    for name in DESIGNS:
        for how in (None, "runs"):
            found = [repeat(name, how, seed) for seed in range(count)]
            hits = np.array([each.covered for each in found])
            shares = [share(hits[:, i]) for i in range(len(NAMES))]
            kind = max({each.kind for each in found}, key=[e.kind for e in found].count)
            rows.append([name, how or kind, *shares, share([each.warned for each in found])])
    return rows


def alarms(count: int) -> list[list[str]]:
    """A line for each healthy design: how often it is warned, with noise and exact, and of what."""
    rows = []
    for name in HEALTHY:
        found = [[healthy(name, seed, exact) for seed in range(count)] for exact in (False, True)]
        kinds = [[{w.kind for w in f.warnings} & set(SAID) for f in each] for each in found]
        named = sorted({str(k.value) for each in kinds for one in each for k in one})
        cells = [share([bool(one) for one in each]) for each in kinds]
        rows.append([name, *cells, ", ".join(named) or "none"])
    return rows


def main() -> None:
    """Print coverage by design, and false alarms of healthy ones."""
    count = next((int(word) for word in sys.argv[1:] if word.isdigit()), repeats(40))
    print(f"### Runs that depend on one another: 90% intervals, {count} tables a line\n")
    print(table(["design", "unit", *NAMES, "warned"], coverage(count)))
    print(f"\n### Healthy tables that are warned, {count} tables a line\n")
    print(table(["design", "with noise", "exact", "kinds of warnings"], alarms(count)))


if __name__ == "__main__":
    main()
