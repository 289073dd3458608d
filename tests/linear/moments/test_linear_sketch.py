"""A sketched problem against simulation, and what is known of its parts."""

from __future__ import annotations

import numpy as np
import pytest
from by_hand import Array, Simulation, iterates, on_grid, score

from isoloss.formats import Format
from isoloss.linear import SGD, Regression, Scales, excess_risk, risk_by_direction, training_risk
from isoloss.linear.quantisers import levels_of

DIM, ROWS, STEPS, REPLICATES = 24, 5, 20, 30_000
TARGET = np.random.default_rng(2).standard_normal(DIM)
GRAM_NOISE = {"add": 0.05, "vec": 0.1, "coord": 0.1}


def problem(site: str = "after", target: object = TARGET) -> Regression:
    return Regression(DIM, 1.2, 0.3, target, sketch=ROWS, site=site, seed=4)


def simulated(
    site: str, rule: object, extra: dict[str, object] | None = None
) -> tuple[Array, Array]:
    """The averaged iterates and S."""
    at = problem(site)
    sketch = at.sketch_matrix()
    sim = Simulation(
        at.lam, TARGET, 0.3, np.full(STEPS, 0.08), 2,
        parts={"d": rule, **(extra or {})}, sketch=sketch, before=site == "before",
    )  # fmt: skip
    return iterates(sim, REPLICATES, 9, 0), sketch


def clean(w: Array, sketch: Array) -> Array:
    """0.5 ||S'w - w*||_H^2 of every replicate."""
    return np.asarray(0.5 * (w @ sketch - TARGET) ** 2 @ problem().lam)


@pytest.mark.parametrize("site", ["after", "before"])
@pytest.mark.parametrize("kind", ["none", "add", "vec", "coord"])
def test_ideal_noise_on_a_sketch(kind: str, site: str) -> None:
    eps = GRAM_NOISE.get(kind)
    precision = "l:vec(0.1) w:add(0.05) a:vec(0.1) g:coord(0.1)" + (
        f" d:{kind}({eps})" if eps else ""
    )
    extra = {"l": ("vec", 0.1), "w": ("add", 0.05), "a": ("vec", 0.1), "g": ("coord", 0.1)}
    w, sketch = simulated(site, (kind, eps) if eps else None, extra)
    at, sgd = problem(site), SGD(STEPS, 2, 0.08)
    one, other = (
        excess_risk(at, sgd, precision, "average", inputs) for inputs in ("clean", "in use")
    )
    exact = {"none": "ee", "vec": "ee", "coord": "cc", "add": "ee" if site == "after" else "ce"}[
        kind
    ]
    assert one.how[0] + other.how[0] == exact
    bound = 4 if one.how == "exact" else 12  # a closure may be a little off
    assert abs(score(clean(w, sketch), one.value)) < bound
    # Features rounded in use: H_q by hand.
    lam, gram = at.lam, sketch @ np.diag(at.lam) @ sketch.T
    noise = {
        "none": 0 * gram,
        "add": (eps or 0) * (np.eye(ROWS) if site == "after" else sketch @ sketch.T),
    }
    noise |= {
        "vec": (eps or 0) * gram,
        "coord": (eps or 0) * (np.diag(np.diag(gram)) if site == "after" else gram),
    }
    covariance = gram + noise[kind]
    pull = sketch @ (lam * TARGET)
    best = np.linalg.solve(covariance, pull)
    missed = 0.5 * (lam @ TARGET**2 - pull @ np.linalg.solve(gram, pull))
    # The rise of the best risk when inputs are rounded.
    used = 0.5 * (lam @ TARGET**2 - pull @ best) - missed
    norm = 0.5 * np.einsum("ri,ij,rj->r", w - best, covariance, w - best)
    near = 4 if other.how == "exact" else 12
    assert abs(score(norm + missed + used, other.value)) < near
    assert abs(score(norm, other.parts.quantised_norm)) < near
    assert other.parts.approximation == pytest.approx(missed, rel=1e-9)
    assert other.parts.floor == pytest.approx(used, rel=1e-6, abs=1e-14)


@pytest.mark.parametrize("site", ["after", "before"])
@pytest.mark.parametrize(("name", "scale"), [("int4~sr", 0.3), ("int4", 0.3), ("e2m1", 0.5)])
def test_real_grids_on_a_sketch_close_to_a_few_percent(name: str, scale: float, site: str) -> None:
    levels = levels_of(Format.parse(name), scale, 1.0)
    w, sketch = simulated(site, on_grid(levels, "sr" in name))
    risk = excess_risk(problem(site), SGD(STEPS, 2, 0.08), f"d:{name}", scales=Scales(d=scale))
    assert risk.how == "closure"
    assert np.mean(clean(w, sketch)) == pytest.approx(risk.value, rel=0.03)


@pytest.mark.parametrize("precision", ["fp", "d:add(0.05)", "d:vec(0.1)"])
@pytest.mark.parametrize("site", ["after", "before"])
def test_a_random_target_is_the_mean_of_fixed_ones(precision: str, site: str) -> None:
    """w* over signs times root of E w*^2: the risk is quadratic in w*, so axes and their average
    decide.
    """
    sgd = SGD(200, 2, 0.1)
    for inputs in ("clean", "in use"):
        whole = excess_risk(problem(site, "isotropic"), sgd, precision, "average", inputs)
        empty = excess_risk(problem(site, 0.0), sgd, precision, "average", inputs)
        alone = [
            excess_risk(problem(site, row), sgd, precision, "average", inputs)
            for row in np.eye(DIM)
        ]
        total = sum(each.value - empty.value for each in alone) + empty.value
        assert whole.value == pytest.approx(total, rel=1e-8)


def test_a_square_sketch_misses_nothing() -> None:
    at = Regression(6, 1.0, 0.1, sketch=6, seed=1)
    risk = excess_risk(at, SGD(10**6, 64, "0.2 limit"), iterate="last")
    assert risk.parts.approximation == pytest.approx(0.0, abs=1e-12)
    assert risk.parts.variance > 0


def test_directions_and_training_of_a_sketch() -> None:
    at, sgd = problem(), SGD(100, 2, 0.1)
    rows, risk = (
        f(at, sgd, "d:coord(0.1)", "average", "in use") for f in (risk_by_direction, excess_risk)
    )
    assert rows.risk.sum() == pytest.approx(risk.parts.bias + risk.parts.variance)
    with pytest.raises(ValueError, match=r"^clean inputs mix the eigendirections"):
        risk_by_direction(at, sgd, "d:coord(0.1)")
    for precision in ("fp", "d:add(0.1)"):
        loss = training_risk(at, sgd, precision)
        last = excess_risk(at, sgd, precision, "last", "in use")
        assert (loss.noise, loss.floor) == pytest.approx((0.15, last.parts.floor))
        assert loss.value == pytest.approx(0.15 + last.value)


@pytest.mark.parametrize("precision", ["w:coord(0.1)", "w4~sr", "fp -> w:coord(0.1)", "fp -> w4"])
def test_rounding_that_depends_on_the_basis_is_refused(precision: str) -> None:
    with pytest.raises(
        ValueError, match=r"of a sketch depends on its basis, no exact risk; accepted are add"
    ):
        excess_risk(problem(), SGD(10), precision)
