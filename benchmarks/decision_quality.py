"""Decision quality under cross-law truth: teams whose world follows a law that none of their laws is.

Each team has 60 noisy runs in four formats, drawn from a published law with its constants moved at random, and plans
with laws of other papers at 10 and 100 times the compute of its largest run. Three ways to decide: isoloss's plan over
the laws it compared (in bf16 where it refuses to choose); bf16 with Chinchilla's law fitted to the bf16 runs; the newest
paper's law with its constants as printed. Judged by the truth: the share of the compute that the truth's own best plan would not need for the loss that
the decision reaches. Beside it, how often the plan's 90% intervals hold the truth, and how often it warned.

ISOLOSS_REPEATS sets the number of teams (300).
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.optimize import brentq

from benchmarks.timing import repeats, share, table
from isoloss.fits import compare, fit
from isoloss.formats import Precision
from isoloss.laws import Law, Level, Levels, as_inputs, preset
from isoloss.plans import Budget, PlanError, plan
from isoloss.plans.members import Member
from isoloss.plans.regret import latest_law
from isoloss.runs import Runs

FLOATS = {8: "e4m3", 6: "e2m3", 4: "e2m1"}
SPELLED = {b: f"w:{f}/128 a:{f}/128 g:{f}/128" for b, f in FLOATS.items()}
CANDIDATES = ["bf16", *SPELLED.values()]
#: Forms that a team fits; the one that is its truth is left out.
FITTED = ("kumar2024", "sun2025", "frantar2025", "panferov2025", "chen2025_shared")
#: Those of them that it fits with an outer exponent kappa as well.
WITH_KAPPA = ("panferov2025",)
TRUTHS = ("kumar2024", "sun2025", "quartet2025", "chen2025")
#: The form of the fitted set that is a truth under another name.
SAME = {
    "kumar2024": "kumar2024",
    "sun2025": "sun2025",
    "quartet2025": "frantar2025",
    "chen2025": "chen2025_shared",
}
SCALES, HARDWARE = (10, 100), "linear-bits"
WAYS = ("isoloss", "bf16, fitted Chinchilla", "latest paper")
NOISE, OUTLIERS = 0.005, 0.05
#: Effective over nominal params by bits (QuEST's measurements, 6 bits between), and 4 bits of Chen et al. over fewer.
EFFECTIVE, FEWER = {8: 0.99, 6: 0.93, 4: 0.64}, {8: 0.02, 6: 0.16, 4: 1.0}


@dataclass(frozen=True)
class Decision:
    """What one team got at one scale: wasted compute by way, and whether isoloss's intervals held and it warned."""

    truth: str
    scale: int
    wasted: tuple[float, ...]
    loss_covered: bool
    params_covered: bool
    warned: bool


def truth_of(name: str, rng: np.random.Generator) -> Law:
    """A published law with its constants moved: amplitudes by 20%, exponents by 4%, precision by 10%."""

    def moved(value: float, by: float) -> float:
        return float(value * np.exp(by * rng.standard_normal()))

    def base(law: Law) -> dict[str, float]:
        by = {"A": 0.2, "B": 0.2, "alpha": 0.04, "beta": 0.04, "E": 0.03}
        return {k: moved(law.values[k], s) for k, s in by.items() if k in law.values and k not in law.ties}

    levels = Levels(tuple(Level(Precision(p)) for p in CANDIDATES))
    law = preset(name)
    if name == "quartet2025":
        bound = preset("frantar2025").bind(levels).fix(kappa=law.values["kappa"])
        names = [k.name for k in bound.constants if k.name.startswith("eff[w:")]
        values = {n: min(1.0, moved(EFFECTIVE[_bits(n)], 0.1)) for n in names}
        plain = {k.name: 1.0 for k in bound.constants if k.name.startswith("eff[") and k.name not in values}
        return replace(bound.with_values({**base(law), **values, **plain}), name="truth")
    if name == "chen2025":
        bound = preset("chen2025_shared").bind(levels)
        size, n, d, g = (law.values[f"{k}[w4 a4]"] for k in ("k", "gN", "gD", "gG"))
        whole = moved(size * 7**g, 0.1)
        values = {k.name: whole * FEWER[_bits(k.name)] for k in bound.constants if k.name.startswith("k[w:")}
        plain = {k.name: 1e-12 for k in bound.constants if k.name.startswith("k[") and k.name not in values}
        exponents = {"gN": moved(n, 0.1), "gD": moved(d, 0.1)}
        return replace(bound.with_values({**base(law), **values, **plain, **exponents}), name="truth")
    precise = [
        k for k in law.values if k not in base(law) and k not in ("E", "kappa", "beta") and k not in law.ties
    ]
    values = {k: moved(law.values[k], 0.1) for k in precise if law.values[k] > 0}
    return replace(law.with_values({**base(law), **values}), name="truth")


def _with_kappa(name: str) -> Law:
    return replace(preset(name).release("kappa"), name=f"{name}, kappa free")


def _bits(level: str) -> int:
    return next(b for b, f in FLOATS.items() if f in level)


def runs_of(truth: Law, rng: np.random.Generator) -> Runs:
    """60 runs: 5 sizes, 3 token counts, 4 formats; a few are off by 2% more, as bad seeds are."""
    cells = [(n, n * r, p) for n in np.geomspace(2e7, 4e8, 5) for r in (8, 30, 110) for p in CANDIDATES]
    n, d, p = map(list, zip(*cells, strict=True))
    off = NOISE * rng.standard_normal(len(n)) + 0.02 * np.abs(rng.standard_normal(len(n))) * (
        rng.random(len(n)) < OUTLIERS
    )
    loss = truth.loss(as_inputs(n, d, p)) * np.exp(off)
    return Runs.from_frame(pl.DataFrame({"params": n, "tokens": d, "precision": p, "loss": loss}))


