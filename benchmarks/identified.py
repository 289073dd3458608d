"""What designs can tell: 90% intervals cover or are withheld, answers are given where they hold.

Each design of runs that people have is drawn many times from a known law and fitted with the
default options. "printed" is the share of intervals that are closed; "covered" of those printed.
"moving" answers are those that the design leaves free (their share withheld is told), "held" ones
those that it tells (their share given). ``python -m benchmarks.identified [count] [design ...]``:
20 tables a design unless a count is given, 200 for the full study.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from benchmarks.timing import repeats, share, table
from isoloss.fits import Fit, WarningKind, fit
from isoloss.fits.doubt import split_compute
from isoloss.laws import Array, DomainError, Law, as_inputs, preset
from isoloss.runs import Runs

LEVEL, NOISE, BUDGET = 0.9, 0.005, 6e19
BASE = {"A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28, "E": 1.69}
KUMAR = {
    "A": 3000.0, "alpha": 0.48, "B": 12000.0, "E": 2.7, "gamma_w": 2.0, "n_w": 0.2,
}  # fmt: skip
#: A point to predict: params, tokens, precision.
Point = tuple[float, float, str]


@dataclass(frozen=True)
class Design:
    """Runs that people have, and what they tell.

    Attributes
    ----------
    runs
        Params, tokens and precision of every run.
    moving, held
        Points whose loss the design leaves free, and points whose loss it tells.
    split, exponent
        Whether it tells the compute-optimal params at its budget, and their exponent; None where
        that is not asked.
    law
        The law of the truth, which is fitted.
    """

    runs: list[Point]
    moving: tuple[Point, ...] = ()
    held: tuple[Point, ...] = ()
    split: bool | None = None
    exponent: bool | None = None
    law: str = "chinchilla"

    def truth(self) -> Law:
        """The law of the truth."""
        return preset(self.law).at(**(BASE if self.law == "chinchilla" else KUMAR))


def designs() -> dict[str, Design]:
    """Every design by name."""
    sizes, lengths = np.geomspace(3e7, 3e9, 24), np.geomspace(1e9, 5e10, 24)
    flat = np.geomspace(1e8, 1e9, 12)
    ladder = np.geomspace(5e7, 1e9, 8)
    few = np.geomspace(5e7, 1e9, 3), np.geomspace(1e9, 5e10, 16)
    mid = np.geomspace(3e7, 4.8e8, 4), np.geomspace(1.6e9, 2.6e10, 5)
    bits = ["bf16", *(f"w{b}" for b in (3, 4, 5, 6, 7, 8, 10, 12))]
    return {
        "two sizes": Design(
            _grid([1e8, 4e8], lengths),
            ((4e9, 5e10, "bf16"), (2e7, 5e10, "bf16")),
            ((4e8, 1e11, "bf16"), (1e8, 1e10, "bf16")),
            exponent=False,
        ),
        "two lengths": Design(
            _grid(sizes, [4e9, 2e10]),
            ((1e9, 4e11, "bf16"),),
            ((6e9, 2e10, "bf16"), (1e9, 4e9, "bf16")),
            exponent=False,
        ),
        "one IsoFLOP curve": Design(
            [(n, BUDGET / (6 * n), "bf16") for n in flat for _ in range(2)],
            ((1e10, 2e11, "bf16"),),
            ((4e8, BUDGET / 2.4e9, "bf16"),),
            split=True,
            exponent=False,
        ),
        "ladder, D = 20 N": Design(
            [(n, 20 * n, "bf16") for n in ladder for _ in range(3)],
            ((1e8, 2e11, "bf16"),),
            ((2e9, 4e10, "bf16"), (3e8, 6e9, "bf16")),
            exponent=False,
        ),
        "one bit width": Design(
            _grid(*mid, ["bf16", "w4"]),
            ((2e8, 1e10, "w3"),),
            ((2e8, 1e10, "w4"), (2e8, 1e10, "bf16")),
            law="kumar2024",
        ),
        "two bit widths": Design(
            _grid(*mid, ["bf16", "w3", "w6"]),
            (),
            ((2e8, 1e10, "w4"), (2e8, 1e10, "bf16")),
            law="kumar2024",
        ),
        "grid, 3 x 16": Design(
            _grid(*few), (), ((2e9, 1e11, "bf16"),), split=True, exponent=True
        ),
        "grid, 4 x 5 x 9": Design(
            _grid(*mid, bits), (), ((1e9, 5e10, "w4"),), law="kumar2024"
        ),
    }  # fmt: skip


def _grid(sizes: Array | list[float], lengths: Array | list[float], names=("bf16",)) -> list[Point]:
    return [(n, d, name) for n in sizes for d in lengths for name in names]


def runs_of(design: Design, rng: np.random.Generator) -> Runs:
    """One table of a design."""
    n, d, p = (list(column) for column in zip(*design.runs, strict=True))
    loss = design.truth().loss(as_inputs(n, d, p))
    noisy = loss * np.exp(NOISE * rng.standard_normal(len(n)))
    return Runs.from_frame(pl.DataFrame({"params": n, "tokens": d, "precision": p, "loss": noisy}))


@dataclass
class Tally:
    """What one design's tables showed, a list of truths and falsehoods a kind."""

    printed: list[bool]
    covered: list[bool]
    withheld: list[bool]
    given: list[bool]
    given_covered: list[bool]
    alarmed: list[bool]


