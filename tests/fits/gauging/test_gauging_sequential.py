"""The sequential test: false alarms and power by simulation, blocks that stay where they are."""

import numpy as np
import pytest

from isoloss.fits.gauging.sequential import (
    CAUTION,
    SCALES,
    TILTS,
    Blocks,
    _of_blocks,
    block_ends,
    block_means,
    found_at,
    log_evidence,
    row_inflation,
    scaled,
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
    assert share_found(noise(2000, correlated, runs=100), 0.05) <= 0.05 + 2 * 0.022


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
    assert share_found(rows[:, :150], 0.0125) >= 0.8


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
    for blocks in SCALES:
        few, many = block_ends(300, blocks), block_ends(1000, blocks)
        assert many[: len(few)].tolist() == few.tolist()
    (rows,) = noise(1000, runs=1)
    whole, early = log_evidence(rows), log_evidence(rows[:300])
    assert whole[: len(early)] == pytest.approx(early, abs=1e-12)


def test_no_noise_at_all() -> None:
    assert found_at(np.zeros(30), 0.05) is None
    assert found_at(np.full(100, 1e-9), 0.05) is not None
    assert np.isnan(smallest_found(np.zeros(30), 0.05))


def test_a_large_jump_is_no_correlation_and_is_found() -> None:
    """A jump of a hundred deviations, which had hidden itself as correlation, is found where one of
    three deviations is: within a seventh of the rows, also where it begins late.
    """
    for n in (500, 5000):
        for begin in (0.3, 0.6, 0.85):
            for jump in (0.03, 1.0):
                rows = np.random.default_rng(n).normal(0, 0.01, n)
                rows[int(begin * n) :] += jump
                at = found_at(rows, 0.025)
                assert at is not None
                assert begin * n <= at < (begin + 1 / 7) * n
                assert row_inflation(rows, block_ends(n))[-1] < 1.1


def test_what_is_no_noise_alone_has_no_smallest_gap() -> None:
    rows = np.random.default_rng(0).normal(0, 0.01, 500)
    rows[150:] += 1.0
    assert np.isnan(smallest_found(rows, 0.025))


@pytest.mark.parametrize("rows", [0, 1, 4, 5, 9, 10])
def test_a_few_rows_are_too_few_for_anything(rows: int) -> None:
    assert found_at(np.full(rows, 0.1), 0.05) is None or rows > 9
    assert len(log_evidence(np.full(rows, 0.1))) == rows


@pytest.mark.parametrize("blocks", SCALES)
def test_evidence_is_the_mean_of_products_from_every_begin(blocks: Blocks) -> None:
    """Against the sum over all begins and tilts, product by product."""
    (rows,) = noise(60, runs=1) + 0.3
    ends, found = _of_blocks(rows, blocks)
    size = np.diff(ends, prepend=0)
    z = scaled(block_means(rows, blocks) * np.sqrt(size), blocks)
    factors = (1 + np.tanh(TILTS[:, None] * z)) ** row_inflation(rows, ends) ** -CAUTION
    left = [np.log(2) / np.log(j + 2) for j in range(len(z) + 1)]
    for k in range(len(z)):
        begun = [
            factors[:, j : k + 1].prod(axis=1).mean() * (left[j] - left[j + 1])
            for j in range(k + 1)
        ]
        assert found[k + 1] == pytest.approx(np.log(sum(begun) + left[k + 1]))


def test_correlation_is_seen_and_never_from_later_rows() -> None:
    (rows,) = noise(3000, 0.6, runs=1)
    ends = block_ends(3000)
    seen = row_inflation(rows, ends)
    b = np.diff(ends)[-1]
    exact = 1 / (1 - 2 * 0.6 * (1 - 0.6**b) / (b * (1 - 0.6**2)))
    assert seen[-1] == pytest.approx(exact, rel=0.05)
    early = row_inflation(rows[:500], block_ends(500))
    assert seen[: len(early)] == pytest.approx(early)


def test_the_smallest_late_gap_is_larger_and_is_found() -> None:
    (rows,) = noise(300, runs=1)
    least, late = smallest_found(rows, 0.0125), smallest_found(rows, 0.0125, 150)
    assert least < late < 2
    centred = rows - rows.mean()
    assert found_at(centred + 1.02 * late * (np.arange(300) >= 150), 0.0125) is not None
