"""The exact risk against simulation in plain numpy, and against a recursion of full matrices."""

from __future__ import annotations

import numpy as np
import pytest
from by_hand import Array, Simulation, iterates, score

from isoloss.linear import SGD, Regression, excess_risk

DIM, STEPS, REPLICATES = 5, 15, 40_000
LAM = np.arange(1.0, DIM + 1) ** -1.3
TARGET = np.array([1.0, -0.7, 1.2, 0.5, -1.5])
KINDS = ("add", "vec", "coord")
ALONE = [(part, kind, batch) for part in "dlwag" for kind in KINDS for batch in (1, 3)]


def spelled(parts: dict[str, tuple[str, float]]) -> str:
    return " ".join(f"{part}:{kind}({eps})" for part, (kind, eps) in parts.items()) or "fp"


def scores(
    problem: Regression,
    sgd: SGD,
    parts: dict[str, tuple[str, float]],
    iterate: str,
    features: str = "normal",
) -> tuple[float, float]:
    """z on clean and of features rounded in use."""
    first = {"last": None, "average": 0, "tail": sgd.steps - round(sgd.steps / 2)}[iterate]
    clean, used = (
        excess_risk(problem, sgd, spelled(parts), iterate, inputs) for inputs in ("clean", "in use")
    )
    sizes = sgd.step_sizes(clean.step_size)
    sim = Simulation(
        LAM, TARGET, problem.noise_var, sizes, sgd.batch, sgd.momentum, parts, features
    )
    w = iterates(sim, REPLICATES, 7, first)
    kind, eps = parts.get("d", ("", 0.0))
    extra = np.full(DIM, eps) if kind == "add" else eps * LAM
    centre = LAM * TARGET / (LAM + extra)
    floor = 0.5 * np.sum(extra * LAM / (LAM + extra) * TARGET**2)
    assert used.parts.floor == pytest.approx(floor, rel=1e-9, abs=1e-15)
    one = score(0.5 * (w - TARGET) ** 2 @ LAM, clean.value)
    return one, score(0.5 * (w - centre) ** 2 @ (LAM + extra) + floor, used.value)


@pytest.mark.parametrize(("part", "kind", "batch"), ALONE)
def test_each_quantiser_alone(part: str, kind: str, batch: int) -> None:
    problem = Regression(DIM, 1.3, 0.5, TARGET)
    both = scores(problem, SGD(STEPS, batch, 0.12), {part: (kind, 0.3)}, "average")
    assert np.abs(both).max() < 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("iterate", ["last", "average", "tail"])
def test_all_quantisers_together(kind: str, iterate: str) -> None:
    problem = Regression(DIM, 1.3, 0.5, TARGET)
    both = scores(problem, SGD(STEPS, 3, 0.12), dict.fromkeys("dlwag", (kind, 0.1)), iterate)
    assert np.abs(both).max() < 4


@pytest.mark.parametrize("schedule", ["constant", "geometric", "cosine"])
@pytest.mark.parametrize("iterate", ["last", "average", "tail"])
@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_schedules_and_momentum(schedule: str, iterate: str, momentum: float) -> None:
    problem = Regression(DIM, 1.3, 0.5, TARGET)
    parts = {
        "d": ("vec", 0.05),
        "l": ("coord", 0.1),
        "w": ("add", 0.05),
        "a": ("vec", 0.1),
        "g": ("add", 0.1),
    }
    sgd = SGD(STEPS, 2, 0.1, schedule, momentum)  # type: ignore[arg-type]
    assert np.abs(scores(problem, sgd, parts, iterate)).max() < 4


@pytest.mark.parametrize(("features", "kurtosis"), [("sign", 1.0), ("uniform", 1.8)])
@pytest.mark.parametrize("kind", KINDS)
def test_features_that_are_not_normal(features: str, kurtosis: float, kind: str) -> None:
    problem = Regression(DIM, 1.3, 0.5, TARGET, kurtosis=kurtosis)
    both = scores(
        problem, SGD(STEPS, 2, 0.12), {"d": (kind, 0.1), "a": (kind, 0.1)}, "average", features
    )
    assert np.abs(both).max() < 4


def by_matrices(
    h: Array, c: Array, noise: float, w_add: float, size: float, batch: int, steps: int
) -> Array:
    """E v v' of the last iterate and of the average, (2, d, d), by full matrices in a random basis.

    Normal u of covariance H and independent noise, as all five additive quantisers leave them.
    """
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((len(h), len(h))))
    H, v = turn @ np.diag(h) @ turn.T, -turn @ c
    M, Z, S = np.outer(v, v), np.zeros_like(turn), np.zeros_like(turn)
    for _ in range(steps):
        S = S + Z + Z.T + M
        Z = (Z + M) @ (np.eye(len(h)) - size * H)
        N = M + w_add * np.eye(len(h))
        spread = (2 * H @ N @ H + H * np.trace(H @ N)) / batch + (1 - 1 / batch) * H @ N @ H
        M = M - size * (H @ M + M @ H) + size**2 * (spread + H * noise / batch)
    return np.array([turn.T @ each @ turn for each in (M, S / steps**2)])


@pytest.mark.parametrize(("steps", "batch"), [(7, 1), (70, 1), (70, 4), (700, 2)])
def test_full_matrices(steps: int, batch: int) -> None:
    levels = {"d": 0.02, "l": 0.1, "w": 0.03, "a": 0.05, "g": 0.2}
    precision = " ".join(f"{part}:add({eps})" for part, eps in levels.items())
    h = LAM + levels["d"]
    c = LAM * TARGET / h
    noise = 0.5 + np.sum(LAM * TARGET**2 - h * c**2) + levels["l"] + levels["a"] + levels["g"]
    found = by_matrices(h, c, noise, levels["w"], 0.15, batch, steps)
    for matrix, iterate in zip(found, ("last", "average"), strict=True):
        risk = excess_risk(
            Regression(DIM, 1.3, 0.5, TARGET),
            SGD(steps, batch, 0.15),
            precision,
            iterate,
            "in use",
        )
        norm, floor = 0.5 * h @ np.diag(matrix), 0.5 * np.sum(LAM * TARGET**2 - h * c**2)
        assert risk.parts.quantised_norm == pytest.approx(norm, rel=1e-10)
        assert risk.value == pytest.approx(norm + floor, rel=1e-10)


def test_the_map_of_one_step_as_a_matrix() -> None:
    """The last iterate by the eigenvalues of the whole map, diagonal plus rank one, without
    noise.
    """
    size, steps, lam = 0.2, 5000, np.arange(1.0, 101) ** -1.5
    keep = 1 - 2 * size * lam + 2 * size**2 * lam**2  # normal features: 2 h^2 A + h <h, A>
    matrix = np.diag(keep) + size**2 * np.outer(lam, lam)
    values, vectors = np.linalg.eigh(matrix)
    state = vectors @ (values**steps * (vectors.T @ np.ones(100)))
    risk = excess_risk(Regression(100, 1.5, 0.0), SGD(steps, 1, size), iterate="last")
    assert risk.value == pytest.approx(0.5 * lam @ state, rel=1e-10)
