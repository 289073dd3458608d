"""The Gaussian error of formats against published numbers, simulation and direct quadrature."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from isoloss.formats import Format, catalogue, fake_quantise, integer_bits, relative_error
from isoloss.formats.errors.distributions import DISTRIBUTIONS
from isoloss.formats.errors.quadrature import grid_error

NORMALS = np.random.default_rng(0).standard_normal(2**20)


@pytest.mark.parametrize(
    ("name", "error", "unit"),
    [
        ("binary", 0.3634, 1e-4),
        ("int2", 0.11885, 1e-5),
        ("int3", 0.03744, 1e-5),
        ("int4", 0.011543, 1e-6),
        ("e2m1", 0.012685, 1e-6),
        ("ternary", 0.1902, 1e-4),
        ("int5", 0.003495, 1e-6),
        ("int8", 8.769e-5, 1e-8),
    ],
)
def test_best_scale_gives_the_published_errors(name: str, error: float, unit: float) -> None:
    assert abs(relative_error(name) - error) <= unit / 2


@pytest.mark.parametrize(
    ("bits", "top", "error", "unit"),
    [(8, 3.884938678807525, 8.78e-5, 1e-7), (4, 2.513930578568423, 0.011543, 1e-6)],
)
def test_scales_that_quest_tabulates_give_its_errors(
    bits: int, top: float, error: float, unit: float
) -> None:
    half = 2 ** (bits - 1)
    assert abs(grid_error((np.arange(half) + 0.5) / (half - 0.5) * top) - error) <= unit / 2


def test_binary_error_in_closed_form() -> None:
    assert relative_error("binary") == pytest.approx(1 - 2 / np.pi, rel=1e-12)


@pytest.mark.parametrize("levels", [[0.5, 1.5], [0.0, 1.0, 1.5, 3.0], [0.4]])
@pytest.mark.parametrize("limit", [np.inf, 1.2, 0.3])
def test_quadrature_against_scipy(levels: list[float], limit: float) -> None:
    grid = np.array(levels)
    middles = (grid[1:] + grid[:-1]) / 2

    def weighed(x: float) -> float:
        return float(np.min((x - grid) ** 2) * 2 * norm.pdf(x))

    cuts = [0.0, *middles[middles < limit], min(limit, 12.0)]
    expected = sum(quad(weighed, low, high, epsabs=1e-13)[0] for low, high in pairwise(cuts))
    assert grid_error(grid, limit=limit) == pytest.approx(expected, rel=1e-9)


def _rounded(x: np.ndarray, grid: np.ndarray, stochastic: bool) -> np.ndarray:
    if not stochastic:
        return grid[np.searchsorted((grid[1:] + grid[:-1]) / 2, x)]
    x = np.clip(x, grid[0], grid[-1])
    above = np.clip(np.searchsorted(grid, x), 1, len(grid) - 1)
    low, high = grid[above - 1], grid[above]
    draws = np.random.default_rng(1).random(x.shape)
    return np.where(draws * (high - low) < x - low, high, low)


BLOCKS = [
    "e6m1+pow2",
    "int4",
    "int8",
    "int4_full",
    "int2_full",
    "int4+pow2",
    "int4~sr",
    "int3~dither",
    "e2m1",
    "e2m1~sr",
    "e4m3",
    "mxfp4",
    "mxfp4~sr",
    "mxfp6",
    "mxfp8_e5m2",
    "mxint4",
    "mxint8",
    "mxint8~sr",
    "nvfp4",
    "nvint4",
]


@pytest.mark.parametrize("distribution", ["normal", "laplace", "uniform"])
@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("block", [2, 32])
def test_absmax_scales_of_blocks_against_rounding(name: str, block: int, distribution: str) -> None:
    known = Format.parse(name)
    known = known.modified(known.modifiers._replace(granularity=block))
    x = DISTRIBUTIONS[distribution].draw(np.random.default_rng(0), 2**19).reshape(-1, block)
    x[0, 0] = (
        448 * known.max if known.scale == "e4m3" else x[0, 0]
    )  # makes the tensor's scale of NV 1
    errors = ((fake_quantise(x, known, random=1 if known.rounding else None) - x) ** 2).mean(
        axis=1
    )[1:]
    spread = errors.std() / np.sqrt(len(errors))
    assert (
        abs(
            relative_error(
                known.bare if "~" not in name and "+" not in name else name, distribution, block
            )
            - errors.mean()
        )
        < 4 * spread
    )


@pytest.mark.parametrize("name", ["mxfp4", "nvint4", "mxint8"])
def test_block_formats_have_the_error_of_their_own_block(name: str) -> None:
    known = Format.parse(name)
    assert relative_error(known) == relative_error(name, block=known.block)
    assert relative_error(f"{name}/64") == relative_error(name, block=64)


@pytest.mark.parametrize(
    ("name", "distribution", "error"),
    [
        ("int4", "uniform", 1 / 16**2),  # 16 equal cells
        ("int8", "uniform", 1 / 256**2),
        ("binary", "uniform", 1 / 4),
        ("ternary", "uniform", 1 / 9),
        ("binary", "laplace", 1 / 2),  # best level E|x|: 1 - (E|x|)^2 / E x^2
        ("int2_full", "uniform", 1 / 4**2),
    ],
)
def test_other_distributions_in_closed_form(name: str, distribution: str, error: float) -> None:
    assert relative_error(name, distribution) == pytest.approx(error, rel=1e-6)


def test_gaussian_is_another_name_of_normal() -> None:
    assert relative_error("int4", "gaussian") == relative_error("int4")


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12])
def test_integer_bits_of_integers(bits: int) -> None:
    assert integer_bits(relative_error(f"int{bits}")) == pytest.approx(bits)


def test_integer_bits_lie_between() -> None:
    assert 3 < integer_bits(0.02) < 4
    assert integer_bits(0.0) == np.inf
    assert np.isnan(integer_bits(1.5))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "int4",
            {"distribution": "cauchy"},
            "unknown distribution 'cauchy'; there are normal, laplace, uniform",
        ),
        ("int4", {"block": 1}, "a block of 1 numbers is none; it is a whole number, 2 or more"),
        ("int4", {"block": 2.5}, "a block of 2.5 numbers is none; it is a whole number, 2 or more"),
        (
            "uint4",
            {"block": 32},
            "'uint4' has no absmax scale to compute an error of; error_structure measures it on an "
            "array",
        ),
        (
            "bf16",
            {"block": 32},
            "'bf16' has no absmax scale to compute an error of; error_structure measures it on an "
            "array",
        ),
        (
            "int4+clip",
            {"block": 32},
            "'int4+clip' has no absmax scale to compute an error of; error_structure measures it "
            "on an array",
        ),
    ],
)
def test_errors_that_cannot_be_computed(
    name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        relative_error(name, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize("mark", ["", "~sr"])
@pytest.mark.parametrize("name", ["bf16", "fp16", "e4m5", "e2m6", "e6m2", "e1m11", "e2m12"])
def test_wide_floats_against_simulation(name: str, mark: str) -> None:
    known = Format.parse(name + mark)
    errors = (_rounded(NORMALS, known.grid, known.rounding == "sr") - NORMALS) ** 2
    assert abs(relative_error(known) - errors.mean()) < 4 * errors.std() / np.sqrt(len(errors))


@pytest.mark.parametrize(("short", "long"), [("fp16", "e5m11"), ("tf32", "e8m11")])
def test_sum_over_levels_and_over_binades_meet(short: str, long: str) -> None:
    short_error, long_error = (relative_error(name) for name in (short, long))
    assert short_error == pytest.approx(4 * long_error, rel=1e-5)


def test_wide_integers_continue_the_narrow_ones() -> None:
    errors = [relative_error(f"int{bits}") for bits in range(9, 17)]
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    # 4 a bit, less what the growing range costs; without a jump between the two ways to compute it.
    assert np.all((ratios > 3.4) & (ratios < 4))
    assert np.all(np.diff(ratios) > 0)
    assert np.all(np.abs(np.diff(ratios, 2)) < 0.01)


@pytest.mark.parametrize("rounding", ["~sr", "~dither"])
def test_random_rounding_of_wide_integers_continues_that_of_narrow_ones(rounding: str) -> None:
    errors = np.array([relative_error(f"int{bits}{rounding}") for bits in range(10, 16)])
    ratios = errors[:-1] / errors[1:]
    assert np.all((ratios > 3.5) & (ratios < 4))
    assert np.all(np.abs(np.diff(ratios, 2)) < 0.02)


@pytest.mark.parametrize(("name", "scale"), [("int3~dither", 0.4), ("int2~dither", 1.0)])
def test_saturation_under_dither_against_rounding(name: str, scale: float) -> None:
    levels = np.arange(4 if name[3] == "3" else 2) * scale
    errors = (
        np.clip(fake_quantise(NORMALS, name, random=1, scale=scale), -levels[-1] - scale / 2, None)
        - NORMALS
    ) ** 2
    positive = NORMALS > 0  # where two's complement and the symmetric grid end alike
    spread = errors[positive].std() / np.sqrt(positive.sum())
    assert abs(grid_error(levels, "dither") - errors[positive].mean()) < 4 * spread


@pytest.mark.parametrize("name", ["binary", "int2", "int4", "e2m1", "e4m3"])
def test_best_scale_beats_every_other_and_zero_points_do_not_help(name: str) -> None:
    known = Format.parse(name)
    unit = known.grid - known.grid.mean()
    for top in np.linspace(0.6, 6, 19):
        for shift in (0.0, 0.3):
            grid = (unit + shift * np.diff(unit).min()) * top / unit[-1]
            errors = (_rounded(NORMALS[: 2**17], grid, stochastic=False) - NORMALS[: 2**17]) ** 2
            assert relative_error(known) < errors.mean() + 4 * errors.std() / np.sqrt(len(errors))


@pytest.mark.parametrize("known", [known for known in catalogue() if not known.is_exact], ids=str)
def test_stochastic_rounding_costs_more(known: Format) -> None:
    stochastic = Format.parse(f"{known}~sr")
    assert 1.1 * relative_error(known) < relative_error(stochastic) < 2.5 * relative_error(known)


def test_errors_that_need_no_quadrature() -> None:
    assert relative_error("fp") == 0
    assert relative_error("coord(0.02)") == 0.02
    assert relative_error("int4/128+had+clip@gptq") == relative_error("int4")
    assert relative_error("mxfp4/row") == relative_error("e2m1")
