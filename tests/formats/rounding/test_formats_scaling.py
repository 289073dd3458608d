"""Fake quantisation with scales: against plain loops over groups, and what it refuses."""

import math

import numpy as np
import pytest
import torch

from isoloss.formats import (
    Format,
    Modifiers,
    catalogue,
    fake_quantise,
    frozen,
    hadamard,
    relative_error,
    round_elements,
    scales,
)
from isoloss.formats.rounding import scaling

X = np.random.default_rng(0).standard_normal((6, 64)).astype(np.float32)
X[2, :32] = 0.0
X[3] *= np.float32(1e-4)
E4M3 = Format.parse("e4m3")


def groups(name: str) -> list[np.ndarray]:
    """The parts of X that share a scale, in order."""
    known = Format.parse(name)
    if known.group:
        return list(X.reshape(-1, known.group))
    return list(X) if known.granularity == "row" else [X.ravel()]


def power(value: float) -> float:
    return 2.0 ** math.floor(math.log2(value))


def step_of(part: np.ndarray, known: Format, whole: float) -> np.float32:
    """The scale of one group by the written rules, in numbers of Python."""
    top = np.abs(part).max()
    if top == 0:
        return np.finfo(np.float32).tiny
    if known.scale == "e8m0":
        return np.float32(power(top) / power(known.max))
    if known.scale == "e4m3":
        tensor = np.float32(whole / np.float32(known.max * 448))
        code = round_elements(np.array([np.float32(top / np.float32(known.max)) / tensor]), E4M3)[0]
        return np.float32(max(code, np.float32(2.0**-9)) * tensor)
    if known.kind in ("ternary", "binary"):
        return np.float32(np.abs(part.astype(np.float64)).mean())
    step = np.float32(top / np.float32(known.max + (0.5 if known.span == "full" else 0.0)))
    return np.float32(2.0 ** math.ceil(math.log2(step))) if known.pow2 else step


@pytest.mark.parametrize(
    "name",
    [
        "int4",
        "int8/row",
        "int3/16",
        "int4_full/32",
        "int4/32+pow2",
        "e4m3/row",
        "e2m1/16",
        "e5m2",
        "ternary/row",
        "binary/32",
        "mxfp4",
        "mxfp6",
        "mxfp8",
        "mxfp8_e5m2",
        "mxint8",
        "mxfp4/16",
        "mxfp6/row",
        "nvfp4",
        "nvint4",
        "nvfp4/32",
    ],
)
def test_each_group_is_scaled_by_its_rule(name: str) -> None:
    known = Format.parse(name)
    whole = float(np.abs(X).max())
    expected = []
    for part in groups(name):
        step = step_of(part, known, whole)
        expected.append(round_elements(part / step, known.bare) * step)
    np.testing.assert_array_equal(fake_quantise(X, name).ravel(), np.concatenate(expected))


def test_shifted_integers_spend_all_levels_between_the_ends() -> None:
    rounded = fake_quantise(np.abs(X) + np.float32(1), "uint3/row")
    for row, out in zip(np.abs(X) + 1, rounded, strict=True):
        step = row.max() / 7  # zero belongs to the range, or a zero could not be kept
        assert np.abs(out - row).max() <= step / 2 * 1.0001
        np.testing.assert_allclose(out / step, np.round(out / step), atol=1e-4)
    assert np.all(fake_quantise(np.array([[-1.0, 0.0, 14.0]]), "uint4/row") == [[-1.0, 0.0, 14.0]])


def test_zero_stays_zero_with_a_zero_point() -> None:
    x = np.array([[-1.0, 0.0, 0.37, 2.3], [-3.0, 0.0, -1.1, -0.2], [3.0, 0.0, 1.1, 0.2]])
    out = fake_quantise(x, "uint3/row")
    assert np.all(out[:, 1] == 0)
    assert np.all(
        np.abs(out - x).max(axis=1)
        <= (x.max(axis=1).clip(0) - x.min(axis=1).clip(max=0)) / 14 + 1e-12
    )


def test_a_scale_that_is_a_power_of_two_stays() -> None:
    assert np.all(fake_quantise(np.array([7.0, 3.4]), "int4+pow2") == [7, 3])
    assert np.all(fake_quantise(np.array([7.1, 3.4]), "int4+pow2") == [8, 4])


