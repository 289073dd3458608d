"""Ranges of rates against published runs, and against a recomputation with scipy's own tables."""

import numpy as np
import pytest
from scipy import stats

from isoloss.plans import MACHINES, Hardware, PlanError, as_machine
from isoloss.plans.costs import (
    RUNS,
    SPEEDUPS,
    PublishedRun,
    PublishedSpeedup,
    register_run,
    register_speedup,
)


def reached(name: str) -> float:
    run = RUNS[name]
    return (run.flop or 6 * run.params * run.tokens) / run.hours / 3600


def test_rates_of_published_runs_are_those_of_their_reports() -> None:
    assert reached("llama3-405b") / 1e12 == pytest.approx(342, abs=0.5)
    assert reached("deepseek-v3") / 1e12 == pytest.approx(343, abs=0.5)
    assert all(RUNS[name].flop_per_s == pytest.approx(reached(name)) for name in RUNS)


@pytest.mark.parametrize("name", ["llama3-405b", "deepseek-v3"])
def test_a_run_that_is_left_out_lies_in_the_range_of_the_others(name: str) -> None:
    own = as_machine("h100").without(name).range_of(RUNS[name].format)
    assert own.low < reached(name) < own.high
    assert own.high / own.low < 2.5
    whole = as_machine("h100").range_of(RUNS[name].format)
    assert own.middle != whole.middle
    assert own.basis == "published"


def test_ranges_hold_the_runs_that_are_left_out() -> None:
    """12 of 14, one by one: two that were lost and restarted lie below."""
    held = []
    for name, run in RUNS.items():
        own = as_machine(run.machine).without(name).range_of(run.format)
        held.append(own.low < reached(name) < own.high)
    assert sum(held) >= 0.8 * len(held)


def test_the_level_is_that_of_medians() -> None:
    gain = as_machine("h100").speed_up("fp8").middle
    peak = {"h100": 989.4e12, "a100": 312e12}
    shares = {name: [] for name in peak}
    for run in RUNS.values():
        own = reached(run.name) / peak[run.machine]
        shares[run.machine].append(own / (gain if run.format == "fp8" else 1))
    away = [abs(np.log(v / np.median(s))) for s in shares.values() for v in s]
    n, own = len(away), len(shares["h100"])
    step = stats.t.ppf(0.95, n - 2) * np.sqrt(1 + np.pi / 2 / own)
    reach = step * stats.norm.ppf(0.75) ** -1 * np.median(away) * np.sqrt(n / (n - 2))
    level = as_machine("h100").level
    middle = np.median(shares["h100"]) * peak["h100"]
    assert level.middle == pytest.approx(middle)
    assert (level.low, level.high) == pytest.approx(
        (middle / np.exp(reach), middle * np.exp(reach))
    )
    assert as_machine("h200").level == level


def test_the_speed_up_is_the_range_of_the_next_figure() -> None:
    figures = [s for s in SPEEDUPS.values() if s.format == "fp8"]
    logs = np.log([s.times for s in figures])
    sources = len({s.source for s in figures})
    step = stats.t.ppf(0.95, len(logs) - 1) * np.sqrt(1 + 1 / sources) * logs.std(ddof=1)
    gain = as_machine("b200").speed_up("fp8")
    assert np.log([gain.low, gain.middle, gain.high]) == pytest.approx(
        logs.mean() + np.array([-step, 0, step])
    )
    assert (gain.least, gain.most) == (min(np.exp(logs)), pytest.approx(1.51))


def test_without_figures_the_range_is_assumed_and_wide() -> None:
    b200, a100 = as_machine("b200"), as_machine("a100")
    assert b200.level.basis == "assumed"
    assert b200.level.high / b200.level.low > 2.5
    assert (b200.speed_up("fp6").low, b200.speed_up("fp6").high) == (1.0, 2.0)
    assert (a100.speed_up("int4").low, a100.speed_up("int4").high) == (1.0, 4.0)
    assert a100.speed_up("int8").middle == pytest.approx(1.2)
    assert b200.range_of("fp4").basis == "assumed"


def test_one_line_adds_a_figure() -> None:
    before = as_machine("h100").level, as_machine("a100").speed_up("int8")
    run = PublishedRun("own", "h100", "bf16", 1e9, 1e12, 4000, 989.4e12, "a log")
    gain = PublishedSpeedup("own-int8", "int8", 1.4, 2, "us", "A100", "a log")
    try:
        register_run(run)
        register_speedup(gain)
        assert as_machine("h100").level.figures == before[0].figures + 1
        assert as_machine("h100").without("own").level == before[0]
        assert before[1].middle < as_machine("a100").speed_up("int8").middle < 1.4
    finally:
        RUNS.remove("own")
        SPEEDUPS.remove("own-int8")
    with pytest.raises(PlanError, match="hours of run x is 0; accepted is a number above 0"):
        PublishedRun("x", "h100", "bf16", 1e9, 1e12, 0, 1e15, "")
    with pytest.raises(PlanError, match="times of speed-up x is nan"):
        PublishedSpeedup("x", "fp8", float("nan"), 2, "", "", "")
    with pytest.raises(
        PlanError, match="no published figure is named 'llama9'; there are llama3-8b"
    ):
        as_machine("h100").without("llama9")


def test_peaks_of_published_runs_are_those_of_the_machines() -> None:
    for run in RUNS.values():
        peaks = MACHINES[run.machine].peaks
        assert run.peak == peaks["bf16"]
        assert run.peaks == pytest.approx(peaks[run.format] / peaks["bf16"], rel=1e-3)
        assert run.page.startswith("https://")
    assert all(s.page.startswith("https://") for s in SPEEDUPS.values())


def test_a_measured_level_carries_the_speed_ups() -> None:
    own = Hardware("x", {"bf16": 1e15, "fp8": 2e15}, measured={"bf16": 4e14})
    gain = own.speed_up("fp8")
    assert (own.level.is_point, own.level.basis) == (True, "measured")
    assert own.range_of("fp8").middle == pytest.approx(4e14 * gain.middle)
    assert own.range_of("fp8").high == pytest.approx(4e14 * gain.high)


def test_too_few_figures_never_put_the_middle_outside() -> None:
    """One figure above the ratio of peaks, alone in its class."""
    name = "own-fp6"
    try:
        register_speedup(PublishedSpeedup(name, "fp6", 2.4, 2, "us", "B200", "a log"))
        gain = as_machine("b200").speed_up("fp6")
        assert (gain.low, gain.middle, gain.high) == pytest.approx((1.0, 2.4, 2.4))
    finally:
        SPEEDUPS.remove(name)
