"""Rounding and noise that draw: means and variances on 1e7 draws a format, and where the numbers
come from."""

import numpy as np
import pytest
import torch

from isoloss.formats import Format, fake_quantise, round_elements

DRAWS = 500_000
NAMES = [
    "int4",
    "int8",
    "e2m1",
    "e2m3",
    "e3m2",
    "e4m3",
    "e5m2",
    "e4m3fnuz",
    "bf16",
    "fp16",
    "ternary",
    "mxint8",
]


def neighbours(known: Format, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the grid at or below x, and above it."""
    above = np.clip(np.searchsorted(known.grid, x, side="right"), 1, len(known.grid) - 1)
    return known.grid[above - 1], known.grid[above]


def places(known: Format) -> np.ndarray:
    """Twenty numbers inside the range: on the grid, at midpoints, below the smallest, in every
    size."""
    rng = np.random.default_rng(0)
    inside = known.grid[np.abs(known.grid) < known.max]
    on = rng.choice(inside, 5)
    low, high = neighbours(known, rng.choice(known.grid[:-1], 5))
    spread = (
        rng.choice([-1, 1], 8)
        * known.max
        * np.exp2(-rng.uniform(0, min(np.log2(known.levels), 12), 8))
    )
    return np.concatenate([on, (low + high) / 2, spread, [0.3 * known.smallest_step, 0.0]]).astype(
        np.float32
    )


@pytest.mark.parametrize("name", NAMES)
def test_stochastic_rounding_keeps_the_mean_and_has_its_variance(name: str) -> None:
    known = Format.parse(f"{name}~sr")
    where = places(known)  # 20 numbers of 500,000 draws each
    low, high = neighbours(known, where.astype(np.float64))
    fraction = (where - low) / (high - low)
    variance = (high - low) ** 2 * fraction * (1 - fraction)
    uniform = np.random.default_rng(1)
    for x, lower, upper, var in zip(where, low, high, variance, strict=True):
        out = round_elements(np.full(DRAWS, x), known, random=uniform).astype(np.float64)
        assert set(np.unique(out)) <= {lower, upper}
        if var == 0:
            assert np.all(out == x)
            continue
        assert abs(out.mean() - x) <= 4 * np.sqrt(var / DRAWS)
        # of a two-point variable: Var s^2 = (mu4 - var^2) / n
        fourth = var * ((upper - x) ** 3 + (x - lower) ** 3) / (upper - lower)
        assert (
            abs(np.mean((out - x) ** 2) - var)
            <= 4 * np.sqrt(max(fourth - var**2, 0) / DRAWS) + 1e-6 * var
        )


def test_the_magnitude_goes_up_where_u_is_below_the_fraction() -> None:
    x, u = np.array([0.25, -0.25, -0.25, 1.25, -1.25]), np.array([0.2, 0.2, 0.25, 0.1, 0.3])
    assert round_elements(x, "int4~sr", random=u).tolist() == [1, -1, 0, 2, -1]
    assert round_elements(np.zeros(2), "binary~sr", random=np.array([0.49, 0.5])).tolist() == [
        1,
        -1,
    ]


def test_dither_saturates_before_it_is_taken_off() -> None:
    out = round_elements(np.array([100.0, -100.0]), "int4~dither", random=np.array([0.75, 0.75]))
    assert out.tolist() == [6.75, -8.25]


def test_binary_at_random_keeps_the_mean() -> None:
    out = round_elements(np.full(DRAWS, 0.3), "binary~sr", random=0)
    assert set(np.unique(out)) == {-1.0, 1.0}
    assert abs(out.mean() - 0.3) < 4 * np.sqrt(0.91 / DRAWS)


@pytest.mark.parametrize("x", [0.0, 0.2, 0.5, -1.7, 3.25])
def test_dither_has_the_same_error_wherever_x_is(x: float) -> None:
    errors = round_elements(np.full(DRAWS, x), "int4~dither", random=0) - x
    assert np.abs(errors).max() <= 0.5
    assert abs(errors.mean()) < 4 * np.sqrt(1 / 12 / DRAWS)
    assert abs(errors.var() - 1 / 12) < 4 * np.sqrt((1 / 80 - 1 / 144) / DRAWS)
    edges = np.histogram(errors, bins=10, range=(-0.5, 0.5))[0]
    assert np.abs(edges - DRAWS / 10).max() < 5 * np.sqrt(DRAWS * 0.09)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("add(0.04)", lambda x: np.full_like(x, 0.04)),
        ("coord(0.04)", lambda x: 0.04 * x**2),
        ("vec(0.04)", lambda x: 0.04 * x**2),
    ],
)
def test_ideal_noise_has_its_level(name: str, model: object) -> None:
    x = np.tile(np.array([0.5, -2.0, 3.0]), (DRAWS, 1))
    errors = fake_quantise(x, name, random=0) - x
    expected = model(x[0])  # type: ignore[operator]
    assert np.abs(errors.mean(axis=0)).max() < 4 * np.sqrt(expected.max() / DRAWS)
    np.testing.assert_allclose(errors.var(axis=0), expected, rtol=4 * np.sqrt(2 / DRAWS))
    correlation = np.corrcoef(errors.T)[0, 1]
    assert correlation == pytest.approx(-1 if name.startswith("vec") else 0, abs=4 / np.sqrt(DRAWS))


@pytest.mark.parametrize(
    "name", ["int4/row~sr", "int4/row~dither", "add(0.1)", "vec(0.1)", "coord(0.1)", "mxfp4~sr"]
)
def test_a_seed_gives_the_same_bits_in_numpy_and_torch(name: str) -> None:
    x = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)
    ours = fake_quantise(x, name, random=3)
    assert np.array_equal(ours, fake_quantise(torch.from_numpy(x), name, random=3).numpy())
    assert np.array_equal(ours, fake_quantise(x, name, random=3))
    assert not np.array_equal(ours, fake_quantise(x, name, random=4))


def test_a_seed_does_not_repeat_the_data_of_the_same_seed() -> None:
    x = np.random.default_rng(0).standard_normal(10_000)
    errors = fake_quantise(x, "add(1)", random=0) - x
    assert abs(np.corrcoef(x, errors)[0, 1]) < 4 / 100


def test_generators_move_on() -> None:
    x = np.full(1000, 0.5)
    source = np.random.default_rng(0)
    first, second = (fake_quantise(x, "int4~sr", random=source, scale=1.0) for _ in range(2))
    assert not np.array_equal(first, second)
    torch_source = torch.Generator().manual_seed(0)
    first, second = (
        fake_quantise(torch.from_numpy(x), "add(1)", random=torch_source) for _ in range(2)
    )
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("name", "variance"), [("add(0.25)", 0.25), ("int8~sr", 3 / 16)])
def test_generators_of_torch_draw_what_is_asked_for(name: str, variance: float) -> None:
    x = torch.full((100_000,), 0.25, dtype=torch.float64)
    scale = None if "(" in name else 1.0
    errors = fake_quantise(x, name, random=torch.Generator().manual_seed(0), scale=scale) - x
    assert abs(float(errors.mean())) < 4 * (variance / 1e5) ** 0.5
    assert float(errors.var()) == pytest.approx(variance, rel=0.03)


def test_numbers_of_the_caller_are_used() -> None:
    x = np.full(4, 0.25)
    assert round_elements(x, "int4~sr", random=np.array([0.0, 0.2, 0.25, 0.9])).tolist() == [
        1,
        1,
        0,
        0,
    ]
    assert fake_quantise(x, "add(4)", random=np.arange(4.0)).tolist() == [0.25, 2.25, 4.25, 6.25]


@pytest.mark.parametrize(
    ("random", "message"),
    [
        (
            None,
            "'int4~sr' draws random numbers; pass random= a seed, a generator or the uniform "
            "numbers",
        ),
        ("seed", "'int4~sr' cannot draw from a str; pass a seed, a generator or an array like x"),
        (
            torch.zeros(4),
            "'int4~sr' cannot draw from a Tensor; pass a seed, a generator or an array like x",
        ),
        (
            torch.Generator(),
            "'int4~sr' cannot draw from a Generator; pass a seed, a generator or an array like x",
        ),
        (np.zeros(3), "'int4~sr' needs uniform numbers of shape (4,), not (3,)"),
        (
            np.array([0, 0, 0, 1.0]),
            "'int4~sr' needs uniform numbers in [0, 1) as float64; some lie outside",
        ),
        (
            np.array([0, 0, 0, np.nan]),
            "'int4~sr' needs uniform numbers in [0, 1) as float64; some lie outside",
        ),
        (np.zeros(4, dtype=int), "'int4~sr' needs uniform numbers of a float type, not int64"),
        (-1, "'int4~sr' cannot draw from the seed -1; a seed is a whole number, 0 or more"),
        (True, "'int4~sr' cannot draw from the seed True; a seed is a whole number, 0 or more"),
    ],
)
def test_what_cannot_be_drawn_from(random: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        fake_quantise(np.zeros(4), "int4~sr", random=random)
    assert str(caught.value) == message