def test_a_quiet_block_of_nv_takes_the_smallest_scale() -> None:
    x = np.zeros((1, 32))
    x[0, 0], x[0, 16:] = 6 * 448, 6 * 2.0**-9 * np.linspace(0, 1, 16)
    steps = round_elements(x[0, 16:] / 2.0**-9, "e2m1") * 2.0**-9
    np.testing.assert_allclose(fake_quantise(x, "nvfp4")[0, 16:], steps, rtol=1e-12)


@pytest.mark.parametrize("name", ["int2", "int3", "ternary", "e2m1"])
def test_the_clip_search_finds_the_best_scale_of_a_long_row(name: str) -> None:
    x = np.random.default_rng(2).standard_normal((1, 100_000))
    found = np.mean((fake_quantise(x, f"{name}/row+clip") - x) ** 2)
    tried = [
        np.mean((fake_quantise(x, name, scale=s) - x) ** 2) for s in np.geomspace(0.02, 3, 400)
    ]
    assert found < 1.01 * min(tried)


@pytest.mark.parametrize(
    "name", ["int4/row", "e4m3/row", "int4_full/32", "mxfp4", "nvfp4", "uint4/32"]
)
def test_zeros_and_numbers_below_the_normal_ones_round_to_finite_numbers(name: str) -> None:
    tiny = np.full((2, 32), 1e-42, dtype=np.float32)
    tiny[1] = 0.0
    out = fake_quantise(tiny, name)
    assert np.isfinite(out).all()
    assert np.all(out[1] == 0)
    assert np.abs(out).max() <= 2e-42


@pytest.mark.parametrize(
    "known", [known for known in catalogue() if known.is_scaled and known.kind != "exact"], ids=str
)
@pytest.mark.parametrize("mark", ["", "/16", "/row+clip", "/16+had", "/row+pow2"])
def test_numpy_and_torch_give_the_same_bits(known: Format, mark: str) -> None:
    name = f"{known}{mark}"
    ours = fake_quantise(X, name)
    theirs = fake_quantise(torch.from_numpy(X), name)
    assert np.array_equal(ours, theirs.numpy())
    assert ours.dtype == X.dtype


@pytest.mark.parametrize("name", ["int4/row", "e2m1/row", "mxfp4", "nvfp4", "int8/16", "e4m3"])
def test_rounding_twice_changes_nothing(name: str) -> None:
    once = fake_quantise(X.astype(np.float64), name)
    np.testing.assert_allclose(fake_quantise(once, name), once, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "name", ["int2/row", "int4/32", "ternary/row", "e2m1/row", "uint3/32", "nvint4", "mxfp4"]
)
def test_the_clip_search_never_does_worse_and_helps_few_bits(name: str) -> None:
    def squares(spelled: str) -> np.ndarray:
        known = Format.parse(spelled)
        errors = (fake_quantise(X.astype(np.float64), known) - X) ** 2
        return errors.reshape(-1, known.group or X.shape[1]).sum(axis=1)

    plain, searched = squares(name), squares(f"{name}+clip")
    assert np.all(searched <= plain * (1 + 1e-12))
    if name.startswith("int"):
        assert searched.sum() < 0.9 * plain.sum()


def test_the_clip_search_comes_near_the_best_scale_of_a_normal_variable() -> None:
    x = np.random.default_rng(1).standard_normal((64, 4096))
    error = np.mean((fake_quantise(x, "int4/row+clip") - x) ** 2)
    assert error == pytest.approx(relative_error("int4"), rel=0.04)  # 16 levels, one side longer


@pytest.mark.parametrize(
    ("dtype", "size"),
    [(np.float32, 1e-25), (np.float32, 1e30), (np.float64, 1e-200), (np.float64, 1e160)],
)
def test_the_clip_search_does_not_depend_on_the_unit(dtype: type, size: float) -> None:
    x = np.random.default_rng(3).standard_normal((8, 512)).astype(dtype)
    there = fake_quantise(x * dtype(size), "int4/row+clip") / dtype(size)
    errors = [
        np.mean((out.astype(np.float64) - x) ** 2)
        for out in (there, fake_quantise(x, "int4/row+clip"))
    ]
    assert errors[0] == pytest.approx(errors[1], rel=0.02)


