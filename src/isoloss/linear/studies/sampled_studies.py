"""Open questions of the theory that only sampling answers: biased rounding, weights without a
master copy, several passes.

Replicates share their random numbers, so that what rounding costs is a difference of pairs, with a
standard error far below that of either risk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl

from isoloss.formats import Precision
from isoloss.linear.checks import whole
from isoloss.linear.descent import SGD, first_averaged
from isoloss.linear.quantisers import Scales
from isoloss.linear.regression import Regression
from isoloss.linear.sampled import Replicates, sample_risks
from isoloss.linear.studies.parameters import AtLeast
from isoloss.linear.studies.points import or_diverged, paired
from isoloss.linear.studies.question import Study
from isoloss.linear.studies.tables import RISK, power, said
from isoloss.linear.studies.work import Point, Work

FULL = "full precision"
#: Replicates of a standard error, at the least.
FEWEST = 4
STEPS = tuple(np.geomspace(0.05, 1.6, 6).tolist())
PLACES = {"w": "parameter in use", "a": "activations", "g": "output gradients"}
STORED = "stored weights"
#: How weights are rounded that are kept without a copy: format, and whether the error is kept.
KEPT = {
    "nearest": ("int12", False),
    "stochastic": ("int12~sr", False),
    "nearest, error fed back": ("int12", True),
}
#: What precisions are called in the figure of passes; others are spelled out.
NAMES = {
    "fp": FULL,
    "d:add(0.01)": "additive 0.01 on data",
    "w:add(0.1) a:add(0.1) g:add(0.1)": "additive 0.1 on w, a, g",
    "w:coord(0.1) a:coord(0.1) g:coord(0.1)": "factor by element 0.1 on w, a, g",
}


def biased_study(
    *,
    dim: int = 50,
    decay: float = 2.0,
    noise_var: float = 1.0,
    grid_step: tuple[float, ...] = STEPS,
    steps: int = 2000,
    batch: int = 4,
    step_size: float | str = 0.1,
    schedule: str = "constant",
    iterate: str = "last",
    replicates: Annotated[int, AtLeast(FEWEST)] = 400,
    seed: int = 0,
    work: Work | None = None,
) -> Study:
    """Nearest against stochastic rounding of each part, and stored weights with error feedback."""
    problem, sgd = Regression(dim, decay, noise_var), SGD(steps, batch, step_size, schedule)
    _check(replicates, seed, iterate)

    @cache  # shared by all points: what they are compared with
    def exact() -> Replicates:
        point = (problem, sgd, "fp")
        return sample_risks([point], iterate, replicates=replicates, seed=seed)[0]

    def sampled(place: str, step: float, name: str) -> Callable[[], Replicates]:
        letter, more = _way(place, name)
        precision = f"{letter}:{more.pop('format')}" if letter else "fp"
        scales = Scales(**{letter or "w": step})
        return lambda: sample_risks(
            [(problem, sgd, precision)], iterate, replicates=replicates, seed=seed, scales=scales,
            **more,
        )[0]  # fmt: skip

    points = []
    for place, step in product((*PLACES.values(), STORED), grid_step):
        names = list(KEPT) if place == STORED else ["nearest", "stochastic"]
        asked: dict[str, Callable[[], Replicates]] = {FULL: exact}
        asked |= {name: sampled(place, step, name) for name in names}
        points.append(_point(asked, {"step": step, "on": place}))
    study = Study(
        "biased",
        "What does biased rounding do? Integers, the step of the grid against w* = 1, d = "
        f"{dim}, eigenvalues i^-{decay:g}, batch {batch}, {steps} steps of {step_size}, {iterate} "
        f"iterate, {replicates} replicates; stored weights have no copy in full precision.",
        (work or Work()).table(points),
        "step", "risk", "way", "on", ("step of the grid", RISK), (), against=FULL,
    )  # fmt: skip
    return replace(study, answer=tuple(_costs(study)))


def _way(place: str, name: str) -> tuple[str, dict[str, Any]]:
    """The letter of a part with its format, or no letter and how weights are stored."""
    known, feedback = KEPT[name]
    if place == STORED:
        return "", {"stored": known, "error_feedback": feedback}
    return next(letter for letter, each in PLACES.items() if each == place), {"format": known}


def _check(replicates: int, seed: int, iterate: str) -> None:
    whole("replicates", replicates, FEWEST)
    whole("seed", seed, 0)
    first_averaged(iterate, 1)


def _point(asked: Mapping[str, Callable[[], Replicates]], columns: Mapping[str, Any]) -> Point:
    """Risks that are sampled and compared in pairs with the first of them."""

    def rows() -> pl.DataFrame:
        first, *_ = asked
        found: dict[str, Replicates] = {}
        failed = []
        for name, sample in asked.items():
            each, why = or_diverged(sample, name)
            if each is None and name == first:
                raise ValueError(why["reason"])
            failed += [why] if why else []
            found |= {} if each is None else {name: each}
        done = paired(found, first)
        for row in done:
            other = found.get("stochastic")
            if other is not None and row["way"].startswith("nearest"):
                apart = found[row["way"]].minus(other)
                row |= {"beside_stochastic": apart.value}
                row |= {"beside_stochastic_se": apart.standard_error}
        table = pl.DataFrame([*done, *failed], infer_schema_length=None)
        return said(table, **columns)

    return rows


def _costs(study: Study) -> Iterator[str]:
    """Risks in the middle of the axis, and what nearest rounding costs there beside stochastic."""
    steps = study.table["step"].unique().sort()
    middle = steps[len(steps) // 2]
    rows = study.table.filter(pl.col("step") == middle).drop_nulls("risk")
    for place in dict.fromkeys(rows["on"]):
        here = rows.filter(on=place)
        risks = [f"{way} {y:.4f}" for way, y in here.select("way", "risk").rows() if way != FULL]
        pairs = here.filter(way="nearest").select("beside_stochastic", "beside_stochastic_se")
        cost = [f"nearest costs {c:+.2g} +- {e:.1g} beside stochastic" for c, e in pairs.rows()]
        yield f"{place}, step {middle:.2g}: {', '.join(risks)}{'; ' if cost else ''}{''.join(cost)}"


def passes_study(
    *,
    dim: int = 50,
    decay: float = 2.0,
    noise_var: float = 1.0,
    samples: int = 500,
    passes: tuple[int, ...] = (1, 2, 4, 8, 16),
    batch: int = 4,
    step_size: float | str = 0.05,
    schedule: str = "constant",
    iterate: str = "average",
    precision: tuple[str, ...] = tuple(NAMES),
    replicates: Annotated[int, AtLeast(FEWEST)] = 400,
    seed: int = 0,
    work: Work | None = None,
) -> Study:
    """Several passes through the same samples, with and without rounding."""
    problem = Regression(dim, decay, noise_var)
    _check(replicates, seed, iterate)
    spelled = ["fp", *(each for each in precision if each != "fp")]
    for each in spelled:
        Precision.parse(each)

    def sampled(sgd: SGD, spelling: str, count: int) -> Callable[[], Replicates]:
        return lambda: sample_risks(
            [(problem, sgd, spelling)], iterate, replicates=replicates, seed=seed, passes=count
        )[0]

    points = []
    for count, (kind, fresh) in product(passes, (("same samples again", 0), ("fresh samples", 1))):
        once = SGD.samples(samples, batch, step_size=step_size, schedule=schedule)
        sgd = replace(once, steps=once.steps * count)
        asked = {
            NAMES.get(each, each): sampled(sgd, each, 1 if fresh else count) for each in spelled
        }
        points.append(_point(asked, {"passes": float(count), "on": kind}))
    study = Study(
        "passes",
        f"Does rounding cost more in later passes? {samples} samples, d = {dim}, eigenvalues "
        f"i^-{decay:g}, batch {batch}, step size {step_size}, {iterate} iterate; the same samples "
        f"again, beside as many fresh ones; {replicates} replicates.",
        (work or Work()).table(points),
        "passes", "risk", "way", "on", (f"passes (or multiples of {samples} samples)", RISK), (),
        against=FULL,
    )  # fmt: skip
    exponent = -(1 - 1 / decay)
    theory = power(
        study, "fresh samples", FULL, exponent, "$N^{-(a-1)/a}$", span=(0.1, 0.7), lift=0.75
    )
    return replace(study, answer=tuple(_later(study, samples)), theory=theory)


def _later(study: Study, samples: int) -> Iterator[str]:
    for place in study.panels:
        rows = study.table.filter(on=place).filter(pl.col("way") != FULL).drop_nulls("ratio")
        last = rows.filter(passes=rows["passes"].max())
        worse = [
            f"{way} {ratio:.4f} +- {error:.1g}"
            for way, ratio, error in last.select("way", "ratio", "ratio_se").rows()
        ]
        if worse:
            yield (
                f"{place}, {last['passes'][0]:.0f} times {samples}: risk over that of full "
                f"precision: {', '.join(worse)}"
            )
