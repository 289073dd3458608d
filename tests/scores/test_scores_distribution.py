"""Proper scores and predictive distributions, against scipy and sums by hand."""

import numpy as np
import pytest
from scipy import stats

from isoloss.scores import PROBABILITIES, interval_score, log_score
from isoloss.scores.distribution import probability

NORMAL = stats.norm(2.5, 0.03)
QUANTILES = NORMAL.ppf(PROBABILITIES)


@pytest.mark.parametrize("seen", [2.3, 2.44, 2.5, 2.5123, 2.61])
def test_quantiles_of_a_normal_give_its_density_and_its_probability(seen: float) -> None:
    assert log_score(seen, QUANTILES) == pytest.approx(NORMAL.logpdf(seen), abs=1e-9)
    assert probability(seen, QUANTILES) == pytest.approx(NORMAL.cdf(seen), abs=1e-12)


def test_a_skewed_density_adds_up_to_one_and_has_its_quantiles() -> None:
    quantiles = np.array([0.0, 0.1, 0.15, 0.2, 0.5, 1.0, 2.0, 5.0])
    x = np.linspace(-3, 40, 400_001)
    density = np.exp([log_score(v, quantiles) for v in x[::40]])
    assert np.trapezoid(density, x[::40]) == pytest.approx(1.0, abs=0.01)
    found = [probability(q, quantiles) for q in quantiles]
    assert found == pytest.approx(PROBABILITIES, abs=1e-12)


@pytest.mark.parametrize(
    ("seen", "score"), [(1.5, 1.0), (1.0, 1.0), (0.9, 1.0 + 20 * 0.1), (2.2, 1.0 + 20 * 0.2)]
)
def test_the_interval_score_is_the_width_and_what_lies_outside(seen: float, score: float) -> None:
    assert interval_score(seen, 1.0, 2.0, 0.9) == pytest.approx(score)


def test_the_true_distribution_scores_best_on_average() -> None:
    seen = NORMAL.rvs(4000, random_state=1)
    told = {}
    for name, other in (
        ("true", NORMAL),
        ("wide", stats.norm(2.5, 0.06)),
        ("narrow", stats.norm(2.5, 0.015)),
        ("off", stats.norm(2.53, 0.03)),
    ):
        q = other.ppf(PROBABILITIES)
        told[name] = (np.mean([log_score(s, q) for s in seen]),
                      -np.mean([interval_score(s, q[0], q[-1], 0.9) for s in seen]))  # fmt: skip
    for k in (0, 1):
        assert max(told, key=lambda name: told[name][k]) == "true"
