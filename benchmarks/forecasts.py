"""Forecasts frozen from seven tables by a protocol that never sees its targets, and how they did.

Of each table the largest size, the longest runs and the most compute are taken away in turn; laws
are compared on the rest, and their average, each law alone and two baselines freeze what they
predict of the runs that were taken away. Every kind has a ledger of its own, whose chain is checked
before it is scored. Points without an interval cannot be frozen and are counted.
``python -m benchmarks.forecasts [table]``.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from benchmarks.timing import asked, table
from isoloss.fits import Comparison, Fit, compare
from isoloss.laws import Array, Mask
from isoloss.runs import Runs, read
from isoloss.scores import (
    PROBABILITIES,
    Forecast,
    ForecastScore,
    Score,
    ScoredPoint,
    forecast,
    forecast_of_quantiles,
    ledger,
    score,
)

DENSE, ROUNDED = ("chinchilla", "farseer2025"), ("kumar2024", "frantar2025")
TRAINED = ~pl.col("precision").str.contains("->") & (pl.col("schedule") == "wsd")
#: Tables, the rows that are used, and the laws that are compared.
TABLES: Mapping[str, tuple[pl.Expr, Sequence[str]]] = {
    "hoffmann2022": (pl.lit(True), DENSE),
    "gadre2024_c4": (pl.lit(True), DENSE),
    "gadre2024_redpajama": (pl.lit(True), DENSE),
    "gemstones2025_dclm": (pl.lit(True), DENSE),
    "gemstones2025_fineweb_edu": (pl.lit(True), DENSE),
    "quest2025": (pl.lit(True), ROUNDED),
    "isoloss2026": (TRAINED, ROUNDED),
}
#: What is taken away: the highest fifth of these, or the highest value.
CUTS: Mapping[str, Callable[[Runs], Mask]] = {
    "largest size": lambda runs: runs["params"] == runs["params"].max(),
    "longest runs": lambda runs: _top(runs["tokens"]),
    "most compute": lambda runs: _top(runs["params"] * runs["tokens"]),
}
AVERAGE, NEAREST, PLANE = "average of laws", "nearest run", "plane in logarithms"
#: Replicates and starts of every fit.
EFFORT: Mapping[str, Any] = {"draws": 100, "starts": 8}


def main(*names: str) -> None:
    """Freeze and score forecasts of some tables, all unless they are named."""
    start = time.process_time()
    told: dict[str, list[ForecastScore]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for name in names or TABLES:
            runs = read(name).usable.where(TABLES[name][0])
            for kind, cut, made in _frozen(name, runs, Path(folder)):
                (one,) = score(made, runs).forecasts
                told[kind].append(replace(one, name=f"{name}, {cut}"))
        heads = {kind: ledger(Path(folder) / _file(kind)) for kind in told}
        assert {kind: len(each) for kind, each in heads.items()} == {
            kind: len(each) for kind, each in told.items()
        }
    whole = _by_law(told)
    print("### Frozen forecasts, scored on the runs that they never saw\n")
    print(table(HEAD, [_row(kind, each) for kind, each in whole.items()]), "\n")
    print("### The same on the points of which every one of them has an interval\n")
    print(table(HEAD, [_row(kind, each) for kind, each in _common(whole).items()]), "\n")
    print(f"### The average of laws, forecast by forecast\n\n{table(EACH, _each(told[AVERAGE]))}\n")
    print(f"Processor time: {time.process_time() - start:.0f} s.")


HEAD = ["forecast by", "forecasts", "points", "in the 90% interval", "mean over forecasts",
        "rms error, nats", "interval score", "log score"]  # fmt: skip
EACH = ["table and what was taken away", "points", "in the 90% interval", "rms error, nats",
        "half width / rms error"]  # fmt: skip


def _frozen(name: str, runs: Runs, folder: Path) -> Iterator[tuple[str, str, Forecast]]:
    """The forecasts of a table: who made them, what was taken away, and they, once frozen."""
    for cut, chosen in CUTS.items():
        away = chosen(runs)
        kept, target = runs.take(np.flatnonzero(~away)), runs.take(np.flatnonzero(away))
        known = compare(list(TABLES[name][1]), kept, **EFFORT)
        for kind, maker in _makers(known, kept).items():
            every = _points(target)
            able = maker(every)[1]
            if points := [p for p, ok in zip(every, able, strict=True) if ok]:
                (folder / _file(kind)).mkdir(exist_ok=True)
                path = folder / _file(kind) / f"{_file(f'{name} {cut}')}.json"
                yield kind, cut, maker(points)[0]().save(path)


Points = Sequence[tuple[float, float, str]]
#: From points to a forecast of them, and which of them it can tell.
Maker = Callable[[Points], tuple[Callable[[], Forecast], Mask]]


def _makers(known: Comparison, kept: Runs) -> dict[str, Maker]:
    """The average, each law, and the baselines."""
    laws = {each.fit.law.name: _by_fit(each.fit) for each in known.entries}
    return {AVERAGE: _by_fit(known), **laws, NEAREST: _nearest(kept), PLANE: _plane(kept)}


def _by_fit(fit: Fit | Comparison) -> Maker:
    def made(points: Points) -> tuple[Callable[[], Forecast], Mask]:
        columns = [list(column) for column in zip(*points, strict=True)]
        found = fit.predict(*columns)
        able = np.array([each is None for each in found.absent])
        return (lambda: forecast(fit, *columns)), able

    return made


def _normal(points: Points, middle: Array, error: Array, by: str, kept: Runs) -> Forecast:
    """A forecast of log losses that are normal."""
    z = np.asarray(stats.norm.ppf(PROBABILITIES))
    n, d, precision = (list(column) for column in zip(*points, strict=True))
    quantiles = np.exp(middle[:, None] + error[:, None] * z)
    return forecast_of_quantiles(
        n, d, precision, np.exp(middle), quantiles, {by: 1.0}, data=kept.hash
    )


def _nearest(kept: Runs) -> Maker:
    """The loss of the nearest run of the same precision, with the error of runs by each other."""
    place, name = _place(_points(kept, every=True)), np.array(kept["precision"], dtype=object)
    log = np.log(kept["loss"])

    def near(at: Array, precision: str, but: int = -1) -> int:
        far = np.sum((place - at) ** 2, axis=1) + 1e6 * (name != precision)
        if but >= 0:
            far[np.all(place == place[but], axis=1)] = np.inf
        return int(np.argmin(far))

    own = [log[near(place[k], name[k], k)] - log[k] for k in range(len(log))]
    error = float(np.sqrt(np.mean(np.square(own))))

    def made(points: Points) -> tuple[Callable[[], Forecast], Mask]:
        where = [near(at, p) for at, (*_, p) in zip(_place(points), points, strict=True)]
        middle, wide = log[where], np.full(len(points), error)
        able = np.ones(len(points), dtype=bool)
        return (lambda: _normal(points, middle, wide, NEAREST, kept)), able

    return made


def _plane(kept: Runs) -> Maker:
    """Log loss as a plane in log params and log tokens, a level for each precision."""
    names = sorted(set(kept["precision"]))
    x, y = _design(_points(kept, every=True), names), np.log(kept["loss"])
    value, *_ = np.linalg.lstsq(x, y, rcond=None)
    spread = float(np.sum((y - x @ value) ** 2)) / max(1, len(y) - x.shape[1])
    inverse = np.linalg.pinv(x.T @ x)

    def made(points: Points) -> tuple[Callable[[], Forecast], Mask]:
        at = _design(points, names)
        error = np.sqrt(spread * (1 + np.einsum("ij,jk,ik->i", at, inverse, at)))
        able = np.array([p in names for *_, p in points])
        return (lambda: _normal(points, at @ value, error, PLANE, kept)), able

    return made


def _design(points: Points, names: Sequence[str]) -> Array:
    level = np.array([[float(p == name) for name in names] for *_, p in points])
    return np.column_stack([level, _place(points)])


def _place(points: Points) -> Array:
    return np.log(np.array([[n, d] for n, d, _ in points]))


def _points(runs: Runs, every: bool = False) -> list[tuple[float, float, str]]:
    rows = list(
        zip(runs["params"].tolist(), runs["tokens"].tolist(), runs["precision"], strict=True)
    )
    return rows if every else list(dict.fromkeys(rows))


def _top(value: Array) -> Mask:
    return np.asarray(value > np.quantile(value, 0.8))


def _file(kind: str) -> str:
    return kind.replace(" ", "_")


Told = Mapping[str, Sequence[ForecastScore]]


def _by_law(told: Told) -> dict[str, list[ForecastScore]]:
    """The average, the two laws of each table as one row each, the baselines."""
    rows = {AVERAGE: (AVERAGE,), " or ".join((DENSE[0], ROUNDED[0])): (DENSE[0], ROUNDED[0]),
            " or ".join((DENSE[1], ROUNDED[1])): (DENSE[1], ROUNDED[1]), NEAREST: (NEAREST,),
            PLANE: (PLANE,)}  # fmt: skip
    return {row: [one for kind in kinds for one in told.get(kind, ())]
            for row, kinds in rows.items()}  # fmt: skip


def _common(told: Told) -> dict[str, list[ForecastScore]]:
    """The same with the points alone that all have."""
    keys = {kind: {(one.name, *_key(p)) for one in each for p in one.points}
            for kind, each in told.items()}  # fmt: skip
    both = set.intersection(*keys.values())
    kept = {
        kind: [replace(one, points=tuple(p for p in one.points if (one.name, *_key(p)) in both))
               for one in each]
        for kind, each in told.items()
    }  # fmt: skip
    return {kind: [one for one in each if one.points] for kind, each in kept.items()}


def _key(point: ScoredPoint) -> tuple[float, float, str]:
    return point.params, point.tokens, point.precision


def _row(kind: str, forecasts: Sequence[ForecastScore]) -> list[object]:
    found = Score(tuple(forecasts), 0.9, 0.01)
    share, error = found.coverage
    each = [one.inside for one in found.forecasts]
    spread = np.std(each, ddof=1) / math.sqrt(len(each)) if len(each) > 1 else math.nan
    by = [one.points for one in found.forecasts]
    rms = math.sqrt(np.mean([one.rms**2 for one in found.forecasts]))
    means = [np.mean([np.mean([getattr(p, k) for p in points]) for points in by])
             for k in ("interval_score", "log_score")]  # fmt: skip
    return [kind, len(by), len(found.points), f"{100 * share:.1f}% (se {100 * error:.1f})",
            f"{100 * np.mean(each):.1f}% (se {100 * spread:.1f})", f"{rms:.4f}",
            f"{means[0]:.4f}", f"{means[1]:.2f}"]  # fmt: skip


def _each(forecasts: Sequence[ForecastScore]) -> Iterator[list[object]]:
    for one in forecasts:
        half = np.mean([0.5 * (p.high - p.low) for p in one.points])
        yield [one.name, len(one.points), f"{sum(p.inside for p in one.points):.4g} of "
               f"{len(one.points)}", f"{one.rms:.4f}", f"{half / one.rms:.2f}"]  # fmt: skip


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], str))
