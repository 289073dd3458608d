"""Plans where laws see different candidates: each counts only where it can tell, by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from isoloss.fits import draw_runs, fit
from isoloss.laws import preset
from isoloss.plans import Budget, PlanError, critical_tokens, plan, rank_serving
from isoloss.runs import Runs

MODEL = Budget("1e23 flop", params="150M", tokens="15B")
POINT = (1.5e8, 1.5e10)


def planned(laws, precision, budget=MODEL, **options):
    found = plan(laws, budget, "linear-bits", precision=precision, extrapolate=True, **options)
    return found, {c.precision: c for c in found.choices}


def test_a_law_counts_only_for_the_candidates_that_it_sees() -> None:
    laws = ["kumar2024", "chen2025", "hoffmann2022"]
    found, by = planned(laws, ["bf16", "w4/64 a4/64", "w5 kv5"])
    kumar, chen, size = (preset(name) for name in laws)
    assert by["w5 kv5"].laws == ("kumar2024",)
    assert by["w5 kv5"].loss == pytest.approx(kumar(*POINT, "w5 kv5"), rel=1e-9)
    assert by["w5 kv5"].more == pytest.approx(kumar.gap(*POINT, "w5 kv5", "bf16"), rel=1e-9)
    assert by["w4/64 a4/64"].laws == ("kumar2024", "chen2025")
    assert by["w4/64 a4/64"].loss == pytest.approx(
        (kumar(*POINT, "w4/64 a4/64") + chen(*POINT, "w4/64 a4/64")) / 2, rel=1e-9
    )
    assert by["bf16"].loss == pytest.approx(
        (kumar(*POINT, "bf16") + chen(*POINT) + size(*POINT)) / 3, rel=1e-9
    )
    assert found.choices[0].precision == "bf16"
    assert found.choices[0].more == 0.0


def test_the_rank_of_two_candidates_asks_the_laws_that_see_both() -> None:
    # Kumar's base lies far above Hoffmann's: by averages of different laws w8 would be the best.
    _, by = planned({"kumar2024": 0.01, "hoffmann2022": 0.99}, ["bf16", "w8"])
    assert by["bf16"].laws == ("kumar2024", "hoffmann2022")
    assert by["w8"].more == pytest.approx(preset("kumar2024").gap(*POINT, "w8", "bf16"), rel=1e-9)
    low, high = preset("kumar2024").at(E=1.0), preset("hoffmann2022")
    found, by = planned([low, high], ["bf16", "w8"])
    assert (
        low(*POINT, "w8") < (low(*POINT, "bf16") + high(*POINT)) / 2
    )  # its own average looks better
    assert [c.precision for c in found.choices] == ["bf16", "w8"]
    assert by["bf16"].probability != by["bf16"].probability  # one point law has no doubt


@pytest.mark.parametrize(
    ("asked", "standing"),
    [("w5 a5 q2", "at least"), ("w5 w.head:bf16", "unknown"), ("w:e2m2", "unknown"),
     ("w5@rtn", "unknown")],
)  # fmt: skip
def test_what_no_law_sees_is_never_best_and_says_so(asked: str, standing: str) -> None:
    found, by = planned("kumar2024", [asked, "w3 a4"])
    assert [c.precision for c in found.choices] == ["w3 a4", asked]
    assert by[asked].standing == standing
    assert np.isnan([by[asked].more, by[asked].probability, *by[asked].loss_interval]).all()
    if standing == "unknown":
        assert by[asked].loss != by[asked].loss
    else:
        assert by[asked].loss == pytest.approx(preset("kumar2024")(*POINT, "w5 a5"), rel=1e-9)
    row = next(line for line in str(found).splitlines() if line.startswith(f"  {asked} "))
    assert standing in row
    assert any(f"no law sees '{asked}'" in w.text for w in found.warnings)


def test_alone_it_is_withheld_until_asked_for_and_never_called_best() -> None:
    found = plan("kumar2024", MODEL, "linear-bits", precision="w5 q2")
    assert found.best is None
    assert "no law sees q in 'w5 q2', so its loss is a bound" in str(found)
    assert "which no law sees whole" in str(planned("kumar2024", "w5 q2")[0])


def test_candidates_that_every_common_law_calls_equal_are_equal() -> None:
    _, by = planned(["kumar2024", "hoffmann2022"], ["w5 a5", "w5/32 a5/32", "w4 a4"])
    assert by["w5 a5"].more == by["w5/32 a5/32"].more == 0.0


def test_two_candidates_that_no_law_sees_both_have_no_rank() -> None:
    found = plan(["kumar2024", "zhang2026_parts", "sun2025"], MODEL, "linear-bits",
                 precision=["w5 a5", "w:e2m2/64 a:e2m2/64 g:e2m2/64"])  # fmt: skip
    assert found.best is None
    assert "no law sees both" in found.withheld
    assert found.choices[1].more != found.choices[1].more


def test_sizes_are_those_of_a_search_over_a_grid() -> None:
    laws, compute = (preset("kumar2024"), preset("hoffmann2022")), 3e19
    _, by = planned(list(laws), ["bf16", "w8 a8"], Budget(compute))
    n = np.geomspace(1e7, 1e10, 10_000)
    grid = np.mean([law(n, compute / (6 * n), "bf16") for law in laws], axis=0)
    assert by["bf16"].params == pytest.approx(n[grid.argmin()], rel=1e-3)
    cost = by["w8 a8"].flop / (6 * by["w8 a8"].params * by["w8 a8"].tokens)
    alone = [laws[0](n, compute / (6 * c * n), p) for c, p in ((cost, "w8 a8"), (1, "bf16"))]
    assert by["w8 a8"].params == pytest.approx(n[alone[0].argmin()], rel=1e-3)
    assert by["bf16"].more == pytest.approx(alone[1].min() - alone[0].min(), abs=1e-8)


def test_point_laws_have_no_interval_and_are_never_sure() -> None:
    found, by = planned("kumar2024", ["bf16", "w5", "w3"])
    for c in found.choices:
        assert np.isnan([*c.params_interval, *c.tokens_interval, *c.loss_interval]).all()
        assert c.probability != c.probability
    assert "100%" not in str(found).split("What each law")[0]
    two, by = planned(["kumar2024", preset("kumar2024").at(gamma_w=9.0)], ["w5", "w3 a6"])
    assert by["w5"].probability == 1.0
    assert np.isnan(two.regrets[0].excess_interval).all()
    assert "point law" in str(two).split("What simpler")[1]
    assert "best to 100% of the laws by weight, which have no replicates" in str(two)


@pytest.fixture(scope="module")
def fitted():
    rows = [(n, 30 * n * r, p) for n in (3e7, 9e7, 2e8) for r in (0.5, 1, 3) for p in ("fp", "w4")]
    frame = pl.DataFrame(rows, schema=["params", "tokens", "precision"], orient="row")
    law = preset("kumar2024")
    loss = [law(*row) for row in rows]
    noisy = draw_runs(law, Runs.from_frame(frame.with_columns(loss=pl.Series(loss))), 0.003, seed=1)
    free = law.fix("A", "alpha", "B", "n_w", "C_T", "gamma_D", "gamma_N", "gamma_post")
    return fit(free, noisy, draws=40, starts=2)


@pytest.mark.parametrize(("asked", "standing"), [("w4 q2", "at least"), ("w4@rtn", "unknown")])
def test_what_a_fit_cannot_see_has_no_interval(fitted, asked: str, standing: str) -> None:
    found, by = planned(fitted, ["fp", "w4", asked])
    c = by[asked]
    assert (c.standing, c.is_point, c.absent) == (standing, False, "unknown")
    assert np.isnan([*c.params_interval, *c.tokens_interval, *c.loss_interval]).all()
    row = next(line for line in str(found).splitlines() if line.startswith(f"  {asked} "))
    # Three intervals and best in; without a bound also loss, over the first and what binds.
    assert row.count("unknown") == (4 if standing == "at least" else 7)
    assert "not held" not in row


def test_far_beyond_the_runs_no_interval_is_given(fitted) -> None:
    near, by = planned(fitted, ["fp", "w4"])
    assert (
        near.choices[0].loss_interval[0] < near.choices[0].loss < near.choices[0].loss_interval[1]
    )
    assert by["fp"].probability + by["w4"].probability == pytest.approx(1.0)
    far, _ = planned(fitted, ["fp", "w4"], Budget("1e27 flop", params="100B", tokens="1T"))
    assert np.isnan(far.choices[0].loss_interval).all()
    table = str(far).split("What each law")[0]
    assert table.count("not held") >= 3
    assert "500 times beyond the runs, where nothing holds its error" in table
    served = rank_serving(fitted, Budget(params="100B", tokens="1T"), "h100", ["w4"])
    assert np.isnan(served.choices[0].gap_interval).all()
    assert served.choices[0].absent == "not held"
    assert "not held" in str(served)


def test_critical_tokens_are_unknown_where_the_law_is_blind() -> None:
    assert critical_tokens("kumar2024", "1B", "fp -> w4@gptq") > 1e10
    for asked, missing in (("fp -> w4@rtn", "-> w@rtn"), ("g4 -> w4", "g")):
        with pytest.raises(PlanError, match=f"no term for {missing}.*critical tokens are unknown"):
            critical_tokens("kumar2024", "1B", asked)
