"""How gaps go on beyond cells: against sums over grids of another kind, and on known growth."""

import numpy as np
import pytest

from isoloss.plans.paying import Recipe, gaps_beyond
from isoloss.plans.paying.beyond_cells import GRID, Cells

LENGTHS = np.array([4e10, 7.5e10, 1.2e11])


def recipe(name: str, gap: np.ndarray, noise: float = 0.003) -> Recipe:
    tokens = LENGTHS[: len(gap)]
    return Recipe(name, name, tokens, np.asarray(gap, float), np.full(len(gap), noise))


def test_a_constant_is_the_mean_of_the_cells() -> None:
    (one,) = gaps_beyond([recipe("a", [0.01, 0.02, 0.03])], ["constant"]).growths
    assert one.mean(1e12) == pytest.approx(0.02)
    drawn = one.drawn(1e12, np.array([-1.0, 0.0, 1.0]), np.full(3, 0.5))
    assert drawn == pytest.approx(0.02 + 0.003 / np.sqrt(3) * np.array([-1, 0, 1]))


@pytest.mark.parametrize("form", ["straight", "power"])
def test_evidence_is_the_likelihood_summed_over_the_level(form: str) -> None:
    """By a sum over levels on a grid, up to one constant for all exponents."""
    one = recipe("a", [0.02, 0.026, 0.031])
    cells = Cells.of(form, one, unit=0.03)  # type: ignore[arg-type]
    levels = np.linspace(-0.1, 0.2, 6001)
    found = []
    for e in GRID[::25]:
        x = np.log(one.tokens / one.tokens[-1])
        mean = (
            levels[:, None] * np.exp(e * x) if form == "power" else levels[:, None] + 0.03 * e * x
        )
        each = np.exp(-0.5 * np.sum(((one.gap - mean) / 0.003) ** 2, axis=1))
        found.append(np.log(each.sum()))
    less = np.array(found) - cells.log_evidence[::25]
    assert less == pytest.approx(less[0], abs=1e-6)


def test_what_cells_say_clearly_is_not_shrunk() -> None:
    grown = [recipe(str(k), 0.1 * (LENGTHS / LENGTHS[-1]) ** 0.5, 1e-5) for k in range(4)]
    found = gaps_beyond(grown)
    assert found.weights["power"] > 0.6
    for each in found.growths:
        assert each.weights["power"] > 0.99
        assert each.mean(4.8e11) == pytest.approx(0.2, rel=1e-3)


def test_few_cells_borrow_the_growth_of_the_others() -> None:
    """One cell says nothing of growth: alone it is the prior's, beside others theirs."""
    lone = recipe("lone", [0.05])
    flat = [recipe(str(k), [0.05, 0.05, 0.05], 1e-4) for k in range(6)]
    steep = [recipe(str(k), 0.05 * (LENGTHS / LENGTHS[-1]), 1e-4) for k in range(6)]
    beside = [gaps_beyond([lone, *others], ["power"]).growths[0].mean(8e10) for others in
              ([], flat, steep)]  # fmt: skip
    assert beside[1] == pytest.approx(0.05, rel=0.06)
    assert beside[2] == pytest.approx(0.10, rel=0.06)
    assert beside[1] < beside[0] < beside[2]


def test_one_recipe_with_one_cell_has_equal_weights() -> None:
    found = gaps_beyond([recipe("lone", [0.05])])
    assert found.weights == pytest.approx(dict.fromkeys(found.weights, 1 / 3))


@pytest.mark.parametrize("truth", ["power", "straight", "constant"])
def test_intervals_hold_the_next_gap_as_often_as_they_say(truth: str) -> None:
    rng = np.random.default_rng(7)
    held, noise, to = [], 0.003, 2.4e11
    for _ in range(12):
        made, nexts = [], []
        for k in range(8):
            e, c = rng.normal(0.3, 0.4), rng.uniform(0.01, 0.08)
            x = np.log(np.array([*LENGTHS, to]) / LENGTHS[-1])
            gap = {
                "power": c * np.exp(e * x), "straight": c + 0.04 * e * x, "constant": c + 0 * x
            }[truth] + noise * rng.normal(size=4)  # fmt: skip
            made.append(recipe(str(k), gap[:3]))
            nexts.append(gap[3])
        for each, seen in zip(gaps_beyond(made).growths, nexts, strict=True):
            drawn = each.drawn(to, rng.normal(size=2000), rng.uniform(size=2000))
            low, high = np.quantile(drawn + noise * rng.normal(size=2000), [0.05, 0.95])
            held.append(low <= seen <= high)
    assert 0.80 < np.mean(held) <= 0.99
