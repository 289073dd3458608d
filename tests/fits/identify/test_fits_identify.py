"""What runs can tell: loose constants, their ridge, and answers along it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

import isoloss as il
from isoloss.fits import Along, FitError, WarningKind, fit, join_ridges
from isoloss.fits.doubt import noise
from isoloss.fits.evidence import lines_of_misfit
from isoloss.fits.identify import Identified

TRUTH = {"A": 400.0, "alpha": 0.34, "B": 900.0, "beta": 0.3, "E": 1.8}


def runs(sizes, lengths, noise=0.004, seed=0):
    rng = np.random.default_rng(seed)
    n, d = (np.ravel(v) for v in np.broadcast_arrays(sizes, lengths))
    loss = TRUTH["E"] + TRUTH["A"] / n ** TRUTH["alpha"] + TRUTH["B"] / d ** TRUTH["beta"]
    loss = loss * np.exp(noise * rng.standard_normal(len(n)))
    columns = zip(n.tolist(), d.tolist(), loss.tolist(), strict=True)
    return [il.Run(params=a, tokens=b, loss=c, precision="bf16") for a, b, c in columns]


LENGTHS = np.geomspace(1e9, 6e10, 15)


@pytest.fixture(scope="module")
def two_sizes():
    return fit("chinchilla", runs([[1e8], [4e8]], LENGTHS), draws=40)


@pytest.fixture(scope="module")
def grid():
    return fit("chinchilla", runs(np.geomspace(5e7, 1e9, 4)[:, None], LENGTHS), draws=40)


def test_two_sizes_do_not_hold_three_constants(two_sizes):
    assert two_sizes.identified.not_held(0.9) == ("A", "alpha", "E")
    assert not np.isfinite(two_sizes.interval("alpha")).all()
    low, high = two_sizes.interval("beta")
    assert 0.25 < low < high < 0.36
    said = next(w for w in two_sizes.warnings if w.kind == WarningKind.NOT_IDENTIFIED)
    assert said.about == ("A", "alpha", "E")
    assert "30 runs of 2 sizes, 15 lengths" in said.text
    assert "two runs would tell" in said.text
    assert "NOT HELD" in str(two_sizes)


def test_what_moves_along_the_ridge_is_withheld_and_what_does_not_is_given(two_sizes):
    assert "A, alpha, E" in two_sizes.withheld
    assert np.isinf(two_sizes.exponent[1:]).all()
    assert not two_sizes.compute_split(1e20).told
    far = two_sizes.predict(4e9, 5e10)
    assert np.isnan(far.low[0])
    assert far.warnings[-1].kind == WarningKind.NOT_IDENTIFIED
    assert "not held" in str(far)
    near = two_sizes.predict(4e8, 1e11, of="mean")
    assert near.low[0] < near.loss[0] < near.high[0] < 1.1 * near.low[0]


def test_points_of_the_ridge_are_as_good_as_the_optimum(two_sizes):
    """The oracle: with alpha held anywhere, A and E alone reach the same two sizes."""
    known, best = two_sizes.identified, two_sizes.certificate.objective
    k = known.followed.index("alpha")
    up = (known.walk == 2 * k + 1) & known.inside(0.9)
    assert np.ptp(known.values[up, k]) > 0.4
    value = two_sizes.optimum.problem.value(known.theta[up])
    assert value == pytest.approx(np.full(up.sum(), best), rel=1e-6)


def test_a_profile_that_closes_is_that_of_a_separate_solver():
    """Three sizes: alpha is loose but held; scipy walks the same profile under least squares."""
    found = fit(
        "chinchilla", runs(np.array([1e8, 3e8, 9e8])[:, None], LENGTHS, 0.008), objective="squares"
    )
    low, high = found.interval("alpha")
    assert "alpha" in found.identified.followed
    assert np.isfinite([low, high]).all()
    x, loss = found.sample.x, found.sample.loss

    def rise(alpha):
        def residual(p):
            a, b, beta, e = p
            predicted = e + np.exp(a) / x.params**alpha + np.exp(b) / x.tokens**beta
            return np.log(np.maximum(predicted, 1e-9) / loss)

        v = found.values
        begun = [np.log(v["A"]) + (alpha - v["alpha"]) * 19, np.log(v["B"]), v["beta"], v["E"]]
        box = [(-30, -30, 0.01, 0), (40, 40, 2, 10)]
        return least_squares(residual, begun, x_scale="jac", max_nfev=4000, bounds=box).cost

    best = rise(found.values["alpha"])
    limit = found.identified._limit(0.9) / 2 * 2 * best / (len(loss) - 5)
    for end in (low, high):
        assert rise(end) - best == pytest.approx(limit, rel=0.1)


def test_a_grid_is_not_troubled(grid):
    known = grid.identified
    assert known.not_held(0.9) == ()
    assert known.cause == known.remedy == ""
    assert WarningKind.NOT_IDENTIFIED not in {w.kind for w in grid.warnings}
    assert np.isfinite(grid.exponent).all()
    assert grid.compute_split(1e20).told


def test_a_ladder_tells_the_loss_along_it_and_no_role():
    sizes = np.repeat(np.geomspace(5e7, 1e9, 7), 3)
    found = fit("chinchilla", runs(sizes, 20 * sizes), draws=40)
    on, off = (found.predict(*p, of="mean") for p in ((2e9, 4e10), (1e8, 4e11)))
    assert np.isfinite(on.low[0])
    assert np.isnan(off.low[0])
    assert found.withheld is not None


def test_exact_runs_are_held_where_they_can_be():
    exact = fit(
        "chinchilla", runs(np.geomspace(5e7, 1e9, 4)[:, None], LENGTHS, noise=0.0), draws=20
    )
    assert exact.identified.not_held(0.9) == ()
    loose = fit("chinchilla", runs([[1e8], [4e8]], LENGTHS, noise=0.0), draws=20)
    assert "alpha" in loose.identified.not_held(0.9)


def test_a_loaded_fit_withholds_alike(two_sizes, tmp_path):
    again = il.load(two_sizes.save(tmp_path / "fit.json"))
    assert again.identified.not_held(0.9) == ("A", "alpha", "E")
    assert np.isnan(again.predict(4e9, 5e10).low[0])
    assert again.withheld == two_sizes.withheld


def test_a_constant_that_was_not_followed_has_no_profile():
    with pytest.raises(FitError, match="'kappa' was not followed"):
        Identified().profile("kappa", 0.9)


def test_answers_move_only_on_a_ridge_that_a_bound_ends():
    """By hand: constant 0 is open upward, constant 1 closes; answers follow one each."""
    known = Identified(
        ("p", "q"),
        np.zeros((5, 2)),
        np.array([[0, 0], [0, 0], [9, 0], [0, -2], [0, 2]], float),
        np.array([0, 0.5, 1.0, 2.0, 2.0]),
        np.array([-1, 0, 1, 2, 3]),
        np.array([False, False, True, False, False]),
        (0, 1),
        left=40,
    )
    reach = known.along(known.values.copy(), 0.9, least=1.0)
    assert reach.moved.tolist() == [True, False]
    assert reach.low.tolist() == [0, -2]
    assert reach.high.tolist() == [9, 2]
    assert known.not_held(0.9) == ("p",)


def test_exact_runs_raise_no_alarm():
    sizes = np.geomspace(5e7, 1e9, 4)[:, None]
    found = fit("chinchilla", runs(sizes, LENGTHS, noise=0.0), draws=20)
    assert found.warnings == ()
    assert found.certificate.agree >= found.certificate.starts - 2
    assert found.withheld is None
    tied = fit("chinchilla_tied", runs(sizes, LENGTHS), draws=20)
    assert tied.exponent_by_form


@pytest.mark.parametrize("spread", [0.0, 0.004])
def test_losses_without_a_law_are_said_and_withheld(spread):
    flat = runs(np.geomspace(5e7, 1e9, 4)[:, None], LENGTHS)
    noise = np.random.default_rng(0).standard_normal(len(flat))
    losses = 2.5 * np.exp(spread * noise)
    pairs = zip(flat, losses.tolist(), strict=True)
    found = fit("chinchilla", [replace(run, loss=loss) for run, loss in pairs], draws=20)
    assert WarningKind.NO_SIGNAL in {w.kind for w in found.warnings}
    assert found.withheld is not None


def test_an_average_of_laws_inherits_what_the_runs_do_not_tell():
    table = runs([[1e8], [4e8]], LENGTHS)
    both = il.compare(["chinchilla", "busbridge2025"], table, draws=20, starts=8)
    far, near = (both.predict(*point, of="mean") for point in ((4e9, 5e10), (4e8, 1e11)))
    assert np.isnan(far.low[0])
    assert WarningKind.NOT_IDENTIFIED in {w.kind for w in far.warnings}
    assert np.isfinite(near.low[0])
    assert np.isinf(both.exponent()[1:]).all()
    assert "withheld: the runs do not tell it" in str(both)


def test_laws_are_joined_by_weight():
    """By hand: a law of 3% is not heard at 90%, one of 40% widens, half the weight withholds."""
    told, moved = np.array([False]), np.array([True])
    own = Along(np.array([0.0]), np.array([1.0]), told)
    wide = Along(np.array([-5.0]), np.array([9.0]), moved)
    assert join_ridges([(0.97, own), (0.03, wide)], 0.9).high == 1.0
    some = join_ridges([(0.6, own), (0.4, wide)], 0.9)
    assert (some.low, some.high, some.moved) == (-5.0, 9.0, False)
    assert join_ridges([(0.5, own), (0.5, wide)], 0.9).moved.all()


def test_an_optimum_at_a_bound_holds_nothing_on_its_ridge():
    """A ladder whose optimum has an exponent at its bound: A, B and E are none the surer for it."""
    for seed in range(4):
        sizes = np.repeat(np.geomspace(5e7, 1e9, 8), 3)
        found = fit("chinchilla", runs(sizes, 20 * sizes, seed=seed), draws=10)
        open_ones = set(found.identified.not_held(0.9))
        assert {"A", "alpha", "B", "beta"} <= open_ones


def test_a_level_above_the_one_followed_widens_a_profile():
    found = fit("chinchilla", runs(np.array([1e8, 3e8, 9e8])[:, None], LENGTHS, 0.008), draws=20)
    assert "alpha" in found.identified.followed
    ends = np.array([found.interval("alpha", level) for level in (0.5, 0.9, 0.99, 0.999)])
    assert (np.diff(ends[:, 0]) < 0).all()
    assert (np.diff(ends[:, 1]) > 0).all()


def test_a_prediction_repeats_what_questions_the_whole_law():
    rising = runs(np.geomspace(5e7, 1e9, 4)[:, None], LENGTHS)
    order = [replace(run, loss=2.0 + 0.1 * np.log10(run.params / 1e7)) for run in rising]
    found = fit("chinchilla", order, draws=10)
    said = {w.kind for w in found.predict(1e9, 1e10).warnings}
    assert {WarningKind.NO_SIGNAL, WarningKind.RISING_LOSS} <= said


FIVE = ([1e8, 1e8, 4e8, 4e8, 1e9], [1e9, 1e10, 2e9, 2e10, 5e9])


@pytest.fixture(scope="module")
def as_many():
    return fit("chinchilla", runs(*FIVE), draws=20, starts=4)


def test_as_many_constants_as_runs_hold_nothing(as_many):
    """The oracle: any five losses are met exactly, so the residuals say nothing of the noise."""
    assert as_many.fitted.log_rmse < 1e-6
    assert as_many.identified.not_held(0.9) == ("A", "alpha", "B", "beta", "E")
    assert all(as_many.interval(k.name) == (-np.inf, np.inf) for k in as_many.law.free)
    (said,) = (w.text for w in as_many.warnings if w.kind == WarningKind.NOT_IDENTIFIED)
    assert said.startswith("the runs hold no constant: 5 runs for 5 constants leave no residual")
    assert "leave no residual" in as_many.withheld
    assert not as_many.compute_split(1e20).told
    for of in ("run", "mean"):
        made = as_many.predict([1e9, 1e8], 1e10, of=of)
        assert np.isnan(made.low).all()
        assert np.isnan(made.high).all()
        assert "5 runs for 5 constants" in str(made)
    with pytest.raises(FitError, match="a profile needs more runs than constants, and there are 5"):
        il.fits.profile(as_many, "E")


def test_fewer_units_than_constants_hold_nothing():
    four = runs([[1e8, 1e8, 4e8, 4e8]], [[1e9, 1e10, 2e9, 2e10]] * np.ones((3, 1)))
    grouped = [replace(r, group=f"run {k % 4}") for k, r in enumerate(four)]
    found = fit("chinchilla", grouped, draws=20, starts=4)
    assert len(found.identified.not_held(0.9)) == 5
    assert "12 runs come in 4 groups, fewer than the 5 constants" in str(found)


def test_a_hold_out_that_leaves_as_many_runs_as_constants_is_refused():
    six = runs([1e8, 1e8, 4e8, 4e8, 1e9, 2e9], [1e9, 1e10, 2e9, 2e10, 5e9, 4e10])
    for rule, said in {
        "largest": "'largest' takes 1 of 6 usable runs and leaves 5 for 5 constants, and no ",
        "params>=4e8": "'params>=4e8' takes 4 of 6 .* leaves 2 for 5 constants; add runs",
    }.items():
        with pytest.raises(FitError, match=said):
            il.compare("chinchilla", six, holdouts=rule, draws=5, starts=2)


def test_a_floor_that_is_not_held_is_open_to_both_sides(two_sizes):
    """Alpha stops just short of its bound, or at it: either way nothing but that bound ends E."""
    assert two_sizes.interval("E") == (-np.inf, np.inf)
    assert "E (" not in next(w.text for w in two_sizes.warnings if w.kind == "not_identified")


def test_misfit_is_unknown_where_the_law_has_a_constant_for_each_cell():
    cells, scatter = np.repeat(np.arange(5), 2), np.tile([0.001, -0.001], 5)
    few, more = noise(cells, scatter, 5), noise(cells, scatter, 3)
    assert np.isnan(few.misfit)
    assert np.isnan(few.p_value)
    assert (more.misfit, more.p_value) == (0.0, 1.0)
    assert "misfit beyond it unknown" in next(iter(lines_of_misfit(few, None)))
