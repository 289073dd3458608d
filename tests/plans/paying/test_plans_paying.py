"""Whether recipes pay, against sums done by hand, and what is refused."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isoloss.fits import FitError
from isoloss.laws import preset
from isoloss.plans import Payoffs, PlanError, load, pays
from isoloss.runs import Runs

N = 1e9
LENGTHS = tuple(float(d) for d in np.geomspace(5e9, 160e9, 11))
LAW = preset("epoch2024")
FLAT = replace(LAW, values={**LAW.values, "B": 0.0})


def loss(tokens: float, scale: float = 1.0) -> float:
    """A reference that falls as steeply as epoch2024 says, or so many times."""
    return 2.0 + scale * float(LAW(N, tokens))


def table(gap: float = 0.02, growth: float = 0.0, scale: float = 1.0, seeds: int = 1) -> Runs:
    """A reference and one recipe, gap (D / 160B)^growth apart."""
    rows = []
    for d in LENGTHS:
        for seed in range(seeds):
            noise = 0.001 * (-1) ** seed if seeds > 1 else 0.0
            own = gap * (d / LENGTHS[-1]) ** growth + noise
            for precision, more, group in (("bf16", 0.0, "base"), ("w4 a4 g4", own, "fast")):
                rows.append(
                    {
                        "params": N,
                        "tokens": d,
                        "precision": precision,
                        "loss": loss(d, scale) + more,
                        "seed": seed,
                        "group": group,
                    }
                )
    return Runs.from_frame(pl.DataFrame(rows))


@pytest.mark.parametrize(("speed", "verdict"), [(1.8, "pays"), (1.02, "does not pay")])
def test_a_measured_gap_at_equal_hours_and_at_equal_loss(speed: float, verdict: str) -> None:
    found = pays(table(), {"fast": speed})
    (one,) = found.payoffs
    free = loss(LENGTHS[-1] / speed) - loss(LENGTHS[-1])
    assert one.margin == pytest.approx(free - 0.02, abs=2e-4)
    assert one.break_even_gap == pytest.approx(free, abs=2e-4)
    assert (one.known, one.verdict) == ("measured", verdict)
    # The reference has the recipe's loss where B D^-beta is larger by the gap.
    b, beta = LAW.values["B"], LAW.values["beta"]
    equal = ((b * LENGTHS[-1] ** -beta + 0.02) / b) ** (-1 / beta)
    assert one.break_even == pytest.approx(LENGTHS[-1] / equal, rel=2e-3)
    assert one.saved == pytest.approx(1 - LENGTHS[-1] / equal / speed, abs=2e-3)
    assert one.margin_interval[0] < one.margin < one.margin_interval[1]


def test_noise_of_a_gap_widens_the_interval_as_it_should() -> None:
    """Margin = L(D / s) - L(D) - gap: both runs' noise, without that of the rate."""
    wide = pays(table(), {"fast": 1.8}, noise=0.01, speed_error=0.0, at=LENGTHS[-1])["fast"]
    half = 0.5 * (wide.margin_interval[1] - wide.margin_interval[0])
    # The loss of the recipe and that of the reference between cells, each of noise .01 / sqrt 2.
    assert 1.645 * 0.01 / math.sqrt(2) < half < 1.645 * 0.01 * math.sqrt(1.2)
    assert wide.shares["law"] == 0.0
    tight = pays(table(seeds=2), {"fast": 1.8}, noise=0.01, speed_error=0.0)
    assert not tight.terms.is_assumed
    one = tight["fast"]
    assert one.margin_interval[1] - one.margin_interval[0] < half


def with_rows(*more: dict[str, object], seeds: int = 1) -> Runs:
    """The table and further rows at 80B tokens, like others but for what is given."""
    frame = table(seeds=seeds).frame()
    (one,) = frame.filter(
        (pl.col("tokens") == LENGTHS[-1]) & (pl.col("seed") == 0) & (pl.col("precision") != "bf16")
    ).to_dicts()
    return Runs.from_frame(pl.concat([frame, pl.DataFrame([one | row for row in more],
                                                          schema=frame.schema)]))  # fmt: skip


