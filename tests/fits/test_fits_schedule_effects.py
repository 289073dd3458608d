"""What decay and switches do to gaps: on made runs whose effects are known."""

import math

import numpy as np
import polars as pl
import pytest

from isoloss.fits import FitError, schedule_effects
from isoloss.fits.paired_gaps.paired import Slope
from isoloss.fits.paired_gaps.switch_values import Fading
from isoloss.formats import Precision
from isoloss.runs import Runs

AT_ONCE, FADES, DECAY, WORTH = 0.2, 3e5, 1.3, 0.4
LENGTHS = (1e5, 1e6)
PERCENTS = (50, 80, 90)


def made(noise: float = 0.0, seeds: int = 4, percents: tuple[int, ...] = PERCENTS) -> Runs:
    """Runs at held and decayed rates: gaps .1 and .2 held, more decayed, less after a switch."""
    draw, rows = np.random.default_rng(0), []
    for seed in range(seeds):
        shift = draw.normal(0, 0.05)
        for k, tokens in enumerate(LENGTHS):
            for schedule, final, grown in (("constant", 0.01, 1.0), ("wsd", 1e-5, DECAY)):
                base = 10 - WORTH * math.log(tokens) + shift
                gap = 0.1 * (k + 1) * grown
                gaps = {"fp": 0.0, "w4 a4": gap}
                for percent in percents:
                    after = (1 - percent / 100) * tokens
                    left = (1 - AT_ONCE) * math.exp(-after / FADES)
                    gaps[f"w4 a4 then fp from {percent}%"] = gap * left
                for precision, value in gaps.items():
                    loss = base + value + (noise * draw.normal() if value else 0.0)
                    rows.append({
                        "params": 2e4, "tokens": tokens, "precision": precision, "loss": loss,
                        "seed": seed, "schedule": schedule, "lr_peak": 0.01, "lr_final": final,
                    })  # fmt: skip
    return Runs.from_frame(pl.DataFrame(rows))


def test_effects_without_noise_are_those_of_the_truth() -> None:
    found = schedule_effects(made())
    (decay,) = [e for e in found.decays if e.precision == "w4 a4"]
    assert (decay.cells, decay.pairs) == (2, 8)
    assert decay.ratio.value == pytest.approx(DECAY)
    assert decay.ratio.error == pytest.approx(0, abs=1e-9)
    assert decay.less.value == pytest.approx(0.15 * (DECAY - 1))
    assert decay.held.value == pytest.approx(0.15)
    for schedule in ("constant", "wsd"):
        fading = found.fadings["w4 a4", "fp", schedule, 2e4]
        assert fading.tokens == pytest.approx(FADES, rel=1e-4)
        assert fading.at_once.value == pytest.approx(AT_ONCE, rel=1e-4)
        assert found.slopes[schedule, 2e4] == pytest.approx(WORTH)
    for each in found.kept:
        after = (1 - each.percent / 100) * each.tokens
        assert each.share.value == pytest.approx((1 - AT_ONCE) * math.exp(-after / FADES))
    assert len(found.kept) == 2 * 2 * 3


def test_what_is_left_fades_from_the_part_that_does_not_go_at_once() -> None:
    fading = Fading(Slope(math.log(1e6), 0.1, 3), Slope(0.25, 0.05, 3), False)
    assert float(fading.left(0)) == pytest.approx(0.75)
    assert float(fading.left(1e6)) == pytest.approx(0.75 / math.e)
    assert float(fading.left(1e9)) == pytest.approx(0)
    low, high = fading.interval()
    assert (low, high) == pytest.approx(
        (1e6 * math.exp(-0.23534), 1e6 * math.exp(0.23534)), rel=1e-4
    )


def test_intervals_cover_and_errors_are_those_of_seeds() -> None:
    runs = made(noise=0.004, seeds=12)
    found = schedule_effects(runs)
    (decay,) = [e for e in found.decays if e.precision == "w4 a4"]
    low, high = decay.ratio.interval()
    assert low < DECAY < high
    assert decay.ratio.freedom == 11
    # The difference is a mean over trajectories, whose jackknife is the plain standard error.
    frame = runs.frame().filter(precision="w4 a4").sort("seed", "tokens", "schedule")
    base = runs.frame().filter(precision="fp").sort("seed", "tokens", "schedule")
    gaps = (frame["loss"] - base["loss"]).to_numpy().reshape(12, 2, 2)
    less = (gaps[:, :, 1] - gaps[:, :, 0]).mean(1)
    assert decay.less.value == pytest.approx(less.mean())
    assert decay.less.error == pytest.approx(less.std(ddof=1) / math.sqrt(12))
    fading = found.fadings["w4 a4", "fp", "wsd", 2e4]
    low, high = fading.interval()
    assert low < FADES < high
    low, high = fading.at_once.interval()
    assert low < AT_ONCE < high


