"""Spectral distortion: what rounded data do to the eigenvalues of the Gauss-Newton matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from isoloss.formats import NOISES, as_precision
from isoloss.linear.checks import whole
from isoloss.linear.descent import SGD
from isoloss.linear.studies.on_networks.beside import FEWEST, Array
from isoloss.linear.studies.on_networks.verdict import TOLERANCES, judged
from isoloss.linear.studies.question import Study, answered

if TYPE_CHECKING:
    from isoloss.linear.networks import Network, Trained

QUANTITY = "lift of the tail"
#: The head is the first sixteenth of the eigenvalues, the tail the last quarter of them.
HEAD, TAIL = 1 / 16, 3 / 4
#: Points of a line.
POINTS = 24


def network_spectrum(
    *,
    dim: int = 32,
    width: int = 15,
    teacher_width: int = 4,
    decay: float = 2.0,
    eps_add: float = 0.01,
    eps_mul: float = 0.1,
    batch: int = 8,
    at: Sequence[int] = (0, 250, 1000, 4000),
    share: float = 0.1,
    tests: int = 4096,
    replicates: int = 12,
    seed: int = 0,
    dtype: str = "float64",
    device: str = "cpu",
) -> Study:
    """Eigenvalues with rounded data over those without, over training, beside the linear ones."""
    from isoloss.linear.networks import Network, train_networks

    whole("replicates", replicates, FEWEST)
    network = Network(dim, width, decay, teacher_width)
    ways = {
        "additive": f"d:add({eps_add})",
        "shared factor": f"d:vec({eps_mul})",
        "factor by element": f"d:coord({eps_mul})",
    }
    trained = train_networks(
        network, SGD(max(at), batch, f"{share} limit"), [*ways.values()], at=at,
        replicates=replicates, seed=seed, dtype=dtype, device=device,
    )  # fmt: skip
    rows: list[dict[str, Any]] = []
    for step in range(len(trained.at)):
        panel = f"after {trained.at[step]} steps"
        for k, (name, text) in enumerate(ways.items()):
            rounded, exact = _eigenvalues(trained, step, k, tests)
            rows += _line(network, text, name, panel, rounded, exact)
    study = Study(
        "network-spectrum",
        "What do rounded data do to the spectrum that a ReLU network sees? Eigenvalues of the "
        "Gauss-Newton matrix with rounded inputs over those with exact inputs, at weights trained "
        f"with rounded data; d = {dim}, {width} neurons, additive noise {eps_add:g}, factors "
        f"{eps_mul:g}, batch {batch}, step {share:g} of the limit, {replicates} replicates.",
        pl.DataFrame(rows, infer_schema_length=None),
        "x", "ratio", "series", "panel",
        ("rank / number of eigenvalues", "eigenvalue, rounded / exact"), (),
    )  # fmt: skip
    return answered(study, list(dict.fromkeys(each["said"] for each in rows)))


def _eigenvalues(trained: Trained, step: int, k: int, tests: int) -> tuple[Array, Array]:
    """Eigenvalues (R, n) with inputs rounded as in training, and with exact ones."""
    from isoloss.linear.networks import gauss_newton

    network, weights = trained.network, trained.weights(step, k)
    # Rescaling a neuron's two layers against each other changes nothing: m eigenvalues are zero.
    rank = min(network.width * network.dim, tests)
    rounded = gauss_newton(network, weights, trained.precisions[k], inputs=tests, seed=trained.seed)
    exact = gauss_newton(network, weights, inputs=tests, seed=trained.seed)
    return rounded.values[:, :rank], exact.values[:, :rank]


def _line(
    network: Network, text: str, name: str, panel: str, rounded: Array, exact: Array
) -> list[dict[str, Any]]:
    """The rows of one noise in one panel: ratios of networks, and those of the linear problem."""
    # Below 1e-14 of the largest both are rounding errors of the eigenvalues themselves.
    least = 1e-14 * exact[:, :1]
    ratios = np.log(np.maximum(rounded, least) / np.maximum(exact, least))
    predicted = np.log(_linear(network, text) / network.lam)
    lift = _lift(predicted)
    tolerance = max(TOLERANCES[QUANTITY], lift / 2)
    each = np.array([[_lift(one) for one in ratios]])
    verdict = judged(
        f"spectrum {panel}, {name}", QUANTITY, lambda means: float(means[0]), each, lift,
        tolerance, above_noise=False,
    )  # fmt: skip
    more = {**verdict.columns, "said": str(verdict), "panel": panel, "precision": text}
    rows = []
    for values, series in ((ratios, name), (predicted[None], f"{name}, linear")):
        count = values.shape[1]
        for i in np.unique(np.linspace(0, count - 1, min(POINTS, count)).astype(int)):
            one = values[:, i]
            ratio = float(np.exp(one.mean()))
            error = ratio * float(one.std(ddof=1)) / len(one) ** 0.5 if len(one) > 1 else None
            x = (int(i) + 0.5) / count
            rows.append({"x": x, "ratio": ratio, "ratio_se": error, "series": series, **more})
    return rows


def _linear(network: Network, text: str) -> Array:
    """The eigenvalues of H_q: the variances of the inputs, rounded."""
    known = as_precision(text).train["d"]
    levels = NOISES[str(known.noise)].levels(known.eps or 0.0)
    return np.asarray(network.lam * (1 + levels.mul) + levels.add)


def _lift(log_ratios: Array) -> float:
    """The mean log ratio of the tail less that of the head."""
    count = len(log_ratios)
    head = log_ratios[: max(1, round(HEAD * count))]
    return float(log_ratios[round(TAIL * count) :].mean() - head.mean())
