"""Two assumptions in the exact theory: a constant share of params, effects that multiply."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite, log, nan

from isoloss.linear import SGD, equal_risk_samples, equal_risk_size
from isoloss.papers.checking import check
from isoloss.papers.checks.bridge.exact_runs import STEP_SIZE, problem
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.findings import drawn, slope
from isoloss.papers.laboratory import Laboratory

NOISES = {
    "additive noise of the data": "d:add(0.001)",
    "multiplicative noise of the data": "d:vec(0.001)",
    "multiplicative noise of weights": "w:vec(0.3)",
}
#: A row of the table of a study.
Row = dict[str, float | str]
#: Sizes at one number of samples, and samples at one size.
SIZES, SAMPLES = (16, 32, 64, 128), (16_000, 64_000, 256_000, 1_024_000)
SIZE, SAMPLE = 32, 256_000
#: Where two parts are rounded together.
PAIRS, AT_SIZE, AT_SAMPLES = (("w", "a"), ("w", "g"), ("a", "g")), 256, 32_000


@check
def bridge_share(laboratory: Laboratory) -> Finding:
    """How the share of params that noise leaves goes with params and with samples."""
    ours: dict[str, Ours] = {}
    rows: list[Row] = []
    lost: list[str] = []
    for words, precision in NOISES.items():
        for by, cells in (
            ("params", [(m, SAMPLE) for m in SIZES]),
            ("samples", [(SIZE, n) for n in SAMPLES]),
        ):
            shares = [share_of_params(m, n, precision) for m, n in cells]
            counts = [m if by == "params" else n for m, n in cells]
            ours[f"in {by}, {words}"] = _exponent(counts, shares)
            lost += _lost(by, words, counts, shares)
            rows += [
                {"count": float(n), "share": each, "series": words, "panel": f"against {by}"}
                for n, each in zip(counts, shares, strict=True)
                if isfinite(each)
            ]
    listed = ", ".join(f"{name} {_told(each)}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"Exponents of the share: {listed}{''.join(lost)}.",
        rests_on=(f"exact risk: a = 2, N = {SAMPLE} or M = {SIZE}, clean inputs, averages",),
        figure=drawn(
            "share",
            "Is the share of params that noise leaves constant?",
            rows,
            ("params or samples", "share that is left"),
            x="count",
            y="share",
        ),
    )


@check
def bridge_product(laboratory: Laboratory) -> Finding:
    """Shares of samples that parts leave together, beside the product of those they leave alone."""
    ours: dict[str, Ours] = {}
    rows: list[Row] = []
    for eps in (0.01, 1.0):
        alone = {part: share_of_samples(f"{part}:vec({eps:g})") for part in "wag"}
        for one, other in PAIRS:
            joint = share_of_samples(f"{one}:vec({eps:g}) {other}:vec({eps:g})")
            ratio = log(alone[one] * alone[other]) / log(joint)
            ours[f"{one} and {other}, noise of {eps:g}"] = Ours(ratio)
            pair: Row = {"count": eps, "panel": f"{one} and {other}"}
            rows += [
                {**pair, "share": joint, "series": "together"},
                {**pair, "share": alone[one] * alone[other], "series": "product"},
            ]
    listed = ", ".join(f"{name} {each.value:.2f}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"Log product over log joint: {listed}; noise adds where factors would multiply.",
        rests_on=(f"exact risk: a = 2, M = {AT_SIZE}, N = {AT_SAMPLES}, averages",),
        figure=drawn(
            "product",
            "Do the effects of two parts multiply?",
            rows,
            ("noise of each part", "share that is left"),
            x="count",
            y="share",
        ),
    )


def share_of_params(size: int, samples: int, precision: str) -> float:
    """The size of equal loss at full precision over the size, nan where there is none."""
    found = equal_risk_size(problem(), size, SGD(samples, 1, STEP_SIZE), precision)
    return found.value / size


def share_of_samples(precision: str) -> float:
    """The samples of equal risk at full precision over the samples."""
    sgd = SGD(AT_SAMPLES, 1, STEP_SIZE)
    return equal_risk_samples(problem(), sgd, precision, size=AT_SIZE).value / AT_SAMPLES


def _lost(by: str, words: str, counts: Sequence[int], shares: Sequence[float]) -> list[str]:
    """What is said of cells without a share, where there are any."""
    none = [f"{n}" for n, each in zip(counts, shares, strict=True) if not isfinite(each)]
    if not none:
        return []
    given = len(counts) - len(none)
    return [
        f"; {words}, in {by}: {given} of {len(counts)} cells that were asked have a share, as no "
        f"size has the loss of {', '.join(none)} {by}"
    ]


def _told(found: Ours) -> str:
    return f"{found.value:.2f}" if isfinite(found.value) else "not told"


def _exponent(counts: Sequence[int], shares: Sequence[float]) -> Ours:
    """The slope of log share against log count; not told where fewer than three sizes have one."""
    known = [(n, each) for n, each in zip(counts, shares, strict=True) if isfinite(each)]
    return Ours(slope(*zip(*known, strict=True))) if len(known) > 2 else Ours(nan, inf)