def tally(name: str, count: int) -> Tally:
    """Many tables of a design, fitted."""
    design = designs()[name]
    out = Tally([], [], [], [], [], [])
    for seed in range(count):
        rng = np.random.default_rng([seed, *name.encode()])
        found = fit(design.law, runs_of(design, rng), level=LEVEL, seed=seed)
        _constants(design, found, out)
        for points, told in ((design.moving, _moving(out)), (design.held, _held(out))):
            for point in points:
                told(*_predicted(design, found, point))
        _compute(design, found, out)
        out.alarmed.append(any(w.kind == WarningKind.NOT_IDENTIFIED for w in found.warnings))
    return out


def _predicted(design: Design, found: Fit, point: Point) -> tuple[bool, bool]:
    """Whether an interval is given for a loss, and whether it covers."""
    try:
        p = found.predict(*point, of="mean")
    except DomainError:
        return False, False
    truth = design.truth().loss(as_inputs(*point))
    return bool(np.isfinite(p.low[0])), bool(p.covers(truth)[0])


def _moving(out: Tally) -> Callable[[bool, bool], None]:
    return lambda given, covered: out.withheld.append(not given)


def _held(out: Tally) -> Callable[[bool, bool], None]:
    def told(given: bool, covered: bool) -> None:
        out.given.append(given)
        if given:
            out.given_covered.append(covered)

    return told


def _constants(design: Design, found: Fit, out: Tally) -> None:
    truth = design.truth().values
    for k in found.law.free:
        low, high = found.interval(k.name)
        closed = bool(np.isfinite([low, high]).all())
        out.printed.append(closed)
        if closed:
            out.covered.append(bool(low <= truth[k.name] <= high))


def _compute(design: Design, found: Fit, out: Tally) -> None:
    """The exponent, and the params of the budget."""
    for asked, told, low, high, of in (
        (design.exponent, found.withheld is None, *found.exponent[1:], "exponent"),
        (design.split, *_split(found), "params"),
    ):
        if asked is None:
            continue
        truth = getattr(_true_split(design, found), of)[0]
        (_held(out) if asked else _moving(out))(bool(told), bool(low <= truth <= high))


def _split(found: Fit) -> tuple[bool, float, float]:
    split = found.compute_split(BUDGET)
    low, high = np.nanquantile(split.params, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return split.told, float(low), float(high)


def _true_split(design: Design, found: Fit):
    truth = design.truth().values
    theta = found.coordinates.theta({k.name: truth[k.name] for k in found.law.constants})
    return split_compute(found.coordinates, theta[None, :], BUDGET)


def main() -> None:
    counts = [int(word) for word in sys.argv[1:] if word.isdigit()]
    names = [word for word in sys.argv[1:] if word in designs()] or list(designs())
    count, rows = counts[0] if counts else repeats(20), []
    for name in names:
        found = tally(name, count)
        columns = (found.printed, found.covered, found.withheld, found.given, found.given_covered)
        shown = [share(each) if each else "-" for each in (*columns, found.alarmed)]
        rows.append([name, count, *shown])
        print(rows[-1], file=sys.stderr, flush=True)
    head = (
        "design", "tables", "constants printed", "covered", "moving withheld", "held given",
        "covered", "warned",
    )  # fmt: skip
    print(f"### What designs tell: {100 * LEVEL:.0f}% intervals, noise {100 * NOISE:g}%\n")
    print(table(head, rows))


if __name__ == "__main__":
    main()
