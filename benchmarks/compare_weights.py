"""Weights of compared laws: moved by seeds, beside equal ones, under a right law; their seconds.

`python -m benchmarks.compare_weights` takes a small subset of laws and tables, `... full` all
public tables that a comparison can take and every published law.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from benchmarks.timing import repeats, table
from isoloss.fits import Comparison, compare, draw_runs
from isoloss.laws import preset, presets
from isoloss.runs import Runs, read

#: Tables, and from which params on runs are kept for judging the average.
TABLES = {
    "gadre2024_c4": 1e9,
    "gadre2024_redpajama": 1e9,
    "hoffmann2022": 3e9,
    "quest2025": 4e8,
    "simulated2024": 2e8,
    "gemstones2025_dclm": 1e9,
    "gemstones2025_fineweb_edu": 1e9,
}
SMALL_TABLES = ("gadre2024_c4", "gadre2024_redpajama", "quest2025")
SMALL_LAWS = (
    "chinchilla",
    "chinchilla_tied",
    "kaplan2020",
    "busbridge2025",
    "kumar2024",
    "frantar2025",
    "panferov2025",
    "chen2025_shared",
)
#: A right law, the precisions of its 72 runs, its rivals, and its constants.
BASE = {"A": 406.4, "B": 410.7, "E": 1.69, "alpha": 0.34, "beta": 0.28}
CURVED = {"A": 1.52e5, "alpha": 0.589, "B": 5.25e5, "beta": 0.544, "E": 1.35, "kappa": 0.274}
RIVALS = ("chinchilla_tied", "kaplan2020", "muennighoff2023")
TRUTHS = {
    "chinchilla": (("bf16",), ("chinchilla", "busbridge2025", *RIVALS), BASE),
    "busbridge2025": (("bf16",), ("chinchilla", "busbridge2025", *RIVALS), CURVED),
    "kumar2024": (
        ("bf16", "w2 a16", "w3 a16", "w4 a16", "w4 a8", "w6 a6"),
        ("kumar2024", "kumar2024_float", "panferov2025", "frantar2025", "chinchilla"),
        {},
    ),
}


def main(full: bool = False) -> None:
    case()
    laws = [law.name for law in presets()] if full else list(SMALL_LAWS)
    public(laws, list(TABLES) if full else SMALL_TABLES)
    right_law(repeats(20))
    speed()


def case() -> None:
    """Three laws below 1e9 params of one table, under three seeds."""
    runs = read("gadre2024_c4").where(params=(None, 1e9))
    laws = ["chinchilla", "chinchilla_tied", "busbridge2025"]
    rows = []
    for seed in range(3):
        found = compare(laws, runs, seed=seed)
        error = {e.fit.law.name: e.weight_error for e in found.entries}
        rows.append([seed, *(f"{found.weights[law]:.3f} +- {error[law]:.2f}" for law in laws)])
    print(f"### Weights on gadre2024_c4 below 1e9 params\n\n{table(['seed', *laws], rows)}\n")


@dataclass(frozen=True)
class Judged:
    """Errors of averages on the largest runs of a table, and what a second seed moves."""

    weighted: float
    equal: float
    moved: float
    far: float
    ends: float


def public(laws: Sequence[str], tables: Sequence[str]) -> None:
    rows, found = [], []
    for name in tables:
        judged = judge(laws, read(name), TABLES[name])
        found.append(judged)
        rows.append(
            [
                name,
                f"{TABLES[name]:.2g}",
                f"{judged.moved:.4f}",
                f"{100 * judged.far:.1f}%",
                f"{100 * judged.ends:.1f}%",
                f"{100 * judged.weighted:.2f}%",
                f"{100 * judged.equal:.2f}%",
            ]
        )
    head = ["table", "held out from params", "a seed moves a weight by", "a prediction, of its"]
    head[-1] += " interval, by"
    head += ["an end of it by", "error of the average", "of equal weights"]
    print(f"### {len(laws)} laws on public tables\n\n{table(head, rows)}\n")
    ratio = np.mean([np.log(j.weighted / j.equal) for j in found])
    print(f"Error of the average beside that of equal weights, geometric mean: {np.exp(ratio):.2f}")
    print(f"largest move of a weight: {max(j.moved for j in found):.4f}\n")


def judge(laws: Sequence[str], runs: Runs, cut: float) -> Judged:
    """The average below a size, judged above it, under two seeds."""
    runs = runs.usable
    large = np.asarray(runs["params"], dtype=float) >= cut
    below, above = (runs.take(np.flatnonzero(side)) for side in (~large, large))
    one, two = (compare(laws, below, seed=seed) for seed in (0, 1))
    moved = max(abs(one.weights[k] - two.weights[k]) for k in one.weights)
    points = (
        np.asarray(above["params"], dtype=float),
        np.asarray(above["tokens"], dtype=float),
        [str(p) for p in above.precisions],
    )
    first, second = one.predict(*points), two.predict(*points)
    width = first.high - first.low
    ends = np.maximum(np.abs(first.low - second.low), np.abs(first.high - second.high))
    observed = np.asarray(above["loss"], dtype=float)
    return Judged(
        error(first.loss, observed),
        error(np.nanmean([e.fit.predict(*points).loss for e in one.entries], axis=0), observed),
        moved,
        float(np.max(np.abs(first.loss - second.loss) / width)),
        float(np.max(ends / width)),
    )


def error(predicted: np.ndarray, observed: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.log(predicted / observed) ** 2)))


def right_law(count: int) -> None:
    """The weight of the right law in comparisons on 72 runs of it, noise 0.5%."""
    rows = []
    for name, (precisions, laws, values) in TRUTHS.items():
        truth = preset(name).with_values(values)
        plain = design(precisions)
        held = [
            compare(list(laws), draw_runs(truth, plain, noise=0.005, seed=s), draws=10, starts=12)
            for s in range(count)
        ]
        weights = np.array([each.weights[name] for each in held])
        most = np.mean([weight_is_most(each, name) for each in held])
        error = weights.std(ddof=1) / np.sqrt(count)
        mean = f"{weights.mean():.2f} (se {error:.2f})"
        rows.append([name, len(laws), mean, f"{np.median(weights):.2f}", f"{100 * most:.0f}%"])
    head = ["right law", "laws", "its weight", "median", "it has the most in"]
    print(f"### 72 runs of a right law, {count} tables each\n\n{table(head, rows)}\n")


def weight_is_most(found: Comparison, name: str) -> bool:
    return max(found.weights, key=lambda k: found.weights[k]) == name


def design(precisions: Sequence[str]) -> Runs:
    """72 runs: 6 sizes of 12 lengths, or 4 sizes of 3 lengths in each of 6 precisions."""
    sizes, lengths = (6, 12) if len(precisions) == 1 else (4, 3)
    ratios = np.geomspace(5, 320, lengths)
    rows = [
        {"params": n, "tokens": n * r, "precision": p, "loss": 3.0}
        for n in np.geomspace(3e7, 1e9, sizes)
        for r in ratios
        for p in precisions
    ]
    return Runs.from_frame(pl.DataFrame(rows))


def speed() -> None:
    start = time.process_time()
    found = compare(presets(), read("quest2025"))
    spent = time.process_time() - start
    forms = len({tuple(sorted((e.fit.law.name, *e.same_form))) for e in found.entries})
    print(f"### {len(found.entries)} published laws, {forms} forms, on quest2025\n")
    print(f"{spent:.0f} seconds of processor (bar 60).")


if __name__ == "__main__":
    main("full" in sys.argv[1:])