def team(seed: int) -> list[Decision]:
    """The decisions of one team, judged by its truth."""
    rng = np.random.default_rng(seed)
    name = TRUTHS[seed % len(TRUTHS)]
    truth = truth_of(name, rng)
    while any(Member(truth).knows(Precision(p)) for p in CANDIDATES):  # moved too far: no loss at 4 bits
        truth = truth_of(name, rng)
    runs = runs_of(truth, rng)
    laws = [preset(each) for each in FITTED if each != SAME[name]]
    laws += [_with_kappa(each) for each in WITH_KAPPA if each != SAME[name]]
    compared = compare(laws, runs, holdouts=["largest"], draws=30, starts=3, seed=seed)
    chinchilla = fit("chinchilla", runs.where(precision="bf16"), draws=20, starts=6, seed=seed)
    largest = 6 * 4e8 * 4e8 * 110
    return [_decided(name, truth, compared, chinchilla, scale, scale * largest) for scale in SCALES]


def _decided(name: str, truth: Law, compared, chinchilla, scale: int, flop: float) -> Decision:
    asked = {"precision": CANDIDATES, "extrapolate": True}
    refused = False
    try:
        found = plan(compared, Budget(flop), HARDWARE, **asked)
    except PlanError:  # no law of weight tells the precisions apart: it says so, and the team trains in bf16
        refused, found = True, plan(compared, Budget(flop), HARDWARE, precision="bf16", extrapolate=True)
    latest = latest_law(set(FITTED) & {SAME[name]}, CANDIDATES)
    others = (
        plan(chinchilla, Budget(flop), HARDWARE, precision="bf16", extrapolate=True),
        plan(latest, Budget(flop), HARDWARE, **asked),
    )
    choices = [found.best, *(each.best for each in others)]
    first = found.best
    real = truth(first.params, first.tokens, first.precision)
    own = plan(truth, Budget(flop), HARDWARE, precision=first.precision, extrapolate=True).best.params
    kinds = {c.kind for c in found.cautions}
    return Decision(
        name,
        scale,
        tuple(_wasted(truth, c, flop) for c in choices),
        first.loss_interval[0] <= real <= first.loss_interval[1],
        first.params_interval[0] <= own <= first.params_interval[1],
        refused or bool(kinds & {"lack_of_fit", "laws_disagree"}),
    )


def _wasted(truth: Law, choice, flop: float) -> float:
    """The share of the compute that the truth's best plan does not need for the loss of a choice."""
    loss = truth(choice.params, choice.tokens, choice.precision)

    def short(log_share: float) -> float:
        best = plan(truth, Budget(flop * np.exp(log_share)), HARDWARE, precision=CANDIDATES, extrapolate=True)
        return best.best.loss - loss

    if short(0.0) >= 0:
        return 0.0
    least = float(np.log(1e-5))
    return 1.0 if short(least) <= 0 else 1.0 - float(np.exp(brentq(short, least, 0.0, xtol=2e-3)))


def _ready() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"


def main() -> None:
    count = repeats(300)
    decisions: list[Decision] = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(int(os.environ.get("ISOLOSS_WORKERS", 2)), spawn, _ready) as pool:
        try:
            for k, found in enumerate(pool.map(team, range(count)), 1):
                decisions += found
                print(f"\r{k} of {count} teams", end="", file=sys.stderr, flush=True)
        except KeyboardInterrupt:  # what is done is printed
            pool.shutdown(cancel_futures=True)
            count = len(decisions) // len(SCALES)
    print(file=sys.stderr)
    print(f"### Decisions of {count} teams whose truth is a law that they do not fit: compute wasted\n")
    print(table(["truth", "budget", "way", "median", "90th percentile", "mean"], _regrets(decisions)))
    print("\nStandard errors by bootstrap over teams.\n")
    head = [
        "budget",
        "loss covered",
        "params covered",
        "warned",
        "loss covered or warned",
        "params covered or warned",
    ]
    print(table(head, _coverage(decisions)))
    print(
        "\nWarned: the plan says lack_of_fit or laws_disagree, or refuses to choose a precision; that it lies outside the runs it says always."
    )


def _regrets(decisions: list[Decision]) -> list[list[object]]:
    rows: list[list[object]] = []
    rng = np.random.default_rng(0)
    for truth in ("all", *TRUTHS):
        for scale in SCALES:
            wasted = 100 * np.array(
                [d.wasted for d in decisions if d.scale == scale and truth in ("all", d.truth)]
            )
            for k, way in enumerate(WAYS):
                drawn = rng.choice(wasted[:, k], (400, len(wasted)))
                cells = [
                    f"{one(wasted[:, k]):.1f}% (se {np.std([one(row) for row in drawn]):.1f})"
                    for one in (np.median, lambda v: np.quantile(v, 0.9), np.mean)
                ]
                rows.append([truth, f"{scale} x", way, *cells])
    return rows


def _coverage(decisions: list[Decision]) -> list[list[object]]:
    rows: list[list[object]] = []
    for scale in SCALES:
        loss, params, warned = np.array(
            [(d.loss_covered, d.params_covered, d.warned) for d in decisions if d.scale == scale]
        ).T
        rows.append([f"{scale} x", *map(share, (loss, params, warned, loss | warned, params | warned))])
    return rows


if __name__ == "__main__":
    main()