def test_rows_that_are_left_out_and_repeats_are_said() -> None:
    plain = pays(table(), {"fast": 1.8})
    assert plain.terms.remarks == ()
    assert plain.terms.assumed == ("fast",)
    assert "assumed, since no recipe has repeats that differ" in str(plain)
    bad = pays(with_rows({"loss": -2.0}, {"loss": -2.0}), {"fast": 1.8})
    (said,) = bad.terms.remarks
    assert said.startswith("2 left out: column 'loss' ")
    assert said in str(bad)
    base = {"precision": "bf16", "group": "base"}
    losses = loss(LENGTHS[-1]), loss(LENGTHS[-1]) + 0.04
    twice = pays(with_rows(base | {"loss": losses[1]}), {"fast": 1.8})
    assert twice.terms.is_assumed
    assert twice.terms.reference_noise == pytest.approx(np.std(losses, ddof=1))
    assert any(
        each.startswith("2 rows are equal to another in all") for each in twice.terms.remarks
    )
    assert "noise of a loss of bf16: 0.02828 nats, by its repeats" in str(twice)
    own = pays(with_rows({"loss": losses[0] + 0.06}), {"fast": 1.8})
    assert not own.terms.is_assumed
    assert "noise of gaps: by the spread over seeds\n" in str(own)
    same = pays(with_rows({}), {"fast": 1.8})  # a row that stands twice tells no noise
    assert same.terms.is_assumed
    assert not any(
        "rows are equal" in each for each in pays(table(seeds=2), {"fast": 1.8}).terms.remarks
    )


def test_beyond_the_cells_the_law_that_made_them_goes_on() -> None:
    found = pays(table(), {"fast": 1.8}, at="640B", laws="epoch2024", noise=1e-4)
    assert found.terms.laws["epoch2024"] == pytest.approx(1.0, abs=2e-3)
    one = found["fast"]
    free = loss(640e9 / 1.8) - loss(640e9)
    assert one.break_even_gap == pytest.approx(free, rel=0.01)
    assert one.known == "extrapolated"


def test_the_scale_of_a_law_is_that_of_the_cells_and_may_return() -> None:
    """Three times as steep over the cells: three times the gain near them, less far from them."""
    asked = {"laws": "epoch2024", "noise": 1e-4, "speed_error": 0.0}
    near, far = (pays(table(scale=3.0), {"fast": 1.2}, at=d, **asked) for d in ("161B", "3T"))
    assert near.terms.laws["epoch2024"] == pytest.approx(3.0, rel=2e-3)
    assert near["fast"].break_even_gap == pytest.approx(
        3 * (loss(161e9 / 1.2) - loss(161e9)), rel=0.02
    )
    published = loss(3e12 / 1.2) - loss(3e12)
    low, high = far["fast"].break_even_gap_interval
    assert published < low < math.sqrt(3) * published < high < 3 * published


def test_where_laws_differ_nothing_is_decided() -> None:
    at, speed = LENGTHS[-1], 1.3
    base = {law: float(preset(law)(N, at / speed) - preset(law)(N, at))
            for law in ("epoch2024", "hoffmann2022")}  # fmt: skip
    gap = 0.5 * sum(base.values())
    one_cell = table(gap).where(tokens=(159e9, None))
    found = pays(one_cell, {"fast": speed}, noise=1e-6, speed_error=0.0, laws=[*base])
    (one,) = found.payoffs
    said = {each.law: each.margin > 0 for each in one.by_law}
    assert said == {law: value > gap for law, value in base.items()}
    assert one.verdict == "undecided"
    assert found.terms.laws == {"epoch2024": 1.0, "hoffmann2022": 1.0}


def test_money_and_energy_have_speed_ups_of_their_own() -> None:
    rates = {
        "reference": {"tokens_per_second": 1000.0, "joules_per_token": 0.5, "price": 2.0},
        "fast": {"tokens_per_second": 1500.0, "joules_per_token": 0.4, "price": 4.0},
    }
    found = pays(table(), rates)
    by = {each.currency: each for each in found.payoffs}
    assert {k: each.ratio for k, each in by.items()} == pytest.approx(
        {"hours": 1.5, "money": 0.75, "energy": 1.25}
    )
    hours = LENGTHS[-1] / 1500 / 3600
    assert by["hours"].spent == pytest.approx(hours)
    assert by["money"].spent == pytest.approx(4 * hours)
    assert by["energy"].spent == pytest.approx(0.4 * LENGTHS[-1])
    one = by["hours"]
    needed = LENGTHS[-1] / one.break_even / 1000 / 3600
    assert one.spent_by_reference == pytest.approx(needed)
    assert [by["money"].verdict, by["hours"].verdict] == ["does not pay", "pays"]


