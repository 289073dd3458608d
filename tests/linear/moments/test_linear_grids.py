"""Real grids on data (exact) and on the result, and what else is said of a result, against
simulation.
"""

from __future__ import annotations

import numpy as np
import pytest
from by_hand import Array, Simulation, both_iterates, iterates, on_grid, score
from scipy.integrate import quad
from scipy.stats import norm

from isoloss.formats import Format
from isoloss.linear import SGD, Regression, Scales, excess_risk, risk_by_direction, training_risk
from isoloss.linear.moments.grid_moments import rounded_moments, symmetric_moments
from isoloss.linear.quantisers import levels_of

DIM, STEPS, REPLICATES = 5, 15, 40_000
LAM = np.arange(1.0, DIM + 1) ** -1.5
TARGET = np.array([1.0, -0.7, 1.2, 0.5, -1.5])
PROBLEM = Regression(DIM, 1.5, 0.5, TARGET)
GRIDS = [
    ("int3", 0.9),
    ("int4", 0.35),
    ("int2", None),
    ("int4", None),
    ("e2m1", 1.0),
    ("e2m1", 0.25),
    ("e4m3", 1.0),
]


def grid(name: str, stochastic: bool, scale: float | None) -> tuple[str, Array]:
    """The spelling of a format and its numbers >= 0."""
    known = Format.parse(name + ("~sr" if stochastic else ""))
    return str(known), levels_of(known, scale, 1.0)


@pytest.mark.parametrize(("name", "scale"), GRIDS)
@pytest.mark.parametrize("stochastic", [False, True])
def test_data_on_a_real_grid(name: str, scale: float | None, stochastic: bool) -> None:
    spelled, levels = grid(name, stochastic, scale)
    sim = Simulation(
        LAM, TARGET, 0.5, np.full(STEPS, 0.1), 2, parts={"d": on_grid(levels, stochastic)}
    )
    results = both_iterates(sim, REPLICATES, 3)
    moments = symmetric_moments(levels, stochastic, np.sqrt(LAM))
    for inputs, best, by in (
        ("clean", TARGET, LAM),
        ("in use", moments.g / moments.h * TARGET, moments.h),
    ):
        for iterate, w in zip(("last", "average"), results, strict=True):
            risk = excess_risk(
                PROBLEM, SGD(STEPS, 2, 0.1), f"d:{spelled}", iterate, inputs, scales=Scales(d=scale)
            )
            assert risk.how == "exact"
            norm = 0.5 * (w - best) ** 2 @ by
            floor = 0.5 * (LAM @ TARGET**2 - by @ best**2)
            assert abs(score(norm + floor, risk.value)) < 4


@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize(("name", "scale"), GRIDS)
@pytest.mark.parametrize("sd", [0.02, 0.3, 1.0, 6.0])
def test_moments_against_quadrature(
    name: str, scale: float | None, stochastic: bool, sd: float
) -> None:
    """E u^2, E u x by adaptive quadrature of the conditional moments; nothing shared with the
    code.
    """
    _, levels = grid(name, stochastic, scale)
    found = symmetric_moments(levels, stochastic, np.array([sd]))

    def moment(k: int, x: float) -> float:
        """E[u^k | x] for x > 0."""
        above = int(np.searchsorted(levels, x))
        if above == len(levels):
            return float(levels[-1] ** k)
        low, high = levels[max(above - 1, 0)], levels[above]
        share = (x - low) / (high - low) if above else 1.0
        if not stochastic:
            share = float(share > 0.5)
        return float(share * high**k + (1 - share) * low**k)

    cuts = np.unique(np.concatenate([[0.0], levels, (levels[1:] + levels[:-1]) / 2, [12 * sd]]))
    cuts = cuts[cuts <= 12 * sd]
    for name_, k, power in (("h", 2, 0), ("f", 4, 0), ("g", 1, 1), ("t", 3, 1), ("b", 2, 2)):
        total = sum(
            quad(
                lambda x, k=k, p=power: moment(k, x) * x**p * norm.pdf(x, scale=sd),
                a,
                b,
                epsabs=0,
                epsrel=1e-9,
            )[0]
            for a, b in zip(cuts[:-1] + 1e-14, cuts[1:], strict=True)
        )
        assert getattr(found, name_)[0] == pytest.approx(2 * total, rel=1e-7, abs=1e-32)


@pytest.mark.parametrize("sd", [1e-3, 0.2])
def test_a_grid_finer_than_the_variable_adds_its_noise(sd: float) -> None:
    step = sd / 4
    levels = np.arange(200.0) * step
    nearest, kept = (symmetric_moments(levels, sr, np.array([sd])) for sr in (False, True))
    assert nearest.h[0] == pytest.approx(sd**2 + step**2 / 12, rel=1e-12)
    assert kept.h[0] == pytest.approx(sd**2 + step**2 / 6, rel=1e-12)
    assert kept.g[0] == pytest.approx(sd**2, rel=1e-12)


@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize(
    ("mean", "sd"), [(0.37, 0.1), (-1.2, 0.4), (3.0, 0.5), (0.13, 0.0), (5.0, 0.0)]
)
def test_moments_off_centre(mean: float, sd: float, stochastic: bool) -> None:
    levels = np.arange(5.0) * 0.5
    rng = np.random.default_rng(0)
    x = mean + sd * rng.standard_normal(400_000)
    u = on_grid(levels, stochastic)(x, rng)
    found = rounded_moments(levels, stochastic, np.array([mean]), np.array([sd]))
    for samples, moment in zip((u, u**2, u * x), found, strict=True):
        assert np.mean(samples) == pytest.approx(moment[0], abs=5 * np.std(samples) / 600 + 1e-9)


