"""Spectral distortion: what rounded data do to the eigenvalues of the Gauss-Newton matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from isoloss.formats import as_precision, noise_model
from isoloss.linear.checks import whole
from isoloss.linear.descent import SGD
from isoloss.linear.studies.on_networks.beside import Array, Replicates, Way
from isoloss.linear.studies.on_networks.lines import Rows, data_noises, in_study, said
from isoloss.linear.studies.on_networks.verdict import TOLERANCES, judged
from isoloss.linear.studies.question import Study
from isoloss.linear.studies.work import Work

if TYPE_CHECKING:
    from isoloss.linear.networks import Network, Trained

QUANTITY = "lift of the tail"
#: The head is the first sixteenth of the eigenvalues, the tail the last quarter of them.
HEAD, TAIL = 1 / 16, 3 / 4
#: Points of a line, and the least eigenvalue that counts, in units of the largest.
POINTS, LEAST = 24, 1e-8


def network_spectrum(
    *,
    dim: int = 32,
    width: int = 15,
    teacher_width: int = 4,
    decay: float = 2.0,
    eps_add: float = 0.01,
    eps_mul: float = 0.1,
    batch: int = 8,
    steps: Sequence[int] = (250, 1000, 4000),
    share: float = 0.1,
    tests: int = 4096,
    replicates: Replicates = 12,
    seed: int = 0,
    dtype: str = "float64",
    device: str = "cpu",
    work: Work | None = None,
) -> Study:
    """Eigenvalues with rounded data over those without, over training, beside the linear ones."""
    way, noises = Way(replicates, seed, dtype, device, share), data_noises(eps_add, eps_mul)
    times = sorted({0, *steps})
    whole("tests", tests)
    from isoloss.linear.networks import Network

    network, sgd = Network(dim, width, decay, teacher_width), SGD(max(steps), batch)

    @cache  # trained once, by the first point that needs it
    def trained() -> Trained:
        return way.train(network, sgd, [*noises.values()], f"{share} limit", at=times)

    cells = [(step, k) for step in range(len(times)) for k in range(len(noises))]
    found = (work or Work()).frames(
        [partial(_eigenvalues, trained, *cell, tests) for cell in cells]
    )
    rows: Rows = []
    for (step, k), values in zip(cells, found, strict=True):
        name, text = [*noises.items()][k]
        pair = [values[each].to_numpy().reshape(replicates, -1) for each in ("rounded", "exact")]
        rows += _line(network, text, name, f"after {times[step]} steps", *pair)
    return in_study(
        "network-spectrum",
        "What do rounded data do to the spectrum that a ReLU network sees? Eigenvalues of the "
        "Gauss-Newton matrix with rounded inputs over those with exact inputs, at weights trained "
        f"with rounded data; d = {dim}, {width} neurons, additive noise {eps_add:g}, factors "
        f"{eps_mul:g}, batch {batch}, step {share:g} of the limit, {replicates} replicates.",
        rows,
        "rank / number of eigenvalues",
        "ratio",
        "eigenvalue, rounded / exact",
    )


def _eigenvalues(trained: Callable[[], Trained], step: int, k: int, tests: int) -> pl.DataFrame:
    """Eigenvalues of every replicate with inputs rounded as in training, and with exact ones."""
    from isoloss.linear.networks import gauss_newton

    made = trained()
    network, weights = made.network, made.weights(step, k)
    # Rescaling a neuron's two layers against each other changes nothing: m eigenvalues are zero.
    rank = min(network.width * network.dim, tests)
    rounded = gauss_newton(network, weights, made.precisions[k], inputs=tests, seed=made.seed)
    exact = gauss_newton(network, weights, inputs=tests, seed=made.seed)
    pair = {"rounded": rounded.values, "exact": exact.values}
    return pl.DataFrame({name: each[:, :rank].ravel().tolist() for name, each in pair.items()})


def _line(
    network: Network, text: str, name: str, panel: str, rounded: Array, exact: Array
) -> list[dict[str, Any]]:
    """The rows of one noise in one panel: ratios of networks, and those of the linear problem."""
    # What is smaller belongs to neurons that are off for all inputs, in both matrices alike.
    kept = (np.minimum(rounded, exact) > LEAST * exact[:, :1]).sum(axis=1)
    ratios = [np.log(rounded[k, :n] / exact[k, :n]) for k, n in enumerate(kept)]
    predicted = np.log(_linear(network, text) / network.lam)
    lift = _lift(predicted)
    tolerance = max(TOLERANCES[QUANTITY], lift / 2)
    each = np.array([[_lift(one) for one in ratios]])
    verdict = judged(
        f"spectrum {panel}, {name}", QUANTITY, lambda means: float(means[0]), each, lift,
        tolerance, above_noise=False,
    )  # fmt: skip
    more = {**said(verdict), "panel": panel, "precision": text}
    return [
        *_points(ratios, {"series": name, **more}),
        *_points([predicted], {"series": f"{name}, linear", **more}),
    ]


def _points(lines: Sequence[Array], more: dict[str, Any]) -> list[dict[str, Any]]:
    """Means over lines of log ratios at the same shares of their lengths."""
    count = min(POINTS, *(len(each) for each in lines))
    places = (np.arange(count) + 0.5) / count
    at = np.array([each[(places * len(each)).astype(int)] for each in lines])
    ratios = np.exp(at.mean(axis=0))
    errors: list[float | None] = [None] * count
    if len(lines) > 1:
        errors = (ratios * at.std(axis=0, ddof=1) / len(lines) ** 0.5).tolist()
    return [
        {"x": float(x), "ratio": float(ratio), "ratio_se": error, **more}
        for x, ratio, error in zip(places, ratios, errors, strict=True)
    ]


def _linear(network: Network, text: str) -> Array:
    """The eigenvalues of H_q: the variances of the inputs, rounded."""
    known = as_precision(text).train["d"]
    levels = noise_model(str(known.noise)).levels(known.eps or 0.0)
    return np.asarray(network.lam * (1 + levels.mul) + levels.add)


def _lift(log_ratios: Array) -> float:
    """The mean log ratio of the tail less that of the head."""
    count = len(log_ratios)
    head = log_ratios[: max(1, round(HEAD * count))]
    return float(log_ratios[round(TAIL * count) :].mean() - head.mean())
