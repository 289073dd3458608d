"""Plans of fits whose runs do not hold all constants: not held where the ridge moves them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from isoloss.fits import Fit, draw_runs, fit
from isoloss.laws import preset
from isoloss.plans import Budget, Plan, next_runs, plan
from isoloss.runs import Runs

TRUE = {"A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28, "E": 1.69}


def fitted(sizes: list[float]) -> Fit:
    law = preset("chinchilla").at(**TRUE)
    n, d = (v.ravel() for v in np.meshgrid(sizes, np.geomspace(2e9, 5e10, 8)))
    columns = {"params": n, "tokens": d, "precision": ["bf16"] * len(n), "loss": law(n, d)}
    runs = draw_runs(law, Runs.from_frame(pl.DataFrame(columns)), 0.003, seed=3)
    return fit("chinchilla", runs, draws=60)


@pytest.fixture(scope="module")
def two() -> Fit:
    return fitted([1e8, 1e9])


def planned(laws, **words) -> Plan:
    return plan(laws, Budget("1e20 flop"), "linear-bits", precision="bf16", **words)


def sizes_on_the_ridge(found: Fit) -> np.ndarray:
    """The best sizes by hand, of constants on the ridge that fit as well."""
    known = found.identified
    c = found.coordinates.constants(known.theta[known.inside(0.9)])
    alpha, beta = (np.ravel(c[k]) for k in ("alpha", "beta"))
    ratio = alpha * np.ravel(c["A"]) / (beta * np.ravel(c["B"]))
    return (ratio * (1e20 / 6) ** beta) ** (1 / (alpha + beta))


def test_two_sizes_do_not_tell_the_best_size(two: Fit) -> None:
    assert "alpha" in two.identified.not_held(0.9)
    found = planned(two)
    assert found.best is None
    assert "the size moves along a ridge on which its runs do not tell" in found.withheld
    first = found.choices[0]
    assert np.isnan([*first.params_interval, *first.tokens_interval]).all()
    assert "not held" in str(found).split("What each law")[0]
    best = sizes_on_the_ridge(two)
    assert best.max() > 1.5 * best.min()


def test_a_grid_tells_it_and_so_do_laws_of_more_weight(two: Fit) -> None:
    grid = fitted([1e8, 2e8, 4e8, 8e8, 1.6e9])
    found = planned(grid)
    assert found.best is not None
    low, high = found.best.params_interval
    alpha, beta = TRUE["alpha"], TRUE["beta"]
    ratio = alpha * TRUE["A"] / (beta * TRUE["B"])
    assert low < (ratio * (1e20 / 6) ** beta) ** (1 / (alpha + beta)) < high
    both = planned([grid, two, fitted([1e8, 3e8, 1e9, 3e9])], extrapolate=True)
    assert np.isfinite(both.choices[0].params_interval).all()
    low, high = both.choices[0].params_interval
    assert low < sizes_on_the_ridge(two).min() * 1.001
    assert high > sizes_on_the_ridge(two).max() / 1.001


def test_a_ridge_whose_plan_runs_away_withholds_and_stops_nothing() -> None:
    """Params hardly matter at these sizes, so that on the ridge none may be best."""
    law = preset("chinchilla").at(**TRUE | {"A": 1e-3})
    n, d = (v.ravel() for v in np.meshgrid([1e8, 2e8, 4e8], np.geomspace(2e9, 5e10, 8)))
    columns = {"params": n, "tokens": d, "precision": ["bf16"] * len(n), "loss": law(n, d)}
    runs = draw_runs(law, Runs.from_frame(pl.DataFrame(columns)), 0.003, seed=3)
    found = fit("chinchilla", runs, draws=40)
    assert "A" in found.identified.followed
    assert planned(found).best is None


def test_a_ladder_is_named_beside_the_distance() -> None:
    law, n = preset("chinchilla").at(**TRUE), np.geomspace(5e7, 2e9, 12)
    columns = {"params": n, "tokens": 20 * n, "precision": ["bf16"] * 12, "loss": law(n, 20 * n)}
    runs = draw_runs(law, Runs.from_frame(pl.DataFrame(columns)), 0.003, seed=3)
    found = plan(fit("chinchilla", runs, draws=40), "1e24 flop", "linear-bits", precision="bf16")
    assert "outside the runs of chinchilla" in found.withheld
    assert "params and tokens cannot be told apart" in found.withheld
    assert np.isnan(found.regrets[0].excess_interval).all()
    assert "only one" in str(found)


def test_next_runs_say_that_the_params_are_not_held(two: Fit) -> None:
    found = next_runs(two, "1e20 flop", "linear-bits", target="1e21 flop", max_runs=4)
    assert not found.held
    assert "now: not held: the fitted runs leave them to a ridge" in str(found)
    again = next_runs(
        fitted([1e8, 2e8, 4e8, 8e8, 1.6e9]), "1e20 flop", "linear-bits", target="1e20 flop",
        max_runs=4,
    )  # fmt: skip
    assert again.held
