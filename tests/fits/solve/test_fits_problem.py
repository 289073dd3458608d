"""The objective, its derivatives, and the solver against scipy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize

from isoloss.fits.sample import as_sample
from isoloss.fits.solve.objective import OBJECTIVES, Objective, as_objective
from isoloss.fits.solve.optimum import feasible_starts, optimise, pose
from isoloss.fits.solve.problem import Coordinates, Problem
from isoloss.fits.solve.slots import Slots
from isoloss.fits.solve.solver import solve
from isoloss.fits.solve.starts import descend, draw, with_amplitudes
from isoloss.laws import preset

EVERY = [replace(o, delta=o.delta or 5e-3) for o in OBJECTIVES.values()]
EVERY.append(Objective("huber", 0.05))


@pytest.mark.parametrize("objective", EVERY, ids=str)
def test_slope_and_curvature_are_derivatives(objective):
    r = np.linspace(-0.2, 0.2, 101) + 3.3e-4
    step = 1e-7
    slope = (objective.value(r + step) - objective.value(r - step)) / (2 * step)
    np.testing.assert_allclose(objective.slope(r), slope, rtol=1e-5, atol=1e-8)
    away = np.abs(np.abs(r) - objective.delta) > 1e-5
    bend = (objective.slope(r + step) - objective.slope(r - step)) / (2 * step)
    np.testing.assert_allclose(objective.curvature(r)[away], bend[away], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(objective.weight(r) * r, objective.slope(r))


def test_huber_joins_its_two_branches():
    huber = Objective("huber", 0.1)
    assert huber.value(np.array([0.05, 0.1, 0.3])) == pytest.approx([0.00125, 0.005, 0.025])


def test_unknown_objective_lists_the_known():
    with pytest.raises(
        ValueError, match=r"unknown objective 'l7'; accepted are huber, squares, student, plain"
    ):
        as_objective("l7")


def posed(law, runs, objective="huber"):
    return pose(preset(law), as_sample(runs), as_objective(objective))[0]


@pytest.mark.parametrize("law", ["chinchilla", "busbridge2025", "kumar2024", "frantar2025"])
@pytest.mark.parametrize("objective", ["squares", "plain", Objective("student", 5e-3)], ids=str)
def test_gradient_and_hessian_match_finite_differences(law, objective, quantised):
    problem = posed(law, quantised, objective)
    theta = feasible_starts(problem, 3, 0)[0]
    _, gradient, hessian, _ = (a[0] for a in problem.derivatives(theta[None, :]))
    value = lambda t: float(problem.value(t[None, :])[0])  # noqa: E731
    np.testing.assert_allclose(
        gradient, approx_fprime(theta, value, 1e-7), rtol=2e-4, atol=2e-4 * np.abs(gradient).max()
    )
    slope = lambda t: problem.derivatives(t[None, :])[1][0]  # noqa: E731
    numeric = approx_fprime(theta, slope, 1e-7)
    np.testing.assert_allclose(hessian, numeric, rtol=2e-4, atol=2e-4 * np.abs(hessian).max())
    np.testing.assert_allclose(hessian, hessian.T)


@pytest.mark.parametrize("law", ["frantar2025", "quartet2025", "thomassen2026"])
@pytest.mark.parametrize("held", ["none", "fixed", "tied"])
def test_constants_of_a_table_share_a_derivative_and_keep_their_own(law, held, quantised):
    sample = as_sample(quantised)
    free = preset(law).bind(sample.x.levels)
    one, two = [k.name for k in free.free if "[" in k.name][:2]
    free = {"none": free, "fixed": free.fix(**{one: 0.7}), "tied": free.tie(one, two)}[held]
    problem = pose(free, sample, as_objective("squares"))[0]
    theta = feasible_starts(problem, 3, 0)
    apart = Slots(np.arange(theta.shape[1]), {})
    assert len(set(problem.slots.of)) < theta.shape[1]
    for shared, own in zip(
        problem.derivatives(theta), problem.derivatives(theta, apart), strict=True
    ):
        np.testing.assert_allclose(shared, own, rtol=1e-10, atol=1e-12 * np.abs(own).max())


def test_solver_ends_where_scipy_does(table):
    problem = posed("chinchilla", table, "squares")
    found = descend(problem, feasible_starts(problem, 8, 0))[1]
    other = min(
        (
            minimize(
                lambda t: float(problem.value(t[None, :])[0]),
                t,
                method="Nelder-Mead",
                options={"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-10, "fatol": 1e-16},
            )
            for t in found.theta[:1] + 0.01
        ),
        key=lambda r: r.fun,
    )
    assert found.value.min() <= other.fun * (1 + 1e-9)


def test_many_walks_equal_single_walks(table):
    problem = posed("chinchilla", table)
    theta = feasible_starts(problem, 6, 3)
    together = solve(problem, theta)
    alone = [solve(problem, t[None, :]) for t in theta]
    np.testing.assert_array_equal(together.theta, np.concatenate([s.theta for s in alone]))


def test_weights_count_rows(table):
    sample = as_sample(table)
    twice = np.repeat(np.arange(len(sample)), 2)
    law = preset("chinchilla")
    one = Problem(
        Coordinates(law), sample.x, sample.loss, as_objective("huber"), np.full(len(sample), 2.0)
    )
    two = Problem(Coordinates(law), sample.x.take(twice), sample.loss[twice], as_objective("huber"))
    theta = Coordinates(law).theta(
        {"A": 400.0, "alpha": 0.34, "B": 2000.0, "beta": 0.37, "E": 1.8}
    )[None, :]
    for a, b in zip(one.derivatives(theta), two.derivatives(theta), strict=True):
        assert a.shape == b.shape or a.shape[1] * 2 == b.shape[1]
    np.testing.assert_allclose(one.value(theta), two.value(theta))
    np.testing.assert_allclose(one.derivatives(theta)[1], two.derivatives(theta)[1])


def test_a_bound_holds_and_is_kept(table):
    problem = posed("chinchilla", table, "squares")
    law = problem.coordinates.law.bounded(E=(0.0, 1.0))
    bounded = replace(problem, coordinates=Coordinates(law))
    found = descend(bounded, draw(bounded, 6, np.random.default_rng(0)))[1]
    values = bounded.coordinates.values(found.theta[np.argmin(found.value)])
    assert values["E"] == 1.0


def test_amplitudes_of_exact_losses_are_found_at_once(truth, table):
    sample = as_sample(table)
    exact = Problem(Coordinates(truth), sample.x, truth.loss(sample.x), as_objective("squares"))
    theta = with_amplitudes(exact, {"alpha": np.array([0.34781]), "beta": np.array([0.36585])})
    assert exact.coordinates.values(theta[0]) == pytest.approx(dict(truth.values), rel=1e-6)


def test_undefined_points_are_infinite_and_never_accepted(quantised):
    problem = posed("kumar2024", quantised)
    names = [k.name for k in problem.coordinates.free]
    theta = feasible_starts(problem, 1, 0)
    theta[0, names.index("n_a")] = 7.9
    assert problem.value(theta)[0] == np.inf
    assert not solve(problem, theta).converged[0]


def test_certificate_tells_ridge_and_agreement(table):
    problem, absent = pose(preset("chinchilla"), as_sample(table), as_objective("huber"))
    certificate = optimise(problem, absent, 12, 0).certificate
    assert certificate.agree == certificate.starts == 12
    assert certificate.gradient < 1e-3
    assert certificate.condition > 100
    assert set(certificate.ridge) == {"A", "alpha", "B", "beta", "E"}
    assert "12 of 12 starts agree" in str(certificate)


def test_every_walk_may_hold_a_constant_at_a_value_of_its_own(table):
    problem, _ = pose(preset("chinchilla"), as_sample(table), as_objective("squares"))
    best = optimise(problem, (), 8, 0).theta
    values = np.array([0.25, 0.3, 0.4])
    lower, upper = (
        np.tile(e, (4, 1)) for e in (problem.coordinates.lower, problem.coordinates.upper)
    )
    lower[:3, 1] = upper[:3, 1] = values
    found = solve(problem, np.tile(best, (4, 1)), tolerance=1e-10, bounds=(lower, upper))
    assert found.theta[:3, 1] == pytest.approx(values, abs=0)
    assert found.theta[3] == pytest.approx(best, rel=1e-4)
    for value, reached in zip(values, found.value, strict=False):
        fixed = preset("chinchilla").with_values({"alpha": value}).fix("alpha")
        own = optimise(replace(problem, coordinates=Coordinates(fixed)), (), 8, 0)
        assert reached == pytest.approx(own.certificate.objective, rel=1e-6)
