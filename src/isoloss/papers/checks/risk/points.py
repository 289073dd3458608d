"""What checks on the exact risk share: precisions in words, and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from isoloss.linear import (
    SGD,
    Difference,
    Regression,
    Scales,
    excess_risks,
    sample_risks,
    stability_limit,
)
from isoloss.papers.laboratory import Laboratory

Reading = Literal["clean", "in use"]
#: The noises of the papers in words. Two points, plus and minus one deviation, are the generator of
#: the notes whose numbers stand in the claims; a slope or verdict does not depend on it.
NOISES = {
    "additive": "add_two_point",
    "shared factor": "vec_two_point",
    "factor by element": "coord_two_point",
}
PARTS = {
    "data": "d",
    "labels": "l",
    "parameter": "w",
    "activations": "a",
    "output gradients": "g",
}
ALL = "".join(PARTS.values())
READINGS: tuple[Reading, ...] = ("clean", "in use")
#: Replicates of simulated gaps.
REPLICATES = 64
EXACT = ("exact risk",)
RISK = "excess risk"
GAP = "risk less that of full precision"

Point = tuple[Regression, SGD, str]


def rounded(parts: str, noise: str, eps: float) -> str:
    """The precision with a noise in words, or a format, on some parts; no level is 'fp'."""
    if noise not in NOISES:
        return " ".join(f"{part}:{noise}" for part in parts)
    return " ".join(f"{part}:{NOISES[noise]}({eps!r})" for part in parts) if eps else "fp"


def values(
    points: Sequence[Point], iterate: str = "average", inputs: Reading = "clean"
) -> list[float]:
    """The exact risks of points."""
    return [each.value for each in excess_risks(points, iterate, inputs)]


def gaps(
    points: Sequence[Point],
    iterate: str = "average",
    inputs: Reading = "clean",
    scales: Scales | None = None,
) -> list[float]:
    """What each point adds to the risk of the same problem and descent in full precision."""
    full = values([(problem, sgd, "fp") for problem, sgd, _ in points], iterate, inputs)
    found = excess_risks(points, iterate, inputs, scales=scales or Scales())
    return [each.value - exact for each, exact in zip(found, full, strict=True)]


def simulated_gaps(
    laboratory: Laboratory, points: Sequence[Point], inputs: Reading = "clean"
) -> list[Difference]:
    """The gaps of the average by simulation, differences of pairs that share random numbers."""

    def make() -> list[Difference]:
        full = [(problem, sgd, "fp") for problem, sgd, _ in points]
        found = sample_risks(
            [*points, *full], inputs=inputs, replicates=REPLICATES, seed=laboratory.seed
        )
        pairs = zip(found[: len(points)], found[len(points) :], strict=True)
        return [each.minus(exact) for each, exact in pairs]

    return laboratory.once(("simulated gaps", *points, inputs), make)


def share_of_limit(problem: Regression, share: float) -> float:
    """A share of the largest stable step size of full precision: one step size for all formats."""
    return share * stability_limit(problem, SGD(1))