def test_mx_scales_reach_down_to_the_least_of_e8m0() -> None:
    x = np.zeros((1, 32))
    x[0, :2] = 2.0**-125, 2.0**-128
    assert fake_quantise(x, "mxfp4")[0, :2].tolist() == [2.0**-125, 2.0**-128]


def test_gradients_of_torch_stay_outside() -> None:
    x = torch.from_numpy(X).requires_grad_()
    assert not fake_quantise(x, "int4").requires_grad
    assert not round_elements(x, "e4m3").requires_grad


def test_nv_blocks_keep_one_scale_of_the_tensor_when_they_are_clipped() -> None:
    tensor = np.float32(np.abs(X).max() / np.float32(7 * 448))
    out = fake_quantise(X, "nvint4+clip").reshape(-1, 16)
    for block in out[np.abs(out).max(axis=1) > 0]:
        codes = block.astype(np.float64) / tensor
        steps = E4M3.grid[E4M3.grid > 0]
        assert any(
            np.allclose(codes / s, np.round(codes / s), atol=1e-3) and np.abs(codes / s).max() < 8.5
            for s in steps
        )


@pytest.mark.parametrize("size", [2, 8, 64])
def test_a_rotated_group_is_rounded_in_hadamards_basis(size: int) -> None:
    rotation = np.array([[1.0]])
    while len(rotation) < size:
        rotation = np.block([[rotation, rotation], [rotation, -rotation]])
    rotation /= math.sqrt(size)
    x = X.astype(np.float64)
    turned = (x.reshape(-1, size) @ rotation).reshape(x.shape)
    back = fake_quantise(turned, f"int4/{size}").reshape(-1, size) @ rotation
    np.testing.assert_allclose(
        fake_quantise(x, f"int4/{size}+had"), back.reshape(x.shape), atol=1e-12
    )


def test_a_rotation_spreads_an_outlier() -> None:
    x = X.astype(np.float64).copy()
    x[:, 5] = 30.0
    plain, turned = (
        np.mean((fake_quantise(x, name) - x) ** 2) for name in ("int4/row", "int4/row+had")
    )
    assert turned < plain / 2


def test_a_scale_from_outside_replaces_the_own_one() -> None:
    out = fake_quantise(X, "int4", scale=0.25)
    np.testing.assert_array_equal(
        out, np.clip(np.round(X / np.float32(0.25)), -8, 7) * np.float32(0.25)
    )
    per_row = np.full((6, 1), 0.5, dtype=np.float32)
    np.testing.assert_array_equal(
        fake_quantise(X, "e2m1", scale=per_row), round_elements(X / per_row, "e2m1") * per_row
    )
    assert fake_quantise(np.array([-9.0, -4.0, 3.5, 9.0]), "uint4", scale=0.5).tolist() == [
        -4,
        -4,
        3.5,
        3.5,
    ]


def test_what_is_exact_comes_back_as_a_copy() -> None:
    out = fake_quantise(X, "fp")
    assert np.array_equal(out, X)
    assert not np.shares_memory(out, X)


@pytest.mark.parametrize("name", ["int4", "mxfp4", "ternary", "int4+clip"])
@pytest.mark.parametrize("shape", [(1,), (3, 1, 64), (64,)])
def test_shapes_are_kept(name: str, shape: tuple[int, ...]) -> None:
    if shape[-1] % (Format.parse(name).group or 1):
        pytest.skip("the block does not divide it")
    x = np.random.default_rng(0).standard_normal(shape)
    assert fake_quantise(x, name).shape == shape


def test_a_single_number_can_be_rounded() -> None:
    assert fake_quantise(np.array(3.3), "int4") == pytest.approx(3.3)


BAD = np.ones((2, 48), dtype=np.float32)
HOLED = np.array([[1.0, np.nan]])


