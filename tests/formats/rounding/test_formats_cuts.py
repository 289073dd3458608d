"""Formats as lists with cuts, and the clip search over them, beside the specification."""

import numpy as np
import pytest

from isoloss.formats import FORMATS, Format, cuts_of, fake_quantise, round_elements
from isoloss.formats.rounding import scaling

CLIPPED = (
    "int2+clip/16", "int3+clip/row", "uint3+clip/64", "uint2+clip/7", "int4+clip2.4/8",
    "uint4+clip3/64", "int3_full+clip/32", "int4+pow2+clip/16", "uint3+pow2+clip/16",
    "e2m1+clip/16", "nf4+clip/64", "e2m1+clip/row", "ternary+clip/row", "binary+clip/8",
    "mxfp4+clip",
)  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_format_of_the_catalogue_is_its_list_or_has_none(
    dtype: type[np.float32 | np.float64],
) -> None:
    listed = 0
    for name in FORMATS:
        known = Format.parse(name)
        cuts = cuts_of(known, dtype)
        assert (cuts is None) == ((known.levels or 2**20) > 2**16), name
        if cuts is None or len(cuts.levels) > 2**10:
            continue
        listed += 1
        with np.errstate(over="ignore"):
            ends = cuts.levels[[0, -1]] * dtype(2)
        middles = ((cuts.levels[:-1].astype(float) + cuts.levels[1:]) / 2).astype(dtype)
        near = [np.nextafter(middles, dtype(side)) for side in (-np.inf, np.inf)]
        x = np.concatenate([cuts.levels, middles, *near, ends[np.isfinite(ends)]])
        found = cuts.levels[np.searchsorted(cuts.cuts, x)]
        assert np.array_equal(found, round_elements(x, known)), name
        if cuts.is_whole:
            assert np.array_equal(np.diff(cuts.levels), np.ones(len(cuts.cuts)))
    assert listed > 20


def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "find_spec", lambda _: None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spelled", CLIPPED)
def test_the_clip_search_finds_the_same_scales(
    spelled: str, dtype: type[np.floating], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(5)
    monkeypatch.setattr(scaling, "AT_ONCE", 2**10)  # several parts
    monkeypatch.setattr(scaling, "_WORTH", 0)
    x = draw.standard_t(3, (96, 64)) * np.exp(draw.normal(size=(96, 1)) * 3)
    x[3], x[4, :32], x[5] = 0.0, 0.0, 1.5  # groups of nothing, and of one number
    x[6] *= 1e-30 / np.abs(x[6]).max()
    x = x.astype(dtype)
    for values in (x, -x, np.abs(x)):
        found = fake_quantise(values, spelled)
        with monkeypatch.context() as patch:
            slowly(patch)
            assert np.array_equal(found, fake_quantise(values, spelled))


@pytest.mark.parametrize(("numbers", "spelled", "used"), [
    (2**13, "int3/16+clip", True), (2**12, "int3/16+clip", False), (2**13, "int8/16+clip", False),
])  # fmt: skip
def test_machine_code_is_for_many_numbers_of_short_formats(
    numbers: int, spelled: str, used: bool
) -> None:
    x = np.zeros((numbers // 16, 16))
    assert (scaling._in_machine_code(Format.parse(spelled), x) is not None) == used
