"""Moments of a number rounded to nearest, in machine code, against sums over all cells by scipy."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from isoloss.linear.exact import closures, nearest_closure
from isoloss.linear.moments import grid_moments

nearest_walk = pytest.importorskip("isoloss.linear.exact.nearest_walk")


def test_constants_are_those_of_numpy() -> None:
    """Compiled code has its own copies, since what is kept on disk follows its own file alone."""
    kept = {
        nearest_closure: ("IDEAL", "FINE", "LISTED"),
        closures: ("TINY", "SMALLEST_GAIN"),
        grid_moments: ("POINT", "DEPTH"),
    }
    for source, names in kept.items():
        for name in names:
            assert getattr(nearest_walk, name) == getattr(source, name)


def by_cells(levels: NDArray[np.float64], mean: float, sd: float) -> tuple[float, float, float]:
    edges = (levels[1:] + levels[:-1]) / 2
    z = np.concatenate([[-np.inf], (edges - mean) / sd, [np.inf]])
    # Masses from the side on which they are small.
    mass = np.where(z[:-1] > 0, ndtr(-z[:-1]) - ndtr(-z[1:]), ndtr(z[1:]) - ndtr(z[:-1]))
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    joint = float(np.sum(levels * (density[:-1] - density[1:])))
    return float(levels @ mass), float(levels**2 @ mass), joint


@pytest.mark.parametrize("wide", [0.2, 1.0, 2.0, 3.0, 8.0, 40.0])
def test_even_grids_that_end_anywhere(wide: float) -> None:
    rng = np.random.default_rng(0)
    for count in (3, 7, 31, 127):
        step = 10 ** rng.uniform(-3, 0)
        levels = np.arange(-count, count + 1) * step
        for mean in rng.uniform(-1.5, 1.5, 6) * levels[-1]:
            sd = wide * step
            found = nearest_walk.nearest_moments(levels, step, mean, sd)
            scale = np.array([levels[-1], levels[-1] ** 2, max(sd, levels[-1])])
            assert (
                np.abs(np.subtract(found, by_cells(levels, mean, sd))).max() < 1e-12 * scale.max()
            )


def test_uneven_grids() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        half = np.sort(rng.exponential(1, 12))
        levels = np.concatenate([-half[::-1], [0.0], half])
        mean, sd = rng.normal(0, 2), 10 ** rng.uniform(-2, 1)
        found = nearest_walk.nearest_moments(levels, 0.0, mean, sd)
        assert found == pytest.approx(by_cells(levels, mean, sd), abs=1e-11)


def test_tails_and_densities() -> None:
    z = np.linspace(0, nearest_walk.REACH, 5001)
    found = np.array([nearest_walk.tail_and_density(each) for each in z])
    assert np.abs(found[:, 0] - ndtr(-z)).max() < 1e-15
    assert np.abs(found[:, 1] - np.exp(-z * z / 2) / np.sqrt(2 * np.pi)).max() < 1e-15


def test_floats_whose_runs_are_summed_by_their_ends() -> None:
    rng = np.random.default_rng(2)
    half = sorted({(1 + m / 8) * 2.0**e for e in range(-6, 9) for m in range(8)})
    levels = np.array([-each for each in half[::-1]] + [0.0, *half])
    for _ in range(60):
        sd = 10 ** rng.uniform(-2, 2.5)
        mean = rng.normal(0, 3) * sd
        found = nearest_walk.nearest_moments(levels, 0.0, mean, sd)
        top = min(levels[-1], abs(mean) + 8 * sd)
        off = np.subtract(found, by_cells(levels, mean, sd))
        assert np.abs(off).max() < 1e-11 * max(top, top**2)


@pytest.mark.parametrize("mean", [-1e9, -30.0, 0.3, 2.6, 1e3, 1e12])
@pytest.mark.parametrize("sd", [1e-12, 0.05, 3.4, 1e9])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_few_levels_and_means_far_outside(mean: float, sd: float, count: int) -> None:
    """The result lies on the grid, whatever the mean: digits are those of its largest number."""
    levels = np.arange(-count, count + 1) * 1.0
    found = nearest_walk.nearest_moments(levels, 1.0, mean, sd)
    assert found == pytest.approx(by_cells(levels, mean, sd), abs=1e-12 * max(count**2, sd / 1e3))


def test_an_even_grid_is_even_at_every_scale() -> None:
    uneven = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 6.0])
    for scale in (1.0, 1e-12, 1e-30, 1e30):
        assert nearest_closure.even_step(uneven * scale) == 0.0
        assert nearest_closure.even_step(np.arange(8) * scale) == scale
