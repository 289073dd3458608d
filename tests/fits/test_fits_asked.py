"""What is asked of a fit: levels that draws do not reach, and constants held where they cannot."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import isoloss as il
from isoloss.files import least_draws, percent
from isoloss.fits import FitError, compare, fit
from isoloss.fits.doubt import summarise
from isoloss.fits.solve import Certificate
from isoloss.fits.warning import kinds
from isoloss.laws import preset

MILD = {"objective": "squares", "starts": 2}


@pytest.fixture(scope="module")
def runs():
    rng = np.random.default_rng(3)
    n, d = (v.ravel() for v in np.meshgrid(np.geomspace(5e7, 1e9, 4), np.geomspace(1e9, 5e10, 5)))
    loss = (1.8 + 400 / n**0.34 + 900 / d**0.3) * np.exp(0.004 * rng.standard_normal(len(n)))
    columns = zip(n.tolist(), d.tolist(), loss.tolist(), strict=True)
    return [il.Run(params=a, tokens=b, loss=c, precision="bf16") for a, b, c in columns]


@pytest.fixture(scope="module")
def found(runs):
    return fit("chinchilla", runs, draws=30, **MILD)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.9, "90%"), (0.999, "99.9%"), (0.07, "7%"), (0.99999, "99.999%"), (0.685, "68.5%")],
)
def test_levels_keep_their_digits(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(("level", "draws"), [(0.9, 20), (0.95, 40), (0.99, 200), (0.999, 2000)])
def test_the_least_draws_hold_one_beyond_each_end(level, draws):
    assert least_draws(level) == draws
    assert draws * (1 - level) / 2 == pytest.approx(1)


def test_a_level_beyond_the_draws_is_refused_before_any_work(runs, found):
    said = "level 0.999 needs at least 2000 draws and there are"
    for verb in (fit, compare):
        with pytest.raises(FitError, match=f"{said} 400"):
            verb("chinchilla", "no such table", level=0.999, draws=400)
    with pytest.raises(FitError, match=f"{said} 30: the ends"):
        found.predict(1e9, 1e10, level=0.999)
    with pytest.raises(FitError, match=f"{said} 30"):
        found.interval("beta", 0.999)
    assert np.isfinite(found.interval("beta", 0.93)).all()
    with pytest.raises(ValueError, match=f"{said} 1000"):
        il.plan(found, "1e20 flop", "h100", level=0.999)


def test_few_draws_at_the_usual_level_are_said(runs, found):
    few = fit("chinchilla", runs, draws=10, **MILD)
    assert any("10 bootstrap replicates are too few for level 0.9" in str(w) for w in few.warnings)
    assert "few_draws" not in kinds(found.warnings)


@pytest.mark.parametrize(
    ("fixed", "said"),
    [
        ({"E": -1}, "E is fixed at -1, outside its bounds 0 to"),
        ({"alpha": 50}, "alpha is fixed at 50, outside its bounds"),
        ({"Q": 1}, "fixed holds 'Q', which law 'chinchilla' has not; its constants are A, "),
        ({"E": float("nan")}, "fixed holds 'E' at nan"),
    ],
)
def test_what_cannot_be_held_is_refused_before_any_work(fixed, said):
    with pytest.raises(FitError, match=said):
        fit("chinchilla", "no such table", fixed=fixed)


def test_a_law_that_holds_a_constant_outside_its_bounds_is_not_fitted(runs):
    law = preset("chinchilla").fix(E=-1.0)
    for verb in (fit, compare):
        with pytest.raises(FitError, match=r"law.bounded\(E=\(low, high\)\) sets others"):
            verb(law, "no such table")
    assert fit(law.bounded(E=(-2.0, 3.0)), runs, draws=2, **MILD).values["E"] == -1.0


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"E": (3.0, 1.0)}, r"bounds of E are \(3.0, 1.0\)"),
        ({"E": (1.0, 1.0)}, "bounds of E"),
        ({"E": (float("nan"), 1.0)}, "bounds of E"),
        ({"E": "ab"}, "bounds of E are 'ab'"),
        ({"A": (0.0, 5.0)}, "above 0"),
    ],
)
def test_bounds_that_are_none_are_refused(bounds, said):
    with pytest.raises(ValueError, match=said):
        preset("chinchilla").bounded(**bounds)


@pytest.mark.parametrize(
    ("starts", "agree", "ridge", "said"),
    [
        (8, 0, {"A": 0.013}, "none of 8 starts agree on 1.5;.*moves A by 1.3%$"),
        (8, 1, {"A": 1689.11}, "1 of 8 starts agrees on .*moves A by more than 100 times itself$"),
        (8, 8, {"A": 45.2}, "8 of 8 starts agree on .*moves A by 45 times itself$"),
        (0, 0, {}, "^1.5; no constant is free, so nothing was searched$"),
    ],
)
def test_a_certificate_is_said_as_a_reader_would(starts, agree, ridge, said):
    assert re.search(said, str(Certificate(1.5, starts, agree, 1e-9, 10.0, ridge)))


def test_undefined_draws_are_counted_by_point(found):
    """One point of two without 12 of 30 replicates, the other without one."""
    x = il.laws.as_inputs([1e8, 1e9], [1e9, 1e10], ["bf16", "bf16"])
    drawn = np.tile(found.law.loss(x), (30, 1))
    drawn[:12, 0] = drawn[0, 1] = np.nan
    p = summarise(x, found.law.loss(x), drawn, 0.9, "mean", found.law)
    (said,) = (w.text for w in p.warnings if w.kind == "undefined_draws")
    assert "no loss at 2 of 2 points, up to 40% of them at one; 1 of the points has no" in said
    assert np.isnan(p.low).tolist() == [True, False]
    drawn[:] = np.nan
    none = summarise(x, found.law.loss(x), drawn, 0.9, "mean", found.law)
    assert re.search("up to 100% of them.*2 of the points have no", str(none))


def test_a_withheld_interval_is_never_silent(found):
    """Less than a hundredth of the draws is undefined, and more than a tail of the level."""
    drawn = np.ones((1000, 1))
    drawn[:8] = np.nan
    x = il.laws.as_inputs([1e8], [1e9], ["bf16"])
    p = summarise(x, np.ones(1), drawn, 0.99, "mean", replace(found.law, box=None))
    assert np.isnan(p.low[0])
    assert "undefined_draws" in kinds(p.warnings)
