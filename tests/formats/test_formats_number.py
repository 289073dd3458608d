"""Formats as data: names, bits, memory and the numbers that they can be."""

import copy
import math
import pickle

import numpy as np
import pytest

from isoloss.formats import Format, Modifiers, catalogue, float_format, int_format, noise_format


@pytest.mark.parametrize("known", catalogue(), ids=str)
def test_catalogue_is_read_by_its_names_in_any_case(known: Format) -> None:
    assert Format.parse(known.name) == known
    assert Format.parse(known.name.upper()) == known
    assert str(known) == known.name
    assert Format.parse(known) is known


def test_catalogue_has_each_name_once() -> None:
    names = [known.name for known in catalogue()]
    assert len(names) == len(set(names))
    assert {
        "fp",
        "binary",
        "ternary",
        "int4",
        "e4m3",
        "bf16",
        "mxfp8_e5m2",
        "mxint8",
        "nvfp4",
    } <= set(names)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("FP8", "e4m3"),
        ("fp4", "e2m1"),
        ("FP6", "e2m3"),
        ("INT4", "int4"),
        ("e5m10", "fp16"),
        ("e8m7", "bf16"),
        ("bfloat16", "bf16"),
        ("mxfp8_e4m3", "mxfp8"),
        ("mxfp6_e2m3", "mxfp6"),
        ("int1", "binary"),
        ("int1.58", "ternary"),
        ("float8_e4m3fn", "e4m3"),
        ("add(1e-3)", "add(0.001)"),
        ("VEC(.02)", "vec(0.02)"),
        ("add(0)", "fp"),
        ("vec(2^-4)", "vec(0.0625)"),
        ("UINT4/64", "uint4/64"),
        ("int4_full~dither+pow2", "int4_full+pow2~dither"),
        ("float8_e4m3fnuz", "e4m3fnuz"),
        ("mxfp4/32", "mxfp4"),
        ("int4@gptq~sr+clip+had/row", "int4/row+had+clip~sr@gptq"),
    ],
)
def test_aliases(alias: str, name: str) -> None:
    assert str(Format.parse(alias)) == name


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("int4", 4),
        ("e4m3", 8),
        ("bf16", 16),
        ("tf32", 19),
        ("mxfp4", 4),
        ("nvfp4", 4),
        ("binary", 1),
        ("ternary", math.log2(3)),
        ("e3m4", 8),
        ("fp", math.inf),
    ],
)
def test_bits(name: str, bits: float) -> None:
    assert Format.parse(name).bits == bits


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("mxfp4", 4.25),
        ("nvfp4", 4.5),
        ("mxfp8", 8.25),
        ("mxfp6", 6.25),
        ("mxint8", 8.25),
        ("mxfp4/16", 4.5),
        ("mxfp4/row", 4),
        ("int4/128", 4.125),
        ("int4", 4),
        ("int4/row", 4),
        ("int4_full/64", 4.25),
        ("uint4/64", 4.3125),
        ("uint4", 4),
        ("e4m3/tensor", 8),
        ("int3/32", 3.5),
        ("ternary", math.log2(3)),
        ("binary/64", 1.25),
        ("fp", 16),
        ("add(0.1)", 16),
        ("bf16", 16),
    ],
)
def test_storage_bits_count_the_scales(name: str, bits: float) -> None:
    assert Format.parse(name).storage_bits == pytest.approx(bits)


def _decoded(bits: int, exponent: int, mantissa: int) -> list[float]:
    """The value of every code of a float without special codes, read from its fields."""
    values = []
    for code in range(2**bits):
        sign = -1 if code >> (bits - 1) else 1
        field, fraction = (code >> mantissa) % 2**exponent, code % 2**mantissa
        bias = 2 ** (exponent - 1) - 1
        lead, power = (1, field - bias) if field else (0, 1 - bias)
        values.append(sign * (lead + fraction / 2**mantissa) * 2.0**power)
    return values


@pytest.mark.parametrize(
    ("exponent", "mantissa"), [(2, 1), (2, 3), (3, 2), (3, 0), (1, 2), (1, 0), (4, 1), (5, 3)]
)
def test_grid_of_small_floats_holds_every_code(exponent: int, mantissa: int) -> None:
    known = float_format(exponent, mantissa)
    expected = np.unique(_decoded(1 + exponent + mantissa, exponent, mantissa))
    _same_grid(known, expected)


def test_grid_of_e4m3_lacks_the_nan_codes() -> None:
    expected = np.unique(_decoded(8, 4, 3))
    _same_grid(Format.parse("e4m3"), expected[np.abs(expected) < 480])
    assert Format.parse("e4m3").max == 448


@pytest.mark.parametrize("name", ["e5m2", "fp16", "bf16"])
def test_grid_of_ieee_floats_is_that_of_numpy(name: str) -> None:
    codes = np.arange(2**16, dtype=np.uint16)
    if name == "bf16":
        values = (codes.astype(np.uint32) << 16).view(np.float32)
    else:
        values = (np.unique(codes >> 8 << 8) if name == "e5m2" else codes).view(np.float16)
    _same_grid(Format.parse(name), np.unique(values[np.isfinite(values)].astype(np.float64)))