@pytest.mark.parametrize(
    ("x", "name", "options", "message"),
    [
        (
            BAD,
            "ternary/32",
            {},
            "groups of 32 in 'ternary/32' do not divide the last axis of shape (2, 48); its "
            "length 48 must be a multiple of 32",
        ),
        (
            BAD,
            "mxfp4+had",
            {},
            "groups of 32 in 'mxfp4+had' do not divide the last axis of shape (2, 48); its "
            "length 48 must be a multiple of 32",
        ),
        (
            np.ones((2, 3)),
            "int4/row+had",
            {},
            "'int4/row+had' rotates groups whose size is a power of two; the last axis of shape "
            "(2, 3) holds none",
        ),
        (
            np.array(1.0),
            "int4/row",
            {},
            "'int4/row' shares a scale along the last axis, and a single number has none",
        ),
        (HOLED, "int4", {}, "cannot round to 'int4': the array holds NaN or infinity"),
        (HOLED * np.inf, "bf16", {}, "cannot round to 'bf16': the array holds NaN or infinity"),
        (
            BAD,
            "int4",
            {"scale": 0.0},
            "the scale of 'int4' must be finite and above 0, and some of it is not",
        ),
        (
            BAD,
            "int4",
            {"scale": np.nan},
            "the scale of 'int4' must be finite and above 0, and some of it is not",
        ),
        (
            BAD,
            "int4",
            {"scale": -np.ones((2, 1))},
            "the scale of 'int4' must be finite and above 0, and some of it is not",
        ),
        (
            BAD,
            "int4",
            {"scale": np.ones(5)},
            "the scale of 'int4' must be a number or an array that broadcasts to shape (2, 48)",
        ),
        (
            BAD,
            "int4",
            {"scale": np.ones((3, 2, 48))},
            "the scale of 'int4' must be a number or an array that broadcasts to shape (2, 48)",
        ),
        (
            BAD,
            "int4",
            {"scale": "big"},
            "the scale of 'int4' must be a number or an array that broadcasts to shape (2, 48)",
        ),
        (
            HOLED * np.inf,
            "int4",
            {"scale": 1.0},
            "cannot round to 'int4': the array holds NaN or infinity",
        ),
        (
            np.ones((2, 3)),
            "int4+had",
            {"scale": 1.0},
            "'int4+had' rotates groups whose size is a power of two; the last axis of shape (2, 3) "
            "holds none",
        ),
        (
            HOLED,
            "vec(0.1)",
            {"random": 0},
            "cannot round to 'vec(0.1)': the array holds NaN or infinity",
        ),
        (BAD, "fp", {"scale": 1.0}, "'fp' has no scale; leave scale out"),
        (BAD, "add(0.1)", {"scale": 1.0, "random": 0}, "'add(0.1)' has no scale; leave scale out"),
        (
            np.full(32, 1e300),
            "mxfp4",
            {},
            "cannot round to 'mxfp4': its scales end at 2^127, and the array holds larger numbers",
        ),
        (
            np.array([-3.4e38, 3.4e38], dtype=np.float32),
            "int2_full",
            {},
            "rounding to 'int2_full' left the range of float32; scale the array down first",
        ),
    ],
)
def test_what_is_refused(
    x: np.ndarray, name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        fake_quantise(x, name, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("mark", ["", "/row+clip", "/16+had", "/row+pow2"])
@pytest.mark.parametrize("known", [known for known in catalogue() if not known.is_exact], ids=str)
def test_no_number_that_is_not_finite_slips_through(known: Format, mark: str, bad: float) -> None:
    x = X.copy()
    x[4, 7] = bad
    with pytest.raises(ValueError, match=r"the array holds NaN or infinity$"):
        fake_quantise(x, f"{known}{mark}")


def test_without_checks_a_nan_stays_in_its_group() -> None:
    x = np.stack([X[0], X[1]])
    x[0, 3] = np.nan
    out = fake_quantise(x, "int4/row", check=False)
    assert np.isnan(out[0]).all()
    assert np.array_equal(out[1], fake_quantise(x[1], "int4/row"))


def test_default_granularity_is_the_tensor() -> None:
    assert np.array_equal(
        fake_quantise(X, "int4"),
        fake_quantise(X, Format.parse("int4").modified(Modifiers("tensor"))),
    )


@pytest.mark.parametrize(
    "name",
    ["int4", "uint3", "int3_full", "int3+clip", "e2m1", "mxfp4", "nvfp4", "ternary", "bf16", "fp"],
)
def test_frozen_scales_round_their_own_rows_and_columns_of_them(name: str) -> None:
    whole = fake_quantise(X, f"{name}/row" if name not in ("bf16", "fp") else name)
    assert np.array_equal(frozen(X, name)(X), whole)
    assert np.array_equal(frozen(X, name)(X[:, 5:6]), whole[:, 5:6])
    assert torch.equal(
        frozen(torch.from_numpy(X), name)(torch.from_numpy(X)), torch.from_numpy(whole)
    )


def test_frozen_scales_stay_where_the_numbers_move() -> None:
    moved = frozen(X[:1], "int4")(X[:1] * 3)
    step = np.abs(X[0]).max() / 7
    assert np.allclose(moved, np.clip(np.round(X[:1] * 3 / step), -8, 7) * step)


@pytest.mark.parametrize("name", ["add(0.1)", "int4~sr", "int4~dither", "int4/32+had"])
def test_formats_without_a_grid_cannot_be_frozen(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"has no fixed grid; accepted are formats that round to nearest"
    ):
        frozen(X, name)


@pytest.mark.parametrize("name", ["int4/32+had", "int4/row+had"])
def test_hadamard_is_the_rotation_of_the_mark_and_its_own_inverse(name: str) -> None:
    plain = Format.parse(name.removesuffix("+had"))
    assert np.allclose(
        hadamard(fake_quantise(hadamard(X, name), plain), name), fake_quantise(X, name), atol=1e-6
    )
    assert np.allclose(hadamard(hadamard(X, name), name), X, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "int4",
        "int4/row",
        "int3/8+clip",
        "e4m3/row",
        "mxfp4",
        "nvfp4",
        "int4_full/16+had",
        "ternary/row",
    ],
)
def test_scales_are_what_rounding_divides_by(name: str) -> None:
    x = np.random.default_rng(5).standard_t(3, (3, 5, 32)).astype(np.float32)
    found = scales(x, name)
    assert np.broadcast_shapes(found.shape, x.shape) == x.shape
    assert np.array_equal(fake_quantise(x, name, scale=found), fake_quantise(x, name))


@pytest.mark.parametrize(
    ("name", "why"),
    [("uint4", "has a zero point"), ("bf16", "has no scale"), ("fp", "has no scale")],
)
def test_scales_of_what_has_none(name: str, why: str) -> None:
    message = rf"^'{name}' {why}; scales\(\) supports scaled grids around zero$"
    with pytest.raises(ValueError, match=message):
        scales(np.ones(4), name)


@pytest.mark.parametrize("name", ["int3", "uint3", "e2m1"])
@pytest.mark.parametrize("power", [1.5, 2.4])
def test_the_clip_search_of_another_power_finds_its_least_sum(name: str, power: float) -> None:
    def sums(mark: str, power: float) -> np.ndarray:
        return np.sum(np.abs(fake_quantise(X, f"{name}/row{mark}") - X) ** power, axis=1)

    own = sums(f"+clip{power:g}", power)
    assert np.all(own <= sums("+clip", power) * (1 + 1e-9))
    assert np.any(own < sums("+clip", power))
    assert np.all(sums("+clip", 2.0) <= sums(f"+clip{power:g}", 2.0) * (1 + 1e-9))


@pytest.mark.parametrize(
    "name",
    ["int2", "int4", "uint3", "uint2", "int3_full", "e2m1", "nf4", "mxfp4", "nvfp4", "ternary"],
)
@pytest.mark.parametrize("marks", ["+clip", "+clip2.4", "+clip+pow2"])
def test_the_clip_search_leaves_out_no_scale_that_could_be_best(
    name: str, marks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(5)
    share = "" if Format.parse(name).block else "/32"
    for x in (
        draw.standard_normal((6, 64)),
        draw.standard_t(2, (6, 64)),
        -np.abs(draw.normal(size=(6, 64))),
    ):
        found = fake_quantise(x, f"{name}{share}{marks}")
        with monkeypatch.context() as patched:
            patched.setattr(scaling, "_beyond", lambda xp, ends, known, scale: 0.0 * scale.step)
            assert np.array_equal(found, fake_quantise(x, f"{name}{share}{marks}"))
        with monkeypatch.context() as patched:
            patched.setattr(scaling, "AT_ONCE", 64)  # two groups at a time
            assert np.array_equal(found, fake_quantise(x, f"{name}{share}{marks}"))