def test_ratios_are_to_that_of_the_reference() -> None:
    plain = pays(table(), {"fast": 1.5}, at="80B")["fast"]
    scaled = pays(table(), {"reference": 2.0, "fast": 3.0}, at="80B")["fast"]
    assert scaled == plain
    assert scaled.ratio == 1.5
    rates = {"base": {"ratio": 2.0, "tokens_per_second": 100.0}, "fast": {"ratio": 3.0}}
    hours = pays(table(), rates, at="80B")["fast"]
    assert (hours.ratio, hours.spent) == (1.5, pytest.approx(80e9 / 150 / 3600))


def test_a_loss_that_the_reference_never_has_is_not_reached() -> None:
    rates = {"base": {"tokens_per_second": 100.0}, "fast": {"tokens_per_second": 150.0}}
    found = pays(table(gap=-3.0), rates)
    one = found["fast"]
    assert all(map(math.isnan, (one.break_even, one.saved, one.spent_by_reference)))
    assert one.break_even_interval == (-math.inf, -math.inf)
    assert one.saved_interval == (math.inf, math.inf)
    assert one.spent == pytest.approx(160e9 / 150 / 3600)
    said = str(found)
    assert "pays" in said
    assert "not reached: as far as its curve goes, 60 times beyond" in said
    (row,) = [line for line in said.splitlines() if line.count("not reached") > 1]
    assert row.count("not reached") == 3
    assert "100%" not in row
    assert "not reached" not in str(pays(table(), rates))
    early = pays(table(gap=7.0), rates)["fast"]  # a loss from before the curve begins
    assert (early.break_even, early.saved) == (math.inf, -math.inf)
    assert math.isnan(early.spent_by_reference)  # it is not 0 hours
    assert math.isnan(pays(table(gap=-3.0), {"fast": 1.5})["fast"].spent_by_reference)


def test_two_speeds_of_a_recipe_agree() -> None:
    base = {"tokens_per_second": 100.0, "ratio": 2.0}
    for told, also in ((149.0, 2.98), (149.0, 3.0)):
        row = {"tokens_per_second": told, "ratio": also}
        assert pays(table(), {"base": base, "fast": row})["fast"].ratio == also / 2
    row = {"tokens_per_second": 150.0, "ratio": 3.1}
    said = "'fast' has 150 tokens_per_second, 1.5 of those of the reference, and a ratio of 1.55"
    with pytest.raises(PlanError, match=said):
        pays(table(), {"base": base, "fast": row})