def _same_grid(known: Format, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(known.grid, expected)
    assert known.levels == len(expected)
    assert known.max == expected[-1]
    assert known.smallest_step == np.diff(expected).min()


@pytest.mark.parametrize(
    ("name", "largest", "step"),
    [("fp32", np.finfo(np.float32).max, 2.0**-149), ("fp64", 1.7976931348623157e308, 5e-324)],
)
def test_range_of_floats_too_wide_to_list(name: str, largest: float, step: float) -> None:
    assert Format.parse(name).max == largest
    assert Format.parse(name).smallest_step == step


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("int3", [-4, -3, -2, -1, 0, 1, 2, 3]),
        ("int2", [-2, -1, 0, 1]),
        ("ternary", [-1, 0, 1]),
        ("binary", [-1, 1]),
        ("nvfp4", [-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6]),
    ],
)
def test_small_grids(name: str, grid: list[float]) -> None:
    known = Format.parse(name)
    assert known.grid.tolist() == grid
    assert (known.levels, known.max, known.smallest_step) == (
        len(grid),
        grid[-1],
        np.diff(grid).min(),
    )


def test_mxint8_is_fixed_point() -> None:
    known = Format.parse("mxint8")
    assert (known.grid[0], known.max, known.smallest_step) == (-2.0, 127 / 64, 1 / 64)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("int4", None),
        ("int4/128", 128),
        ("int4/row", None),
        ("mxfp4", 32),
        ("nvfp4", 16),
        ("mxfp4/64", 64),
        ("mxfp4/row", None),
    ],
)
def test_group(name: str, group: int | None) -> None:
    assert Format.parse(name).group == group


def test_fp_and_noise_have_no_grid() -> None:
    noise = noise_format("add", 0.5)
    assert math.isnan(noise.bits)
    assert (noise.levels, noise.max, noise.smallest_step) == (None, math.inf, 0.0)
    assert Format.parse("fp").is_exact
    assert not noise.is_exact
    with pytest.raises(ValueError, match=r"^'add\(0\.5\)' has no grid of numbers$"):
        _ = noise.grid
    with pytest.raises(
        ValueError, match=r"^the grid of 'int24' has 16777216 numbers; at most 65536 are listed$"
    ):
        _ = int_format(24).grid


@pytest.mark.parametrize("name", ["int4/128@gptq", "add(0.001)", "fp"])
def test_formats_survive_copies(name: str) -> None:
    known = Format.parse(name)
    assert pickle.loads(pickle.dumps(known)) == known
    assert hash(copy.deepcopy(known)) == hash(known)


def test_marks_are_taken_off_and_put_on() -> None:
    known = Format.parse("int4/128+had~sr@gptq")
    assert known.modifiers == Modifiers(128, hadamard=True, rounding="sr", method="gptq")
    assert known.bare == int_format(4)
    assert int_format(4).modified(known.modifiers) == known


FLOATS = " exponents have 1 to 8 bits, mantissas 0 to 23, and e8m0 is a scale"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("e4m", "unknown format 'e4m'; did you mean 'e4m3'?"),
        ("bf61", "unknown format 'bf61'; did you mean 'bf16'?"),
        (
            "xyz",
            "unknown format 'xyz'; formats are intN, eXmY, bf16, mxfp4, nvfp4, nf4, ternary, "
            "binary, add(0.001) "
            "and others of the catalogue; use('module') or --use module loads a custom one",
        ),
        ("int0", "an integer of 0 bits is out of range; bits go from 1 to 32"),
        ("int33", "an integer of 33 bits is out of range; bits go from 1 to 32"),
        (
            "e9m2",
            "a float e9m2 is out of range;" + FLOATS,
        ),
        (
            "e8m0",
            "a float e8m0 is out of range;" + FLOATS,
        ),
        ("add(x)", "cannot read the noise level 'x'; write a number as in add(0.001) or vec(2^-4)"),
        (
            "add(2^x)",
            "cannot read the noise level '2^x'; write a number as in add(0.001) or vec(2^-4)",
        ),
        (
            "e4m3~dither",
            "'e4m3~dither' cannot be: dither needs equal steps around zero, which integers have",
        ),
        (
            "binary~dither",
            "'binary~dither' cannot be: dither needs equal steps around zero, which integers have",
        ),
        ("uint1", "'uint1' is out of range; bits go from 2 to 32"),
        ("int33_full", "'int33_full' is out of range; bits go from 2 to 32"),
        ("vec(-1)", "the noise level -1.0 is out of range; it is a finite number, 0 or above"),
        ("coord(nan)", "the noise level nan is out of range; it is a finite number, 0 or above"),
        ("add(0.1)+had", "'add(0.1)' takes no modifiers, but has '+had'"),
        ("fp/row", "'fp' takes no modifiers, but has '/row'"),
        (
            "int4/1",
            "unknown granularity 1; it is 'tensor', 'row', 'channel', 'token', a group size of 2 "
            "or more, or a tile as '128x128'",
        ),
        (
            "int4/col",
            "unknown granularity 'col'; it is 'tensor', 'row', 'channel', 'token', a group size of "
            "2 or more, or a tile as '128x128'",
        ),
        (
            "int4+foo",
            "unknown modifier '+foo'; modifiers are /granularity +had +clip +pow2 ~sr ~dither "
            "@method",
        ),
        (
            "int4+clip0",
            "unknown modifier '+clip0'; modifiers are /granularity +had +clip +pow2 ~sr ~dither "
            "@method",
        ),
        (
            "int4+clip0.5",
            "the clip search has the power 0.5; accepted are 1 to 8, 2 for '+clip', and 0 for no "
            "search",
        ),
        (
            "int4~rn",
            "unknown modifier '~rn'; modifiers are /granularity +had +clip +pow2 ~sr ~dither "
            "@method",
        ),
        (
            "int4@a-b",
            "unknown method 'a-b'; name it with lower-case letters, digits and single '_'",
        ),
        ("int4@a@b", "the modifier '@b' comes after another of its kind"),
        (4, "a format is a text such as 'int4', not 4"),
    ],
)
def test_errors_of_formats(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Format.parse(text)
    assert str(caught.value) == message
