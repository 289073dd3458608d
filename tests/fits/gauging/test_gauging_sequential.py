"""The sequential test: false alarms and power by simulation, blocks that stay where they are."""

import numpy as np
import pytest

from isoloss.fits.gauging.sequential import (
    block_ends,
    found_at,
    log_evidence,
    row_inflation,
    smallest_found,
)

RUNS = 200


def noise(rows: int, correlated: float = 0.0, runs: int = RUNS, seed: int = 0) -> np.ndarray:
    """AR(1) of unit variance, shape (runs, rows)."""
    draw = np.random.default_rng(seed).normal(size=(runs, rows))
    out = draw.copy()
    for t in range(1, rows):
        out[:, t] = correlated * out[:, t - 1] + np.sqrt(1 - correlated**2) * draw[:, t]
    return out


def share_found(rows: np.ndarray, alarm: float) -> float:
    return float(np.mean([found_at(each, alarm) is not None for each in rows]))


@pytest.mark.parametrize("correlated", [0.0, 0.6, 0.9])
def test_false_alarms_over_whole_runs_stay_at_their_level(correlated: float) -> None:
    # Within two binomial errors of 5% (1.5% of 200 runs).
    assert share_found(noise(400, correlated), 0.05) <= 0.05 + 2 * 0.0154


def test_false_alarms_with_a_variance_that_grows_and_a_mean_below_the_bound() -> None:
    grown = noise(400) * np.linspace(0.01, 1.0, 400)
    assert share_found(grown, 0.05) <= 0.05 + 2 * 0.0154
    assert share_found(grown - 0.1, 0.05) <= 0.05


def test_evidence_has_a_mean_of_at_most_one_under_the_null() -> None:
    # Independent blocks of 5, uncorrected correlations aside: log E is divided, never multiplied.
    found = [np.exp(log_evidence(each)[-1]) for each in noise(100, runs=1000)]
    assert np.mean(found) <= 1 + 3 * np.std(found) / np.sqrt(len(found))


@pytest.mark.parametrize(("excess", "correlated"), [(1.0, 0.0), (2.0, 0.5)])
def test_power(excess: float, correlated: float) -> None:
    rows = noise(400, correlated, runs=50) + excess
    assert share_found(rows, 0.0125) == 1.0
    assert share_found(rows[:, :100], 0.0125) >= 0.8


def test_what_begins_late_is_found() -> None:
    rows = noise(2000, runs=20) - 0.5
    rows[:, 200:] += 1.5
    assert share_found(rows, 0.0125) == 1.0


def test_the_smallest_that_is_found_is_found() -> None:
    (rows,) = noise(300, runs=1)
    least = smallest_found(rows, 0.0125)
    assert 0 < least < 1
    centred = rows - rows.mean()
    assert found_at(centred + 1.02 * least, 0.0125) is not None
    assert found_at(centred + 0.5 * least, 0.0125) is None


def test_no_look_moves_what_was_seen() -> None:
    assert block_ends(4).size == 0
    assert block_ends(1000)[: len(block_ends(300))].tolist() == block_ends(300).tolist()
    (rows,) = noise(1000, runs=1)
    whole, early = log_evidence(rows), log_evidence(rows[:300])
    assert whole[: len(early)] == pytest.approx(early, abs=1e-12)


def test_no_noise_at_all() -> None:
    assert found_at(np.zeros(30), 0.05) is None
    assert found_at(np.full(100, 1e-9), 0.05) is not None
    assert np.isnan(smallest_found(np.zeros(30), 0.05))


def test_a_large_jump_is_no_correlation_and_is_found() -> None:
    """A jump of a hundred deviations at 30% of the rows, which had hidden itself as correlation, is
    found where one of three deviations is; one at 60% has too few blocks behind it, whatever it is.
    """
    for n in (500, 5000):
        for jump in (0.03, 1.0):
            rows = np.random.default_rng(n).normal(0, 0.01, n)
            rows[int(0.3 * n) :] += jump
            at = found_at(rows, 0.025)
            assert at is not None
            assert block_ends(n)[at] < n
            assert row_inflation(rows)[-1] < 1.1
        late = np.random.default_rng(n).normal(0, 0.01, n)
        late[int(0.6 * n) :] += 1.0
        assert found_at(late, 0.025) is None


def test_what_is_no_noise_alone_has_no_smallest_gap() -> None:
    rows = np.random.default_rng(0).normal(0, 0.01, 500)
    rows[150:] += 1.0
    assert np.isnan(smallest_found(rows, 0.025))


@pytest.mark.parametrize("rows", [0, 1, 4, 5, 9, 10])
def test_a_few_rows_are_too_few_for_anything(rows: int) -> None:
    assert found_at(np.full(rows, 0.1), 0.05) is None or rows > 9
    assert len(log_evidence(np.full(rows, 0.1))) == len(block_ends(rows))
