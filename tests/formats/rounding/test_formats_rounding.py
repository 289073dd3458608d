"""Rounding to a grid against ml_dtypes, gfloat and torch's casts: every code, every midpoint, and
their neighbours."""

import gfloat
import gfloat.formats as known_to_gfloat
import ml_dtypes
import numpy as np
import pytest
import torch

from isoloss.formats import Format, RoundedTwice, fake_quantise, round_elements

INFINITE = np.array([np.inf, -np.inf], dtype=np.float32)
ML_DTYPES = {
    "e2m1": ml_dtypes.float4_e2m1fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "bf16": ml_dtypes.bfloat16,
    "fp16": np.float16,
}
GFLOAT = {
    "e2m1": known_to_gfloat.format_info_ocp_e2m1,
    "e2m3": known_to_gfloat.format_info_ocp_e2m3,
    "e3m2": known_to_gfloat.format_info_ocp_e3m2,
    "e4m3": known_to_gfloat.format_info_ocp_e4m3,
    "e5m2": known_to_gfloat.format_info_ocp_e5m2,
    "bf16": known_to_gfloat.format_info_bfloat16,
    "fp16": known_to_gfloat.format_info_binary16,
    "mxint8": known_to_gfloat.format_info_ocp_int8,
}
CASTS = {
    "e4m3": torch.float8_e4m3fn,
    "e5m2": torch.float8_e5m2,
    "e4m3fnuz": torch.float8_e4m3fnuz,
    "e5m2fnuz": torch.float8_e5m2fnuz,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


def points(known: Format) -> np.ndarray:
    """Codes, midpoints, their float32 neighbours on both sides, what overflows, zeros, subnormals,
    normals."""
    grid = known.grid.astype(np.float32)
    large = 3e38 if known.exponent is not None else 3.0 * known.max
    middles = ((known.grid[1:] + known.grid[:-1]) / 2).astype(np.float32)
    with np.errstate(over="ignore"):
        edge = np.float32(known.max + (known.grid[-1] - known.grid[-2]) / 2)
    over = min(1.5 * known.max, 3e38)
    hinges = np.concatenate([grid, middles, [edge, -edge, over, -over]]).astype(np.float32)
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal(20_000) * known.max / 3
    tiny = rng.uniform(-4, 4, 5_000) * known.smallest_step
    with np.errstate(over="ignore"):
        neighbours = [np.nextafter(hinges, np.float32(side)) for side in (-np.inf, np.inf)]
        return np.concatenate([hinges, *neighbours, drawn, tiny, [0.0, -0.0, 1e-45, large]]).astype(
            np.float32
        )


def same(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Equal to the bit, signs of zero included; NaN equals NaN."""
    np.testing.assert_array_equal(ours, theirs)
    finite = ~np.isnan(theirs)
    np.testing.assert_array_equal(np.signbit(ours)[finite], np.signbit(theirs)[finite])


@pytest.mark.parametrize("name", ML_DTYPES)
def test_casts_of_ml_dtypes(name: str) -> None:
    known = Format.parse(name)
    x = points(known)
    if known.special != "none":  # those without such a code have no cast of it
        x = np.concatenate([x, INFINITE, [np.nan]]).astype(np.float32)
    with np.errstate(over="ignore"):
        theirs = x.astype(ML_DTYPES[name]).astype(np.float32)
    same(round_elements(x, known, saturate=False), theirs)


@pytest.mark.parametrize("saturate", [True, False])
@pytest.mark.parametrize("name", GFLOAT)
def test_rounding_of_gfloat(name: str, saturate: bool) -> None:
    known, info = Format.parse(name), GFLOAT[name]
    x = points(known)
    if info.domain is gfloat.Domain.Extended or saturate:
        x = np.concatenate([x, INFINITE]).astype(np.float32)
    theirs = gfloat.round_ndarray(
        info, x.astype(np.float64), sat=saturate or known.special == "none"
    )
    if name == "mxint8":
        ours = round_elements(x, known, saturate=saturate)
        np.testing.assert_array_equal(ours, theirs)  # integers have no sign of zero
    else:
        same(round_elements(x, known, saturate=saturate), theirs.astype(np.float32))


@pytest.mark.parametrize("name", CASTS)
def test_casts_of_torch(name: str) -> None:
    known = Format.parse(name)
    x = torch.from_numpy(points(known))
    inside = x.abs() <= known.max  # beyond, torch saturates some formats and not others
    theirs = x.to(CASTS[name]).to(torch.float32)
    assert torch.equal(round_elements(x, known)[inside], theirs[inside])


@pytest.mark.parametrize(
    ("exponent", "mantissa"), [(1, 2), (3, 0), (2, 5), (5, 10), (8, 10), (8, 14), (6, 20)]
)
def test_unnamed_floats_and_tf32_of_gfloat(exponent: int, mantissa: int) -> None:
    known = Format.parse(f"e{exponent}m{mantissa}")
    info = gfloat.FormatInfo(
        "any",
        1 + exponent + mantissa,
        is_signed=True,
        precision=mantissa + 1,
        bias=2 ** (exponent - 1) - 1,
        has_nz=True,
        num_high_nans=0,
        has_subnormals=True,
        is_twos_complement=False,
        domain=gfloat.Domain.Finite,
    )
    rng = np.random.default_rng(1)
    span = rng.uniform(np.log2(known.smallest_step) - 2, min(np.log2(known.max) + 1, 126), 20_000)
    x = (np.exp2(span) * rng.choice([-1, 1], span.size)).astype(np.float32)
    theirs = gfloat.round_ndarray(info, x.astype(np.float64), sat=True)
    ours = round_elements(x, known)
    within = np.abs(x) <= min(known.max, 1e38)
    same(ours[within], theirs[within].astype(np.float32))
    if known.special == "none" and known.max < 1e38:
        assert np.abs(ours).max() == known.max


@pytest.mark.parametrize(
    "name", ["int2", "int4", "int8", "uint3", "int4_full", "ternary", "mxint4", "nvint4"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_steps_against_the_nearest_number_of_the_grid(name: str, dtype: type) -> None:
    known = Format.parse(name)
    x = points(known).astype(dtype)
    distances = np.abs(x[:, None].astype(np.float64) - known.grid)
    nearest = distances == distances.min(axis=1, keepdims=True)
    even = np.where(
        nearest.sum(axis=1, keepdims=True) > 1,
        nearest & (known.grid / known.smallest_step % 2 == 0),
        nearest,
    )
    np.testing.assert_array_equal(round_elements(x, known), known.grid[even.argmax(axis=1)])


def test_subnormals_of_a_narrow_exponent_with_a_full_mantissa() -> None:
    step = 2.0**-14 * 2.0**-23
    x = np.array([3.4 * step, 1e-20], dtype=np.float32)
    assert round_elements(x, "e5m23").tolist() == [3 * step, 0]


def test_binary_is_the_sign() -> None:
    x = np.array([-2.0, -1e-30, -0.0, 0.0, 1e-30, 0.3], dtype=np.float32)
    assert round_elements(x, "binary").tolist() == [-1, -1, 1, 1, 1, 1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", ["e2m1", "e4m3", "int4", "fp16", "bf16"])
def test_types_of_numpy_and_torch_round_alike(name: str, dtype: type) -> None:
    x = np.random.default_rng(2).standard_normal(4096).astype(dtype)
    ours, theirs = round_elements(x, name), round_elements(torch.from_numpy(x), name)
    assert ours.dtype == dtype
    same(theirs.numpy(), ours)
    same(ours, round_elements(x.astype(np.float64), name).astype(dtype))


def test_bfloat16_of_torch_is_rounded_in_float32() -> None:
    x = torch.randn(4096, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    rounded = round_elements(x, "e2m1")
    assert rounded.dtype == torch.bfloat16
    assert torch.equal(rounded.float(), round_elements(x.float(), "e2m1"))


@pytest.mark.parametrize("name", ["fp32", "fp64", "e8m23"])
def test_formats_as_fine_as_the_type_change_nothing(name: str) -> None:
    x = points(Format.parse("fp16"))
    same(round_elements(x, name), x)
    assert round_elements(np.float32(INFINITE), name).tolist() == [
        np.finfo(np.float32).max,
        np.finfo(np.float32).min,
    ]


def test_double_numbers_are_rounded_to_single_as_numpy_does() -> None:
    x = np.random.default_rng(3).standard_normal(10_000) * 10.0 ** np.random.default_rng(
        4
    ).integers(-44, 38, 10_000)
    same(round_elements(x, "fp32"), x.astype(np.float32).astype(np.float64))


@pytest.mark.parametrize("bits", [24, 25, 32])
def test_integers_wider_than_the_type_stay_inside_their_range(bits: int) -> None:
    top = round_elements(np.array([1e30, -1e30], dtype=np.float32), f"int{bits}")
    assert 0.999 * 2 ** (bits - 1) < int(top[0]) <= 2 ** (bits - 1) - 1
    assert top[1] == -(2.0 ** (bits - 1))


@pytest.mark.parametrize(
    "name", ["e2m1", "e4m3", "e5m2", "e4m3fnuz", "int4", "ternary", "binary", "bf16"]
)
def test_nan_stays_nan(name: str) -> None:
    x = np.array([np.nan, 1.0], dtype=np.float32)
    assert np.isnan(round_elements(x, name)).tolist() == [True, False]
    assert np.isnan(round_elements(x, name, saturate=False)).tolist() == [True, False]


@pytest.mark.parametrize("name", ["e4m3fnuz", "e5m2fnuz"])
def test_zero_of_fnuz_has_no_sign(name: str) -> None:
    out = round_elements(np.array([-0.0, -1e-9], dtype=np.float32), name)
    assert not np.signbit(out).any()


def test_half_precision_that_would_overflow_is_refused() -> None:
    x = np.array([65504.0, 1.0], dtype=np.float16)
    for verb, name in (
        (round_elements, "bf16"),
        (fake_quantise, "bf16"),
        (fake_quantise, "e2m1+pow2"),
    ):
        with pytest.raises(
            ValueError, match=r"left the range of float16; scale the array down first$"
        ):
            verb(x, name)
    assert round_elements(INFINITE, "e5m2", saturate=False).tolist() == [np.inf, -np.inf]


def test_infinities_saturate_unless_told() -> None:
    assert round_elements(INFINITE, "e5m2").tolist() == [57344, -57344]
    assert round_elements(INFINITE, "e5m2", saturate=False).tolist() == [np.inf, -np.inf]
    assert np.isnan(round_elements(INFINITE, "e4m3", saturate=False)).all()
    assert round_elements(INFINITE, "e2m1", saturate=False).tolist() == [6, -6]


@pytest.mark.parametrize(
    ("x", "name", "message"),
    [
        ([1.0], "int4", "cannot round a list; pass a numpy array or a torch tensor"),
        (
            np.arange(3),
            "int4",
            "cannot round numbers of type int64; types are float16, bfloat16, float32, float64",
        ),
        (
            torch.arange(3),
            "e4m3",
            "cannot round numbers of type int64; types are float16, bfloat16, float32, float64",
        ),
        (np.zeros((0, 3)), "int4", "cannot round an array without elements, of shape (0, 3)"),
        (
            torch.ones(3, device="meta"),
            "int4",
            "cannot round a sparse tensor or one without numbers; pass a dense tensor on a device",
        ),
        (
            torch.eye(3).to_sparse(),
            "int4",
            "cannot round a sparse tensor or one without numbers; pass a dense tensor on a device",
        ),
        (np.zeros(3), "fp", "'fp' has no grid of numbers to round to"),
        (np.zeros(3), "vec(0.1)", "'vec(0.1)' has no grid of numbers to round to"),
        (np.zeros(3), "int5x", "unknown format 'int5x'; did you mean 'int5'?"),
        (
            np.zeros(3),
            "int4~sr",
            "'int4~sr' draws random numbers; pass random= a seed, a generator or the uniform "
            "numbers",
        ),
    ],
)
def test_what_cannot_be_rounded(x: object, name: str, message: str) -> None:
    for verb in (round_elements, fake_quantise) if "no grid" not in message else (round_elements,):
        with pytest.raises(ValueError) as caught:
            verb(x, name)
        assert str(caught.value) == message


@pytest.mark.parametrize("name", ["int4/row@quest", "int4@lsq", "int4@foo", "e4m3@ste"])
def test_methods_that_rounding_is_not_are_refused(name: str) -> None:
    method = name.partition("@")[2]
    message = rf"^fake_quantise rounds to nearest \(@rtn\), not by '@{method}' as '{name}' says;"
    with pytest.raises(ValueError, match=message):
        fake_quantise(np.ones(4), name)
    with pytest.raises(ValueError, match=message):
        round_elements(np.ones(4), name)


def test_a_16_bit_array_that_cannot_hold_the_grid_is_refused_or_cast() -> None:
    """In bfloat16 int8 a row adds an error of about a quarter of its own, root mean square."""
    x = torch.randn((64, 1024), generator=torch.Generator().manual_seed(0)).bfloat16()
    with pytest.raises(RoundedTwice) as caught:
        fake_quantise(x, "int8/row")
    assert str(caught.value) == (
        "numbers of 'int8/row' times their scale are no numbers of bfloat16, so the result would "
        "be rounded twice; pass a float32 array, or check=False to have it cast"
    )
    twice = fake_quantise(x, "int8/row", check=False)
    once = fake_quantise(x.float(), "int8/row")
    errors = [float(((each.float() - x.float()) ** 2).mean()) for each in (twice, once)]
    assert 0.2 < (errors[0] / errors[1] - 1) ** 0.5 < 0.28
    assert torch.equal(twice, once.bfloat16())
    for name in ("mxfp4", "int8/row+pow2"):  # powers of two keep the grid inside bfloat16
        assert torch.equal(fake_quantise(x, name).float(), fake_quantise(x.float(), name))


def test_what_no_code_shares_scales_by_is_refused() -> None:
    for share in ("channel", "token"):
        with pytest.raises(
            ValueError,
            match=rf"^'int4/{share}' cannot be rounded: no code shares scales by '/{share}' yet",
        ):
            fake_quantise(np.ones((128, 128)), f"int4/{share}")


def test_a_shifted_integer_has_nothing_below_zero() -> None:
    x = np.array([-3.0, -0.4, 7.5, 99.0])
    for saturate in (True, False):
        assert round_elements(x, "uint4", saturate=saturate).tolist() == [0, 0, 8, 15]
