"""Coverage of 90% intervals under truths of many kinds, each fitted with its natural law and the
default options: constants, losses inside the runs, at 2 and at 10 times the largest run.

A loss is covered as a new run ("run", the noise of the design included) and as the truth without
noise ("mean"). "warned" is the share of tables whose fit carries a warning of a kind that names
the reason; for healthy designs, where there is no reason, any warning but those of laws whose
entries the design leaves out. Bar: each share 82 to 96%, or warned; healthy designs warned in at
most a tenth. "or said": the truth at 10 times the runs lies inside its interval, or as near as
the bend that the prediction says may stay hidden. ``python -m benchmarks.coverage [count] [case
...]``: without a count cheap cases repeat 40 and dear ones 12 times; ``200`` or ``60`` is the full
study.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from benchmarks.timing import table
from isoloss.fits import Fit, fit
from isoloss.laws import Array, Inputs, Law, as_inputs, preset
from isoloss.runs import Runs

LEVEL, NOISE = 0.9, 0.003
BASE = {"A": 420.0, "alpha": 0.34, "B": 1900.0, "beta": 0.36, "E": 1.75}
#: Warnings that only say that a law has constants or parts beyond what a design holds.
OF_DESIGN = {"not_in_data", "unseen_parts", "negative_gaps"}
Noise = Callable[[Inputs, np.random.Generator], Array]


@dataclass(frozen=True)
class Case:
    """One truth on one design.

    Attributes
    ----------
    law
        The natural law, which is fitted.
    values
        Its constants where the truth is a law; empty where no law holds it.
    sizes, lengths, levels
        The design: every combination, ``copies`` times.
    noise
        Log noise of the runs of a table, and of new ones.
    reasons
        Kinds of warnings that name what is wrong; empty for a healthy design.
    correction
        Factor on the reducible loss, from log10 of params over the middle of the design.
    dear
        Whether a fit takes more than a second, so that fewer repeats are the default.
    """

    law: str
    values: dict[str, float]
    sizes: Array
    lengths: Array
    levels: tuple[str, ...] = ("bf16",)
    copies: int = 1
    noise: Noise = field(default=lambda x, rng: NOISE * rng.standard_normal(len(x)))
    reasons: frozenset[str] = frozenset()
    correction: float = 0.0
    dear: bool = False

    def truth(self) -> Law:
        """The law of the truth, without its correction."""
        return preset(self.law).at(**self.values)

    def loss(self, x: Inputs) -> Array:
        """The loss of the truth without noise."""
        law = self.truth()
        loss = law.loss(x)
        if self.correction:
            floor = law.values["E"]
            decades = np.log10(x.params / np.sqrt(self.sizes[0] * self.sizes[-1]))
            loss = floor + (loss - floor) * (1 + self.correction * decades**2)
        return np.asarray(loss)

    def points(self, rng: np.random.Generator) -> dict[str, Inputs]:
        """New points inside the runs and beyond them."""
        n, d = (np.log(v[[0, -1]]) for v in (self.sizes, self.lengths))
        level = [self.levels[k] for k in rng.integers(len(self.levels), size=8)]
        ends = [self.levels[0], self.levels[-1]]
        top = [np.full(2, v[-1]) for v in (self.sizes, self.lengths)]
        inside = as_inputs(np.exp(rng.uniform(*n, 8)), np.exp(rng.uniform(*d, 8)), level)
        return {
            "inside": inside,
            "2x": as_inputs(2 * top[0], 2 * top[1], ends),
            "10x": as_inputs(10 * top[0], 10 * top[1], ends),
        }


def falling(x: Inputs, rng: np.random.Generator) -> Array:
    """Noise of 1% at 30M params that falls as the root of the params."""
    return np.asarray(0.01 * np.sqrt(3e7 / x.params) * rng.standard_normal(len(x)))


def outliers(x: Inputs, rng: np.random.Generator) -> Array:
    """Three runs of a hundred lie 2 to 20% too high; new points are single and have none."""
    odd = (rng.random(len(x)) < 0.03) & (len(x) > 8)
    return NOISE * rng.standard_normal(len(x)) + odd * rng.uniform(0.02, 0.2, len(x))


def in_cells(x: Inputs, rng: np.random.Generator) -> Array:
    """Cells share an effect of 0.4% (as a learning rate does), seeds add 0.2%."""
    cell = np.unique(np.stack([x.params, x.tokens]), axis=1, return_inverse=True)[1].ravel()
    return np.asarray(
        0.004 * rng.standard_normal(cell.max() + 1)[cell] + 0.002 * rng.standard_normal(len(x))
    )


def along_runs(x: Inputs, rng: np.random.Generator) -> Array:
    """Evaluations along a run share its effect of 0.4%, and differ by 0.1%."""
    run = np.unique(x.params, return_inverse=True)[1]
    return np.asarray(
        0.004 * rng.standard_normal(run.max() + 1)[run] + 0.001 * rng.standard_normal(len(x))
    )


def _span(low: float, high: float, count: int) -> Array:
    return np.geomspace(low, high, count)


def _published(name: str) -> dict[str, float]:
    return {k: v for k, v in preset(name).values.items() if np.isfinite(v)}


def cases() -> dict[str, Case]:
    """Every case by name."""
    plain = (_span(3e7, 1e9, 6), _span(1e9, 5e10, 8))
    mid = _span(4e7, 6.8e8, 4), _span(1e10, 1e11, 5)
    small = np.array([3e7, 6e7, 1.1e8, 2.2e8]), _span(1.6e9, 2.6e10, 5)
    bits = ("bf16", "w3", "w4", "w6", "a4", "a6", "kv4", "kv6", "w4 a4 kv4")
    groups = ("bf16", "w4/32", "w4/128", "a4/32", "a4/128", "w4/32 a4/32", "w4/128 a4/128")
    floats = ("bf16", "w:e2m1/128", "w:e3m2/128", "w:e4m3/128", "w:e2m3/32", "w:e1m2/512")
    had = ("bf16", "w2+had@quest a2+had@quest", "w4+had@quest a4+had@quest")
    fours = ("bf16", "g:mxfp4~sr", "w:mxfp4 a:mxfp4")
    misfit = frozenset({"lack_of_fit"})
    units = frozenset({"few_groups", "undeclared_units"})
    return {
        "right, 48 runs": Case("chinchilla", BASE, *plain),
        "right, 240 runs": Case("chinchilla", BASE, _span(3e7, 1e9, 12), _span(1e9, 5e10, 20)),
        "kumar": Case("kumar2024", _published("kumar2024"), *small, bits, dear=True),
        "chen": Case("chen2025", _published("chen2025"), *mid, groups, dear=True),
        "sun": Case("sun2025", _published("sun2025"), *mid, floats, dear=True),
        "quest": Case(
            "quest2025", _published("quest2025"), _span(3e7, 8e8, 6), _span(1e9, 8e10, 4), had,
            reasons=frozenset({"small_alpha"}), dear=True,
        ),
        "quartet": Case(
            "quartet2025", _published("quartet2025"), _span(3e7, 8e8, 6), _span(7.5e8, 2e11, 6),
            fours, dear=True,
        ),
        "log-correction, slight": Case(
            "chinchilla", BASE, *plain, reasons=misfit, correction=0.02
        ),
        "log-correction, strong": Case(
            "chinchilla", BASE, *plain, reasons=misfit, correction=0.08
        ),
        "noise falls with size": Case("chinchilla", BASE, *plain, noise=falling),
        "outliers": Case("chinchilla", BASE, *plain, noise=outliers),
        "seeds in cells": Case("chinchilla", BASE, *plain, copies=3, noise=in_cells),
        "trajectories": Case(
            "chinchilla", BASE, _span(3e7, 1e9, 16), _span(1e9, 5e10, 12), noise=along_runs,
            reasons=units,
        ),
    }  # fmt: skip


def runs_of(case: Case, rng: np.random.Generator) -> Runs:
    """One table of a case."""
    rows = [
        (n, d, p)
        for n in case.sizes
        for d in case.lengths
        for p in case.levels
        for _ in range(case.copies)
    ]
    n, d, p = (list(column) for column in zip(*rows, strict=True))
    x = as_inputs(n, d, p)
    loss = case.loss(x) * np.exp(case.noise(x, rng))
    frame = {"params": n, "tokens": d, "precision": p, "loss": loss}
    return Runs.from_frame(pl.DataFrame(frame))


def repeat(name: str, seed: int) -> dict[str, Any]:
    """One table, fitted: shares covered by kind, and the kinds of warnings."""
    case = cases()[name]
    rng = np.random.default_rng([seed, *name.encode()])
    found = fit(case.law, runs_of(case, rng), level=LEVEL, seed=seed)
    out: dict[str, Any] = {"constants": _constants(case, found)}
    for where, x in case.points(rng).items():
        truth = case.loss(x)
        new = truth * np.exp(case.noise(x, rng))
        for of, observed in (("run", new), ("mean", truth)):
            p = found.predict_inputs(x, LEVEL, "run" if of == "run" else "mean")
            known = np.isfinite(p.low)
            out[f"{where}, {of}"] = p.covers(observed)[known].tolist()
            out[f"width {where}, {of}"] = (100 * (p.high - p.low)[known] / truth[known]).tolist()
        if where == "10x":
            known_hidden = found.discrepancy.hidden(
                found.law, found.coordinates.theta(found.values), x
            )
            within = np.abs(np.log(p.loss / truth)) < known_hidden
            out["said"] = (p.covers(truth) | within).tolist()
    out["warned"] = sorted({str(each.kind) for each in found.warnings})
    return out


def _constants(case: Case, found: Fit) -> list[bool]:
    """Whether each estimated constant is covered; empty where no law is the truth."""
    if case.correction:
        return []
    truth = case.truth().values
    intervals = {k.name: found.interval(k.name) for k in found.law.free}
    return [low <= truth[k] <= high for k, (low, high) in intervals.items() if np.isfinite(low)]


def line(name: str, found: list[dict[str, Any]]) -> list[str]:
    """The row of a case."""
    case = cases()[name]
    kinds = (
        "constants",
        *(f"{w}, {of}" for w in ("inside", "2x", "10x") for of in ("run", "mean")),
    )
    warned = [set(map(str, each["warned"])) for each in found]
    said = [bool(w & case.reasons if case.reasons else w - OF_DESIGN) for w in warned]
    counted = Counter(kind for w in warned for kind in w - OF_DESIGN)
    listed = ", ".join(f"{k} {100 * n / len(found):.0f}%" for k, n in counted.most_common(4))
    return [
        name,
        str(len(found)),
        *(_share([np.mean(each[k]) for each in found if each[k]]) for k in kinds),
        _share([np.mean(each["said"]) for each in found]),
        f"{np.median([v for each in found for v in each['width 10x, mean']]):.2g}%",
        f"{100 * np.mean(said):.0f}%",
        listed or "none",
    ]


def _share(shares: list[float]) -> str:
    """A mean share over tables in percent; a dash where there is none."""
    return f"{100 * np.mean(shares):.0f}%" if shares else "-"


HEAD = (
    "truth", "repeats", "constants", "inside: run", "mean", "2x: run", "mean", "10x: run", "mean",
    "or said", "width at 10x", "warned", "kinds",
)  # fmt: skip


def main() -> None:
    counts = [int(word) for word in sys.argv[1:] if word.isdigit()]
    names = [word for word in sys.argv[1:] if word in cases()] or list(cases())
    rows = []
    for name in names:
        count = counts[0] if counts else 12 if cases()[name].dear else 40
        rows.append(line(name, [repeat(name, seed) for seed in range(count)]))
        print(f"{name}: {rows[-1]}", file=sys.stderr, flush=True)
    print(f"### Coverage of {100 * LEVEL:.0f}% intervals under the default options\n")
    print(table(HEAD, rows))


if __name__ == "__main__":
    main()