@pytest.mark.parametrize("inputs", ["clean", "in use"])
@pytest.mark.parametrize("iterate", ["last", "average"])
@pytest.mark.parametrize(("kind", "eps"), [("add", 0.05), ("vec", 0.1), ("coord", 0.1)])
def test_ideal_rounding_of_the_result(kind: str, eps: float, iterate: str, inputs: str) -> None:
    """Half eps tr H, or half eps sum lam E w^2: the square from a second risk around w* = 0."""
    sgd = SGD(50, 2, 0.1)
    before, after = (
        excess_risk(PROBLEM, sgd, precision, iterate, inputs)
        for precision in ("d:add(0.1)", f"d:add(0.1) -> w:{kind}({eps})")
    )
    by = LAM if inputs == "clean" else LAM + 0.1
    centre = TARGET if inputs == "clean" else LAM * TARGET / (LAM + 0.1)
    rows = risk_by_direction(PROBLEM, sgd, "d:add(0.1)", iterate, inputs)
    mean = centre - np.sign(TARGET) * np.sqrt(
        2 * rows.bias / by
    )  # training stops short of the optimum
    squares = 2 * rows.variance / by + mean**2
    expected = 0.5 * eps * np.sum(by if kind == "add" else by * squares)
    assert after.parts.rounding == pytest.approx(expected, rel=1e-9)
    assert after.value - before.value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "scale"), [("int4", 0.25), ("int3~sr", 0.4), ("e2m1", 0.5), ("int20", None)]
)
def test_the_result_on_a_real_grid(name: str, scale: float | None) -> None:
    risk = excess_risk(PROBLEM, SGD(40, 2, 0.1), f"fp -> w:{name}", scales=Scales(post=scale))
    assert risk.how == "closure"
    w = iterates(Simulation(LAM, TARGET, 0.5, np.full(40, 0.1), 2), REPLICATES, 3, 0)
    levels = levels_of(Format.parse(name if name != "int20" else "int16"), scale, 1.5)
    rounded = on_grid(levels, "sr" in name)(w, np.random.default_rng(1))
    assert np.mean(0.5 * (rounded - TARGET) ** 2 @ LAM) == pytest.approx(risk.value, rel=0.02)


@pytest.mark.parametrize(
    "precision", ["fp", "d:add(0.1) l:vec(0.1)", "d:int3~sr", "w:vec(0.2) a:coord(0.1)"]
)
@pytest.mark.parametrize("inputs", ["clean", "in use"])
def test_directions_sum_to_the_risk(precision: str, inputs: str) -> None:
    problem, sgd = Regression(300, target="source 1.5"), SGD(500, 2, 0.1)
    risk, rows = (
        f(problem, sgd, precision, "average", inputs) for f in (excess_risk, risk_by_direction)
    )
    assert rows.bias.sum() == pytest.approx(risk.parts.bias, rel=1e-9)
    assert rows.variance.sum() == pytest.approx(risk.parts.variance, rel=1e-9)
    assert len(rows.risk) == 300
    assert np.all(rows.variance > 0)


@pytest.mark.parametrize("kind", ["add", "vec", "coord"])
def test_training_risk_is_the_loss_of_the_next_sample(kind: str) -> None:
    eps = dict.fromkeys("dlwa", 0.1)
    precision = " ".join(f"{part}:{kind}({level})" for part, level in eps.items())
    risk = training_risk(PROBLEM, SGD(STEPS, 1, 0.1), precision)
    sim = Simulation(LAM, TARGET, 0.5, np.full(STEPS, 0.1), parts=dict.fromkeys(eps, (kind, 0.1)))
    w = iterates(sim, 200_000, 5, None)
    # One more step of size one, without rounding the gradient: w+ - w = u o, and o^2 = |w+ - w|^2 /
    # |u|^2.
    rng = np.random.default_rng(11)
    from by_hand import noisy

    x = np.sqrt(LAM) * rng.standard_normal(w.shape)
    y = x @ TARGET + np.sqrt(0.5) * rng.standard_normal(len(w))
    one = (len(w), 1)
    u, p = noisy(x, (kind, 0.1), one, rng), noisy(w, (kind, 0.1), one, rng)
    a = noisy(np.sum(u * p, axis=1), (kind, 0.1), (len(w),), rng)
    o = noisy(y, (kind, 0.1), (len(w),), rng) - a
    assert abs(score(0.5 * o**2, risk.value)) < 4
    parts = risk.noise + risk.floor + risk.approximation + risk.excess
    assert parts == pytest.approx(risk.value)


def test_training_risk_ends_at_noise_floor_and_what_steps_leave() -> None:
    risk = training_risk(PROBLEM, SGD(10**8, 64, 1e-3), "d:add(0.1)")
    test = excess_risk(PROBLEM, SGD(10**8, 64, 1e-3), "d:add(0.1)", "last", "in use")
    assert risk.noise == pytest.approx(0.25)
    assert risk.floor == pytest.approx(test.parts.floor)
    assert risk.excess == pytest.approx(test.parts.quantised_norm)
