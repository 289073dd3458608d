"""The discrepancy: kernel and amplitudes against dense linear algebra, and what fits say of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import integrate, linalg, stats

import isoloss as il
from isoloss.fits import draw_runs, fit
from isoloss.fits.doubt import Discrepancy, discrepancy_of, lack_of_fit
from isoloss.fits.doubt.discrepancy import BENDS, waves
from isoloss.fits.doubt.discrepancy_of_fit import (
    AMPLITUDES,
    NO_MISFIT,
    NO_UNITS,
    UNIT_AMPLITUDES,
    USUAL,
    amplitudes,
)
from isoloss.fits.solve import SQUARES, log_slopes
from isoloss.laws import as_inputs


@pytest.fixture(scope="module")
def fitted(table):
    return fit("chinchilla", table, draws=60, starts=4)


def bent(table, bend):
    """The losses of a table with a bend in log params that no chinchilla law takes."""
    frame = pl.DataFrame({k: table[k] for k in ("params", "tokens", "precision", "loss")})
    decades = np.log10(frame["params"] / 1e8)
    return il.runs.Runs.from_frame(
        frame.with_columns(loss=pl.col("loss") * (1 + bend * decades**3))
    )


def test_kernel_is_the_mean_of_squared_exponentials():
    far = np.array([0.0, 0.5, 1.0, 2.0])  # decades of params
    x = as_inputs(1e8 * 10**far, np.full(4, 1e10), ["bf16"] * 4)
    kernel = waves(x, (0.0, 0.0)) @ waves(x, (0.0, 0.0)).T
    low, high = np.log(BENDS)

    def exact(d):
        def at(log_length):
            return np.exp(-0.5 * (d / np.exp(log_length)) ** 2) / (high - low)

        return integrate.quad(at, low, high)[0]

    assert np.diag(kernel) == pytest.approx(np.ones(4))
    assert kernel[0] == pytest.approx([exact(d) for d in far], abs=0.07)


def test_draws_have_the_moments_of_a_dense_conditional(fitted):
    noise, ratio = fitted.discrepancy.variances[0, 0], 4.0
    known = replace(  # one amplitude alone
        fitted.discrepancy,
        ratios=np.array([0.0, ratio]),
        chances=np.array([[0.0, 1.0]]),
        variances=np.full((1, 2), noise),
        freedom=10**7,
    )
    assert known.unit == ""  # five sizes are too few
    x = as_inputs([2e8, 3e9, 3e10], [5e9, 6e10, 6e11], ["bf16"] * 3)
    theta, runs = fitted.coordinates.theta(fitted.values), fitted.sample.x
    drawn = known.mean_draws(np.ones((20000, 3)), fitted.law, theta, x, seed=3)
    weight = fitted.objective.weight(fitted.points.residual)
    root = np.diag(np.sqrt(weight / weight.max()))
    slopes = log_slopes(fitted.law, theta[None, :], runs)[0]
    taking = np.linalg.solve(slopes.T @ root**2 @ slopes, slopes.T @ root**2)
    away = np.hstack([np.eye(3), -log_slopes(fitted.law, theta[None, :], x)[0] @ taking])
    both = np.vstack([waves(x, known.centre), waves(runs, known.centre)])
    prior = ratio * noise * both @ both.T
    contrast = linalg.null_space((root @ slopes).T).T @ root  # of the runs, free of constants
    seen = contrast @ prior[3:, 3:] @ contrast.T + noise * np.eye(len(contrast))
    gain = np.linalg.solve(seen, contrast @ prior[3:] @ away.T).T
    mean = gain @ contrast @ -fitted.points.residual
    moments = away @ prior @ away.T - gain @ seen @ gain.T + np.outer(mean, mean)
    scale = np.sqrt(np.outer(np.diag(moments), np.diag(moments)))
    assert np.cov(np.log(drawn).T) / scale == pytest.approx(moments / scale, abs=0.04)
    assert np.all(np.diff(np.diag(moments)) > 0)  # it grows with the distance


@pytest.mark.parametrize("waves_of_it", [4, 9])  # fewer columns than runs, and more
def test_amplitudes_are_those_of_dense_normal_densities(waves_of_it):
    rng = np.random.default_rng(0)
    slopes, columns = rng.normal(size=(14, 3)), rng.normal(size=(14, waves_of_it))
    effects = np.repeat(np.eye(7), 2, axis=0)
    residual = columns @ rng.normal(size=waves_of_it) + rng.normal(size=14)
    left = linalg.null_space(slopes.T)
    onto = left @ left.T
    chances, variances = amplitudes(onto @ residual, onto @ columns, onto @ effects, 11)
    height, wanted = np.empty_like(chances), np.empty_like(variances)
    for i, gamma in enumerate([0.0, *UNIT_AMPLITUDES]):
        for k, size in enumerate([0.0, *AMPLITUDES]):
            whole = np.eye(14) + size**2 * columns @ columns.T + gamma**2 * effects @ effects.T
            seen, z = left.T @ whole @ left, left.T @ residual
            wanted[i, k] = z @ np.linalg.solve(seen, z) / 11
            height[i, k] = stats.multivariate_normal.logpdf(z, cov=wanted[i, k] * seen)
    prior = np.outer(slab(UNIT_AMPLITUDES, NO_UNITS), slab(AMPLITUDES, NO_MISFIT))
    dense = np.exp(height - height.max()) * prior
    assert variances == pytest.approx(wanted)
    assert chances == pytest.approx(dense / dense.sum(), rel=1e-6)


def slab(amplitude, zero):
    """A Cauchy density over amplitudes that are even in log, beside its share at zero."""
    density = amplitude * stats.cauchy(scale=USUAL).pdf(amplitude)
    return np.append(zero, (1 - zero) * density / density.sum())


def test_a_missing_part_is_likely_and_widens_far_intervals(table, fitted):
    wrong = fit("chinchilla", bent(table, 0.03), draws=60, starts=4)
    assert fitted.discrepancy.chance < 0.5 < 0.9 < wrong.discrepancy.chance
    law_alone = replace(wrong, discrepancy=Discrepancy())
    grown = [
        (lambda p, q: float(((p.high - p.low) / (q.high - q.low))[0]))(
            wrong.predict(n, d, of="mean"), law_alone.predict(n, d, of="mean")
        )
        for n, d in ((1e8, 1e10), (1e10, 1e12))
    ]
    assert min(grown) > 1.2


def test_where_runs_cannot_tell_it_is_unknown_in_words(table, truth):
    few = fit("chinchilla", table.take(np.arange(0, 30, 3)), draws=40, starts=4)
    assert np.isnan(few.discrepancy.chance)
    assert "discrepancy unknown: 10 runs less 5 constants leave 5" in str(few)
    exact = fit("chinchilla", draw_runs(truth, table, noise=1e-15), draws=40, starts=4)
    assert "no larger than the digits" in exact.discrepancy.unknown
    two = table.take(np.flatnonzero(np.isin(table["params"], np.unique(table["params"])[:2])))
    held = fit("chinchilla", two, draws=20, starts=2, fixed={"alpha": 0.34, "A": 400.0})
    assert "3 sizes to see a bend, and the runs have 2" in held.discrepancy.unknown


def test_a_saved_fit_predicts_the_same(fitted, tmp_path):
    again = il.load(fitted.save(tmp_path / "fit.json"))
    for of in ("run", "mean"):
        ours, theirs = (each.predict("5B", "80B", of=of) for each in (fitted, again))
        assert (ours.low, ours.high) == (theirs.low, theirs.high)


def test_points_share_one_truth(fitted):
    x = as_inputs([5e9, 5e9], [8e10, 8.001e10], ["bf16"] * 2)
    alone = fitted.draw(x.take(np.array([0])), "mean")
    both = fitted.draw(x, "mean")
    assert both[:, :1] == pytest.approx(alone, rel=1e-12)
    assert np.corrcoef(both.T)[0, 1] > 0.999


@pytest.mark.parametrize(("fall", "low", "high"), [(-0.5, -0.7, -0.3), (0.0, -0.1, 0.1)])
def test_noise_that_falls_with_size_is_seen(table, fall, low, high):
    rng = np.random.default_rng(5)
    size = table["params"]
    law = il.laws.preset("epoch2024")
    loss = law.loss(as_inputs(size, table["tokens"], ["bf16"] * len(size)))
    loss = loss * np.exp(0.004 * (size / 1e8) ** fall * rng.standard_normal(len(size)))
    frame = pl.DataFrame(
        {"params": size, "tokens": table["tokens"], "precision": "bf16", "loss": loss}
    )
    found = fit("chinchilla", il.runs.Runs.from_frame(frame), draws=40, starts=4)
    assert low < found.discrepancy.fall < high
    small, large = (found.predict(n, 1e11) for n in (1e7, 1e9))
    widths = [float(((p.high - p.low) / p.loss)[0]) for p in (small, large)]
    assert (widths[1] < 0.5 * widths[0]) == (fall < 0)


def test_effects_of_sizes_count_where_no_group_says_them(truth):
    """Each of 12 sizes has an effect of its own four times the noise."""
    n, d = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 12), np.geomspace(1e9, 1e11, 6)))
    rng = np.random.default_rng(2)
    effect = dict(zip(np.unique(n), 0.008 * rng.standard_normal(12), strict=True))
    loss = truth.loss(as_inputs(n, d, ["bf16"] * 72)) * np.exp(0.002 * rng.standard_normal(72))
    loss = loss * np.exp([effect[each] for each in n])
    frame = pl.DataFrame({"params": n, "tokens": d, "precision": "bf16", "loss": loss})
    found = fit("chinchilla", il.runs.Runs.from_frame(frame), draws=40, starts=4)
    known = found.discrepancy
    assert known.unit in ("size", "group")  # a group where sizes are taken for trajectories
    assert known.chances[0].sum() < 0.05
    alone = discrepancy_of(found.optimum, replace(found.sample, clusters=np.arange(72)), False, 7)
    assert alone.unit == ""  # a unit a run is no unit


def test_the_power_that_is_printed_is_that_of_the_test(fitted):
    """A bend of the printed size, less what the constants take, is found in 80% of tables."""
    found, x = fitted.discrepancy.bends[0], fitted.sample.x
    assert found.along == "params"
    slopes = fitted.optimum.problem.jacobian(fitted.optimum.theta)
    basis = linalg.orth(slopes / np.linalg.norm(slopes, axis=0))
    decades = np.log10(x.params)
    missed = found.bend * (decades - decades.mean()) ** 2
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=found.noise, size=(400, len(x)))
    tables = (missed + noise) - (missed + noise) @ basis @ basis.T
    losses = fitted.law.loss(x) * np.exp(-tables)
    problem = replace(fitted.optimum.problem, objective=SQUARES)
    theta = fitted.optimum.theta
    tests = [lack_of_fit(replace(problem, observed=each), theta, None) for each in losses]
    assert np.mean([t.p_value < 0.01 for t in tests]) == pytest.approx(0.8, abs=0.12)