@pytest.mark.parametrize("speedup", [0.8, 1.0, 1.3, 2.0, 4.0])
def test_the_best_switch_is_that_of_every_percent_tried(speedup: float) -> None:
    found = schedule_effects(made()).best_switch("w4 a4", "wsd", speedup)
    gap, losses = 0.2 * DECAY, {}
    for percent in np.arange(50, 100, 0.05):  # from the first that was tried
        s = percent / 100
        tokens = LENGTHS[-1] / (s + speedup * (1 - s))  # in the hours of the whole in w4 a4
        left = (1 - AT_ONCE) * math.exp(-(1 - s) * tokens / FADES)
        losses[percent] = WORTH * math.log(LENGTHS[-1] / tokens) + left * gap
    losses[100.0] = gap
    losses[0.0] = WORTH * math.log(speedup)
    best = min(losses, key=lambda percent: losses[percent])
    assert found.percent == pytest.approx(best, abs=0.1)
    assert found.gain == pytest.approx(gap - losses[best], abs=1e-5)
    assert found.regret_of_reference == pytest.approx(losses[0.0] - losses[best], abs=1e-5)


def test_what_the_runs_do_not_hold_is_withheld() -> None:
    one = schedule_effects(made(seeds=1))
    assert math.isnan(one.fadings["w4 a4", "fp", "wsd", 2e4].interval()[0])
    # What a switch leaves grows with the tokens after it: nothing fades.
    rows = made().frame().with_columns(
        pl.when(pl.col("precision").str.contains("then"))
        .then(pl.col("loss") + 1e-5 * pl.col("tokens") * (
            1 - pl.col("precision").str.extract(r"(\d+)%").cast(pl.Float64) / 100
        )).otherwise("loss").alias("loss")
    )  # fmt: skip
    found = schedule_effects(Runs.from_frame(rows))
    assert all(fading.at_edge for fading in found.fadings.values())
    assert "w4 a4 then fp, wsd, 20k params: T not held" in str(found)
    with pytest.raises(
        FitError, match=r"do not hold how damage of 'w4 a4' fades after a change to 'fp'"
    ):
        found.best_switch("w4 a4", "wsd", 1.5)
    assert "The best switch" not in str(found)


def test_tables_without_either_are_refused() -> None:
    frame = made().frame()
    held = frame.filter((pl.col("schedule") == "constant") & ~pl.col("precision").str.contains("t"))
    with pytest.raises(FitError, match="none changes to the reference during training"):
        schedule_effects(Runs.from_frame(held))
    single = frame.filter(tokens=LENGTHS[1])
    with pytest.raises(FitError, match="no trajectory at the reference has two lengths"):
        schedule_effects(Runs.from_frame(single)).best_switch("w4 a4", "wsd", 1.5)
    with pytest.raises(FitError, match="speedup is 0; accepted is a number above 0"):
        schedule_effects(made()).best_switch("w4 a4", "wsd", 0)


def test_runs_of_one_seed_are_told_apart_and_repeats_are_means() -> None:
    frame = made(noise=0.002).frame()
    # Another schedule that decays, with gaps twice as large, has a row of its own.
    cosine = frame.filter(schedule="wsd").with_columns(schedule=pl.lit("cosine"))
    base = pl.col("precision") == "fp"
    cosine = cosine.with_columns(loss=pl.when(base).then("loss").otherwise(pl.col("loss") + 0.3))
    found = schedule_effects(Runs.from_frame(pl.concat([frame, cosine])))
    ratios = {e.schedule: e.ratio.value for e in found.decays if e.precision == "w4 a4"}
    assert ratios["wsd"] == pytest.approx(DECAY, rel=0.05)
    assert ratios["cosine"] == pytest.approx(DECAY + 0.3 / 0.15, rel=0.05)
    # A change to bf16 is another change, whatever it costs.
    other = frame.filter(pl.col("precision").str.contains("then")).with_columns(
        pl.col("precision").str.replace("then fp", "then bf16"), loss=pl.col("loss") + 0.05
    )
    both = schedule_effects(Runs.from_frame(pl.concat([frame, other])))
    alone = schedule_effects(Runs.from_frame(frame))
    assert both.fadings["w4 a4", "fp", "wsd", 2e4] == alone.fadings["w4 a4", "fp", "wsd", 2e4]
    # A repeat of every run is no further trajectory: errors stay.
    twice = schedule_effects(Runs.from_frame(pl.concat([frame, frame])))
    for one, two in zip(alone.kept, twice.kept, strict=True):
        assert two.share.error == pytest.approx(one.share.error)
        assert two.share.freedom == one.share.freedom
    assert twice.decays[0].ratio.error == pytest.approx(alone.decays[0].ratio.error)


