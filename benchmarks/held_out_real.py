"""Real runs held out: laws fitted below 1e9 params of two public tables predict the runs above.

Beside the default stand the intervals without a discrepancy, and those of the default before
(Huber 1e-3, no discrepancy). The interval score is that of log losses in percent: the width, and
2 / (1 - level) times how far a run lies outside (Gneiting and Raftery 2007, JASA 102, eq. 43).
Each is a mean over three seeds of the replicates, because ends that stand among few outliers jump.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.timing import table
from isoloss.fits import Discrepancy, Fit, Prediction, fit
from isoloss.laws import Array, as_inputs
from isoloss.runs import read

TABLES = ("gadre2024_c4", "gadre2024_redpajama")
LAWS = ("chinchilla", "chinchilla_tied", "busbridge2025")
HELD, SEEDS = "params>=1e9", range(3)


def score(p: Prediction, observed: Array) -> Array:
    """The interval score of log losses in percent, shape (n,)."""
    low, high, seen = np.log(p.low), np.log(p.high), np.log(observed)
    outside = np.maximum(low - seen, 0) + np.maximum(seen - high, 0)
    return np.asarray(100 * (high - low + 2 / (1 - p.level) * outside))


def predicted(found: Fit, discrepancy: bool) -> tuple[Prediction, Array]:
    """The prediction of the held-out runs with or without the discrepancy, and their losses."""
    held = found.held_out
    assert held is not None
    if discrepancy:
        return held.prediction, held.observed
    p = held.prediction
    x = as_inputs(p.params, p.tokens, list(p.precision))
    return replace(found, discrepancy=Discrepancy()).predict_inputs(x), held.observed


WAYS = {
    "default": ("student", True),
    "no discrepancy": ("student", False),
    "before: huber, no discrepancy": ("huber", False),
}


def main() -> None:
    rows = []
    pooled: dict[str, list[Array]] = {way: [] for way in WAYS}
    for name in TABLES:
        runs = read(name)
        fits = {
            objective: [
                [fit(law, runs, holdout=HELD, objective=objective, seed=seed) for seed in SEEDS]
                for law in LAWS
            ]
            for objective in ("student", "huber")
        }
        for way, (objective, with_discrepancy) in WAYS.items():
            # (laws, seeds, 2, runs): whether a run is inside, and its score
            found = np.array(
                [
                    [
                        [p.covers(seen), score(p, seen)]
                        for p, seen in (predicted(each, with_discrepancy) for each in fitted)
                    ]
                    for fitted in fits[objective]
                ]
            )
            pooled[way].append(found)
            rows.append([name, way, *_figures(found)])
    rows += [["both", way, *_figures(np.concatenate(found, 3))] for way, found in pooled.items()]
    print(f"### Held-out runs ({HELD}), 90% intervals\n")
    print(table(["table", "intervals", "inside", *(f"score, {w}" for w in LAWS), "mean"], rows))


def _figures(found: Array) -> list[str]:
    """The share inside, the mean score of each law, and that of all."""
    scores = found[:, :, 1].mean(axis=(1, 2))
    inside = f"{100 * found[:, :, 0].mean():.0f}%"
    return [inside, *(f"{each:.1f}" for each in scores), f"{scores.mean():.2f}"]


if __name__ == "__main__":
    main()
