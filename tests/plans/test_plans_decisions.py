"""The pieces of the decision study: its oracle against a brute grid and against plans."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from isoloss.laws import as_inputs
from isoloss.plans import Budget, plan

ROOT = str(Path(__file__).parents[2])


@pytest.fixture(scope="module")
def teams():
    sys.path.insert(0, ROOT)
    yield importlib.import_module("benchmarks.decision_teams")
    sys.path.remove(ROOT)


@pytest.mark.parametrize("seed", range(5))
def test_the_truth_itself_regrets_nothing_and_others_do(teams, seed: int) -> None:
    who = teams.team(seed)
    oracle = teams.Oracle.of(who.truth, who.family.precisions, who.family.hardware)
    compute = 10 * who.compute
    asked = {"precision": who.family.precisions, "extrapolate": True}
    best = plan(who.truth, Budget(compute), teams.at_peaks(who.family.hardware), **asked).best
    reached = oracle.loss(best.params, best.tokens, best.precision)
    assert oracle.needed(reached, compute) == pytest.approx(compute, rel=1e-5)
    worse = oracle.loss(3 * best.params, best.tokens / 3, best.precision)
    assert oracle.needed(worse, compute) < 0.99 * compute


def test_no_point_of_a_fine_grid_is_better_than_the_oracle(teams) -> None:
    who = teams.team(1)
    oracle = teams.Oracle.of(who.truth, who.family.precisions, who.family.hardware)
    compute, n = 100 * who.compute, np.geomspace(1e7, 1e13, 20_000)
    for precision, cost in zip(oracle.precisions, oracle.costs, strict=True):
        grid = who.truth.loss(as_inputs(n, compute / (6 * cost * n), [precision])).min()
        found = oracle.params(compute, precision)[1]
        assert found <= grid + 1e-12
        assert found == pytest.approx(grid, abs=1e-6)


def test_no_team_fits_the_law_of_its_truth_and_seeds_repeat(teams) -> None:
    assert all(f.truth not in f.laws for f in teams.FAMILIES)
    first, again = teams.team(7), teams.team(7)
    assert first.truth.values == again.truth.values
    assert np.array_equal(first.runs["loss"], again.runs["loss"])
    assert len(first.runs) == 60