def test_what_tokens_are_worth_is_read_within_trajectories() -> None:
    frame = made().frame()
    short = frame.filter((pl.col("seed") > 0) | (pl.col("tokens") < 1e6))
    shifted = short.with_columns(loss=pl.col("loss") + pl.col("seed") * 0.5)
    found = schedule_effects(Runs.from_frame(shifted))
    assert found.slopes["wsd", 2e4] == pytest.approx(WORTH)
    rates = frame.with_columns(lr_peak=0.02, loss=pl.col("loss") + 0.5)
    with pytest.raises(FitError, match=r"runs differ in lr_peak \(0.01, 0.02\).*where\(lr_peak="):
        schedule_effects(Runs.from_frame(pl.concat([frame, rates])))


def test_what_is_asked_is_read_as_everywhere_and_what_is_left_out_is_counted() -> None:
    frame = made().frame()
    odd = frame.filter(pl.col("precision").str.contains("50%"))
    three = odd.with_columns(pl.lit("w4 a4 then w8 from 20% then fp from 50%").alias("precision"))
    served = odd.with_columns(pl.lit("w4 a4 then fp from 50% -> w3").alias("precision"))
    found = schedule_effects(Runs.from_frame(pl.concat([frame, three, served])))
    assert found.left_out == {
        "changes otherwise than once, to the reference": 16,
        "changes and is rounded after training": 16,
    }
    assert "16 left out: changes and is rounded after training" in str(found)
    spelled = found.best_switch(Precision("w4 a4"), "wsd", 2)
    assert spelled == found.best_switch("a4 w4", "wsd", 2.0)
    for speedup in ("2", True, math.nan):
        with pytest.raises(FitError, match="accepted is a number above 0"):
            found.best_switch("w4 a4", "wsd", speedup)  # type: ignore[arg-type]


def test_gaps_of_about_zero_have_no_ratio() -> None:
    frame = made(noise=0.05, seeds=3).frame()
    none = frame.filter(pl.col("precision").is_in(["fp", "w4 a4"]) & (pl.col("tokens") < 1e6))
    flat = none.with_columns(
        loss=pl.when(pl.col("precision") == "fp").then("loss").otherwise(pl.col("loss") - 0.1)
    )
    found = schedule_effects(Runs.from_frame(flat))
    assert not found.decays[0].told
    assert "held gap not above zero" in str(found)


def test_other_changes_and_unknown_rates_are_no_switches() -> None:
    frame = made(percents=(80,)).frame()
    to_eight = frame.with_columns(pl.col("precision").str.replace("then fp", "then w8"))
    found = schedule_effects(Runs.from_frame(to_eight))
    assert not found.kept
    assert found.decays
    unknown = frame.with_columns(lr_final=pl.lit(None, dtype=pl.Float64))
    assert not schedule_effects(Runs.from_frame(unknown)).decays


def test_the_report_says_all_three() -> None:
    told = str(schedule_effects(made(noise=0.001)))
    assert "What the decay of the rate does to a gap" in told
    assert "What a switch to the reference leaves of a gap" in told
    assert "The best switch at equal hours" in told


def test_a_share_of_a_gap_of_about_zero_is_withheld() -> None:
    frame = made(noise=0.2, seeds=3).frame()
    low = frame.with_columns(
        loss=pl.when(pl.col("precision") == "w4 a4").then(pl.col("loss") - 0.2).otherwise("loss")
    )
    found = schedule_effects(Runs.from_frame(low))
    assert not any(each.told for each in found.kept if each.tokens == LENGTHS[0])
    assert "gap not above zero" in str(found)
