"""Rounding after training in the exact theory: what it costs by samples, params and schedule."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from isoloss.linear import SGD, Risk, excess_risks, first_coordinates
from isoloss.papers.checking import check
from isoloss.papers.checks.bridge.exact_runs import STEP_SIZE, problem
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.findings import drawn, slope
from isoloss.papers.laboratory import Laboratory

#: A row of the table of a study.
Row = dict[str, float | str]
#: Noise of the trained weights, by its words.
AFTER = {"multiplicative noise": "-> w:vec(0.0625)", "additive noise": "-> w:add(0.0001)"}
STEPS = (2000, 8000, 32_000, 128_000, 512_000)
SIZES = (16, 32, 64, 128, 256)
SIZE, SAMPLES = 64, 32_000
#: Samples and sizes between which more of them may hurt.
LONG = tuple(int(n) for n in np.geomspace(100, 1e7, 26))
TURNS = {"many samples a param": (8, LONG), "few samples a param": (256, LONG[:17])}
SCHEDULES = {
    "constant steps, last iterate": ("constant", "last"),
    "constant steps, average": ("constant", "average"),
    "decayed steps": ("geometric", "last"),
}


@check
def bridge_after(laboratory: Laboratory) -> Finding:
    """Exponents of the loss that rounding adds, in samples and in params."""
    ours: dict[str, Ours] = {}
    rows: list[Row] = []
    for words, after in AFTER.items():
        for by, cells in (
            ("samples", [(SIZE, n) for n in STEPS]),
            ("params", [(m, SAMPLES) for m in SIZES]),
        ):
            added = [each.parts.rounding for each, _ in risks(cells, after)]
            counts = [m if by == "params" else n for m, n in cells]
            ours[f"in {by}, {words}"] = Ours(slope(counts, added))
            rows += [
                {"count": float(n), "added": each, "series": words, "panel": f"against {by}"}
                for n, each in zip(counts, added, strict=True)
            ]
    listed = ", ".join(f"{name} {each.value:.3f}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"Exponents of the loss that rounding adds: {listed}.",
        rests_on=(f"exact risk: a = 2, M = {SIZE} or N = {SAMPLES}, averages",),
        figure=drawn(
            "after",
            "Does rounding cost more after more samples?",
            rows,
            ("params or samples", "loss added"),
            x="count",
            y="added",
        ),
    )


@check
def bridge_turn(laboratory: Laboratory) -> Finding:
    """The loss of rounded weights at the most samples over the least that any number gives."""
    ours: dict[str, Ours] = {}
    rows: list[Row] = []
    for words, (size, lengths) in TURNS.items():
        for eps in ("1/256", "1/16", "1/4"):
            after = f"-> w:vec({float(Fraction(eps))!r})"
            loss = [each.value + rest for each, rest in risks([(size, n) for n in lengths], after)]
            ours[f"{words}, noise of {eps}"] = Ours(loss[-1] / min(loss))
            rows += [
                {"count": float(n), "added": each, "series": f"noise of {eps}", "panel": words}
                for n, each in zip(lengths, loss, strict=True)
            ]
    listed = ", ".join(f"{name} {each.value:.4f}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"The loss at the most samples over the least: {listed}.",
        rests_on=("exact risk: a = 2, M = 8 up to 1e7 samples, M = 256 up to "
                  f"{TURNS['few samples a param'][1][-1]}, averages",),
        figure=drawn("turn", "Do more samples raise the loss after rounding?", rows,
                     ("samples", "loss after rounding"), x="count", y="added"),
    )  # fmt: skip


@check
def bridge_data(laboratory: Laboratory) -> Finding:
    """How the loss that rounding adds grows with samples, by schedule."""
    added = _by_schedule((8000, 512_000))
    ours = {f"growth, {words}": Ours(last / first) for words, (first, last) in added.items()}
    return Finding(ours, _said(added), _rests_on())


@check
def bridge_decay(laboratory: Laboratory) -> Finding:
    """The loss that rounding adds after decayed steps over that after constant ones."""
    added = _by_schedule((8000, 512_000))
    decayed, constant = added["decayed steps"], added["constant steps, last iterate"]
    ours = {
        f"decayed over constant, {n} samples": Ours(one / other)
        for n, one, other in zip((8000, 512_000), decayed, constant, strict=True)
    }
    return Finding(ours, _said(added), _rests_on())


@check
def bridge_robust(laboratory: Laboratory) -> Finding:
    """What rounding adds to weights trained with the same noise, over weights trained without."""
    ours = {}
    for words, after in AFTER.items():
        trained = after.removeprefix("-> ")
        (noisy, _), (plain, _) = (
            risks([(SIZE, SAMPLES)], f"{before} {after}")[0] for before in (trained, "fp")
        )
        ratio = noisy.parts.rounding / plain.parts.rounding
        ours[f"trained with noise over without, {words}"] = Ours(ratio)
    listed = ", ".join(f"{name} {each.value:.5f}" for name, each in ours.items())
    says = f"{listed}: noise of mean zero in training does not move the mean of the weights."
    return Finding(ours, says, (f"exact risk: a = 2, M = {SIZE}, N = {SAMPLES}, averages",))


def risks(
    cells: Sequence[tuple[int, int]],
    precision: str,
    schedule: str = "constant",
    iterate: str = "average",
) -> list[tuple[Risk, float]]:
    """The risk of models of a size after so many samples, and what their size leaves."""
    seen = {m: first_coordinates(problem(), m) for m, _ in cells}
    points = [(seen[m][0], SGD(n, 1, STEP_SIZE, schedule), precision) for m, n in cells]
    found = excess_risks(points, iterate)
    return [(each, seen[m][1]) for each, (m, _) in zip(found, cells, strict=True)]


def _by_schedule(lengths: tuple[int, ...]) -> dict[str, tuple[float, ...]]:
    """The loss that multiplicative noise adds after so many samples, by schedule."""
    after = AFTER["multiplicative noise"]
    return {
        words: tuple(
            each.parts.rounding
            for each, _ in risks([(SIZE, n) for n in lengths], after, schedule, iterate)
        )
        for words, (schedule, iterate) in SCHEDULES.items()
    }


def _said(added: dict[str, tuple[float, ...]]) -> str:
    listed = "; ".join(
        f"{words} {first:.5f} and {last:.5f}" for words, (first, last) in added.items()
    )
    return f"Rounding adds after 8000 and 512000 samples: {listed}."


def _rests_on() -> tuple[str, ...]:
    return (f"exact risk: a = 2, M = {SIZE}, {AFTER['multiplicative noise']}",)
