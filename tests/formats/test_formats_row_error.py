"""The error of formats on normal rows: against quadrature, and what it tells apart."""

import numpy as np
import pytest

from isoloss.formats import Format, relative_error, row_error


@pytest.mark.parametrize("spelled", ["int4/32", "e2m1/16", "int3/64", "mxfp4", "nf4/64"])
def test_it_is_the_error_by_quadrature_of_the_same_block(spelled: str) -> None:
    known = Format.parse(spelled)
    block = known.group or known.block
    exact = relative_error(known, block=None if known.block else block)
    assert row_error(known, 1024) == pytest.approx(exact, rel=0.02)


def test_a_row_is_a_block_of_its_width() -> None:
    for width in (32, 512):
        exact = relative_error("int4", block=width)
        assert row_error("int4/row", width) == pytest.approx(exact, rel=0.02)


def test_it_knows_what_shares_a_scale_and_how_it_is_found() -> None:
    errors = [row_error(f"int4{how}", 4096) for how in ("", "/row", "/128", "/32", "/32+clip")]
    assert errors == sorted(errors, reverse=True)
    assert row_error("int4/row@gptq", 256) == row_error("int4/row", 256)
    assert row_error("fp", 256) == 0.0
    assert row_error("int4/row~sr", 256) == pytest.approx(2 * row_error("int4/row", 256), rel=0.2)


def test_it_is_the_same_every_time_and_known_to_a_percent() -> None:
    assert row_error("int3/row", 64) == row_error("int3/row", 64)
    x = np.random.default_rng(99).normal(size=(40_000, 64))
    step = np.abs(x).max(1, keepdims=True) / 3
    q = np.clip(np.round(x / step), -3, 3) * step
    assert row_error("int3/row", 64) == pytest.approx(float(np.mean((q - x) ** 2)), rel=0.01)


@pytest.mark.parametrize("width", [0, 1, 2.5, True])
def test_a_width_that_is_none_is_refused(width: object) -> None:
    with pytest.raises(ValueError, match="a row of"):
        row_error("int4/row", width)  # type: ignore[arg-type]
