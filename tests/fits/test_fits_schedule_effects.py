"""What decay and switches do to gaps: on made runs whose effects are known."""

import math

import numpy as np
import polars as pl
import pytest

from isoloss.fits import FitError, schedule_effects
from isoloss.fits.paired_gaps.switch_values import left_of
from isoloss.runs import Runs

RHO, DECAY, WORTH = 0.25, 1.3, 0.4
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
                    s = percent / 100
                    left = math.exp(-(1 - s) / RHO) - math.exp(-1 / RHO)
                    gaps[f"w4 a4 then fp from {percent}%"] = gap * left / (1 - math.exp(-1 / RHO))
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
    assert decay.held == pytest.approx(0.15)
    for schedule in ("constant", "wsd"):
        assert found.memories["w4 a4", schedule].rho == pytest.approx(RHO, rel=1e-4)
        assert found.slopes[schedule, 2e4] == pytest.approx(WORTH)
    for each in found.kept:
        s = each.percent / 100
        top = math.exp(-(1 - s) / RHO) - math.exp(-1 / RHO)
        assert each.share.value == pytest.approx(top / (1 - math.exp(-1 / RHO)))
    assert len(found.kept) == 2 * 2 * 3


@pytest.mark.parametrize(("rho", "share", "left"), [
    (1e6, 0.3, 0.3), (0.001, 0.9, 0.0), (0.5, 0.0, 0.0), (0.5, 1.0, 1.0),
    (1.0, 0.5, (math.exp(-0.5) - math.exp(-1)) / (1 - math.exp(-1))),
])  # fmt: skip
def test_memory_has_its_limits(rho: float, share: float, left: float) -> None:
    assert float(left_of(share, rho)) == pytest.approx(left, abs=1e-6)


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
    low, high = found.memories["w4 a4", "wsd"].interval()
    assert low < RHO < high


@pytest.mark.parametrize("speedup", [0.8, 1.0, 1.3, 2.0, 4.0])
def test_the_best_switch_is_that_of_every_percent_tried(speedup: float) -> None:
    found = schedule_effects(made()).best_switch("w4 a4", "wsd", speedup)
    shares, gap = np.linspace(0, 1, 100_001), 0.2 * DECAY
    left = (np.exp(-(1 - shares) / RHO) - math.exp(-1 / RHO)) / (1 - math.exp(-1 / RHO))
    loss = WORTH * np.log(shares + speedup * (1 - shares)) - (1 - left) * gap
    best = int(np.argmin(loss))
    assert found.percent == pytest.approx(100 * shares[best], abs=0.05)
    assert found.gain == pytest.approx(-loss[best], abs=1e-6)
    assert found.regret_of_reference == pytest.approx(loss[0] - loss[best], abs=1e-6)


def test_what_the_runs_do_not_hold_is_withheld() -> None:
    one = schedule_effects(made(seeds=1))
    assert math.isnan(one.memories["w4 a4", "wsd"].interval()[0])
    # A switch that leaves all, and more, has no memory that fades.
    rows = made().frame().with_columns(
        pl.when(pl.col("precision").str.contains("then"))
        .then(pl.col("loss") + 1).otherwise("loss").alias("loss")
    )  # fmt: skip
    found = schedule_effects(Runs.from_frame(rows))
    assert all(memory.at_edge for memory in found.memories.values())
    assert "rho of w4 a4, wsd: not held" in str(found)
    with pytest.raises(FitError, match=r"do not hold how damage of 'w4 a4' \(wsd\) fades"):
        found.best_switch("w4 a4", "wsd", 1.5)
    assert "The best switch" not in str(found)


def test_tables_without_either_are_refused() -> None:
    frame = made().frame()
    held = frame.filter((pl.col("schedule") == "constant") & ~pl.col("precision").str.contains("t"))
    with pytest.raises(FitError, match="none changes to the reference during training"):
        schedule_effects(Runs.from_frame(held))
    single = frame.filter(tokens=LENGTHS[1])
    with pytest.raises(FitError, match="runs at the reference have one length"):
        schedule_effects(Runs.from_frame(single)).best_switch("w4 a4", "wsd", 1.5)
    with pytest.raises(FitError, match="speedup is 0; accepted is a number above 0"):
        schedule_effects(made()).best_switch("w4 a4", "wsd", 0)


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
