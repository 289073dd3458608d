"""Serving a fitted model: what its runs do not tell of a gap is no gap and no recommendation."""

from __future__ import annotations

import numpy as np
import pytest

import isoloss as il
from isoloss.fits import Fit
from isoloss.laws import as_inputs, preset
from isoloss.plans import Budget, plan, rank_serving

MODEL = Budget(params=1.1e8, tokens=1.1e10)


def fitted(names: list[str], seed: int = 3) -> Fit:
    law, rng = preset("kumar2024"), np.random.default_rng(seed)
    rows = [
        (n, r * n, p) for n in (3e7, 6e7, 1.1e8, 2.2e8) for r in (20, 50, 100, 200) for p in names
    ]
    n, d, p = (list(column) for column in zip(*rows, strict=True))
    loss = law.loss(as_inputs(n, d, p)) * np.exp(0.003 * rng.standard_normal(len(rows)))
    runs = [
        il.Run(params=a, tokens=b, precision=c, loss=float(e))
        for a, b, c, e in zip(n, d, p, loss, strict=True)
    ]
    return il.fit("kumar2024", runs, draws=40)


@pytest.fixture(scope="module")
def one_width() -> Fit:
    return fitted(["bf16", "fp -> w4"])


@pytest.fixture(scope="module")
def never_served() -> Fit:
    return fitted(["bf16", "w3", "w4", "w6"])


def test_a_gap_that_the_ridge_moves_has_no_interval(one_width: Fit) -> None:
    assert {"C_T", "gamma_post"} <= set(one_width.identified.not_held(0.9))
    found = rank_serving(one_width, MODEL, "h100", ["w4", "w3"], draws=40)
    by_name = {c.precision: c for c in found.choices}
    w3, w4 = by_name["fp -> w3"], by_name["fp -> w4"]
    assert np.isnan(w3.gap_interval).all()
    assert np.isnan(w3.critical).all()
    assert 0 < w4.gap_interval[0] < w4.gap < w4.gap_interval[1]
    assert "not held" in str(found)
    assert "not_identified" in {w.kind for w in found.warnings}


def test_a_width_that_no_run_has_is_not_recommended(one_width: Fit) -> None:
    found = rank_serving(one_width, MODEL, "h100", ["w8", "w4"], draws=40)
    assert found.best is None
    assert "no run that kumar2024 was fitted to has precision 'fp -> w8'" in found.withheld


def test_constants_that_no_run_depends_on_tell_no_gap(never_served: Fit) -> None:
    assert "C_T" in never_served.absent
    found = rank_serving(never_served, MODEL, "h100", ["w4", "w8"], draws=40)
    assert found.best is None
    assert np.isnan([c.gap for c in found.choices]).all()
    assert "no run of law kumar2024 tells C_T" in str(found)
    for asked in (False, True):
        found = rank_serving(never_served, MODEL, "h100", ["w4"], draws=40, extrapolate=asked)
        assert "no law sees a candidate that fits in memory" in str(found)
        assert "overrides" not in str(found)


def test_nor_do_they_tell_a_plan(never_served: Fit) -> None:
    names = ["bf16", "w4", "bf16 -> w4", "w4 kv4"]
    found = plan(never_served, Budget("1e18 flop"), "h100", precision=names, draws=40)
    standing = {c.precision: c.standing for c in found.choices}
    assert standing == {
        "bf16": "seen",
        "w4": "seen",
        "bf16 -> w4": "unknown",
        "w4 kv4": "unknown",
    }