def test_rates_of_a_file_and_beside_the_runs(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("recipe,tokens_per_second,error\nbf16,1000,\nw4 a4 g4,1800,0.1\n")
    from_file = pays(table(), path)["fast"]
    assert from_file.ratio == pytest.approx(1.8)
    assert from_file.leans_on == "speed"
    frame = (
        table()
        .frame()
        .with_columns(
            speed_over_bf16=pl.when(pl.col("precision") == "bf16").then(1.0).otherwise(1.8)
        )
    )
    assert pays(Runs.from_frame(frame))["fast"].ratio == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("rates", "asked", "message"),
    [
        (None, {}, "the table has no speeds beside its runs; give rates (--rates)"),
        ({"slow": 1.2}, {}, "rates have 'slow', which is no recipe; "),
        ({"fast": -1}, {}, "ratio of 'fast' is -1; accepted is a number above 0"),
        ({"fast": {"tokens_per_second": 3}}, {}, "the reference has none; give a row 'reference'"),
        ({"fast": {"ratio": 2, "error": 2}}, {}, "error of 'fast' is 2; accepted is a share "),
        ({"fast": {"ratio": 2, "error": "2%"}}, {}, "below 1, as 0.02 for 2%"),
        ({"fast": 1.5}, {"speed_error": 1.0}, "speed_error is 1.0; accepted is a share from 0"),
        ({"base": 1.0}, {}, "no recipe has a rate, only the reference; recipes are fast"),
        ({"fast": {"speed": 3}}, {}, "rates of 'fast' have 'speed'; columns are recipe and ratio"),
        ({"fast": {"price": 3}}, {}, "rates of 'fast' have no speed"),
        ({"fast": 1.5, "w4 a4 g4": 1.5}, {}, "rates have 'fast' twice"),
        ("none.csv", {}, "cannot read 'none.csv'"),
        ({"fast": 1.5}, {"at": "1M"}, "at is 1M tokens, before the first gap of a recipe; "),
        ({"fast": 1.5}, {"at": 1e16}, "at is 1e+16 tokens, more than 1000 times beyond the last"),
        ({"fast": 1.5}, {"at": 1e30}, "where nothing is known; accepted is up to 160T"),
        ({"fast": 1.5}, {"at": "x"}, "at is 'x'"),
        ({"fast": 1.5}, {"params": "7B"}, "no recipe was run at 7B params"),
        ({"fast": 1.5}, {"noise": 0}, "noise is 0; accepted is a number above 0"),
        ({"fast": 1.5}, {"price": -1}, "price is -1; accepted"),
        ({"fast": 1.5}, {"of": "all"}, "of is 'all'; it is 'mean' or 'run'"),
        ({"fast": 1.5}, {"laws": []}, "laws is []; give a law or a list of them"),
        ({"fast": 1.5}, {"laws": "error"}, "law 'error' has no loss there"),
        ({"fast": 1.5}, {"laws": FLAT}, "law 'epoch2024' does not fall with tokens"),
        ({"fast": 1.5}, {"level": 2}, "level is 2"),
    ],
)  # fmt: skip
def test_what_is_refused(rates: object, asked: dict[str, object], message: str) -> None:
    with pytest.raises(PlanError) as problem:
        pays(table(), rates, **asked)  # type: ignore[arg-type]
    assert message in str(problem.value)
    assert "\n" not in str(problem.value)


def test_runs_without_pairs_and_of_several_sizes_are_refused() -> None:
    alone = table().where(precision="w4 a4 g4")
    with pytest.raises(FitError, match="no run has a partner"):
        pays(alone, {"fast": 1.5})
    other = table().frame().with_columns(params=pl.lit(2e9))
    both = table() + Runs.from_frame(other)
    with pytest.raises(PlanError, match="recipes were run at 1B, 2B params; give one of these"):
        pays(both, {"w4 a4 g4": 1.5})
    assert pays(both, {"fast": 1.5}, params="1B").terms.params == N


def test_payoffs_come_back_equal_and_are_told(tmp_path: Path) -> None:
    found = pays(table(), {"fast": 1.8}, at="640B")
    again = load(found.save(tmp_path / "payoffs.json"))
    assert isinstance(again, Payoffs)
    assert again == found
    assert str(again) == str(found)
    said = str(found)
    for part in ("At equal hours", "At equal loss, in hours", "Gain by base law", "assumed, since"):
        assert part in said
    with pytest.raises(KeyError, match="recipes are fast"):
        found["slow"]


def test_recipes_without_a_rate_are_said() -> None:
    frame = table().frame()
    more = frame.filter(pl.col("precision") != "bf16").with_columns(
        precision=pl.lit("w8 a8 g8"), group=pl.lit("other"), loss=pl.col("loss") - 0.01
    )
    found = pays(Runs.from_frame(pl.concat([frame, more])), {"fast": 1.8})
    assert found.terms.left_out == ("other",)
    assert "other: left out, no rate" in str(found)


def test_gaps_without_a_reference_there_are_refused() -> None:
    """A gap that a row carries is no run of the reference."""
    frame = table().frame().with_columns(gap=pl.lit(None, pl.Float64))
    odd = (
        frame.filter(pl.col("precision") != "bf16")
        .head(1)
        .with_columns(
            precision=pl.lit("fp -> w4"), tokens=pl.lit(7e9), gap=pl.lit(0.1), group=pl.lit("after")
        )
    )
    with pytest.raises(PlanError, match="has gaps at tokens where the reference has no loss"):
        pays(Runs.from_frame(pl.concat([frame, odd])), {"fast": 1.5})
