"""Studies of networks: verdicts by their tolerances, intervals, and small studies end to end."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from isoloss.linear import STUDIES, study
from isoloss.linear.studies.on_networks import Verdict, verdicts_of
from isoloss.linear.studies.on_networks.verdict import judged, log_slope


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (-1.1, -0.9, "survives"),
        (-0.2, 0.1, "does not"),
        (-0.9, -0.6, "undecided"),
        (-2.0, 0.0, "undecided"),
        (np.nan, np.nan, "undecided"),
    ],
)
def test_a_verdict_is_read_off_interval_and_tolerance(low: float, high: float, word: str) -> None:
    verdict = Verdict("labels", "slope against batch", (low + high) / 2, low, high, -1.0, 0.25)
    assert verdict.word == word
    assert f"labels: {word}" in str(verdict)


def test_the_interval_of_a_mean_is_student_t() -> None:
    values = np.random.default_rng(0).normal(1.0, 0.2, (1, 12))
    found = judged("m", "slope against eps", lambda means: float(means[0]), values, 1.0)
    error = values.std(ddof=1) / 12**0.5
    low, high = stats.t.interval(0.9, 11, values.mean(), error)
    assert (found.measured, found.low, found.high) == pytest.approx((values.mean(), low, high))


def test_the_interval_of_a_slope_covers_as_often_as_it_says() -> None:
    rng, x = np.random.default_rng(1), np.array([1.0, 4.0, 16.0])
    covered = 0
    for _ in range(300):
        values = (x**-1.0)[:, None] * rng.lognormal(0.0, 0.5, (3, 16))
        found = judged("m", "slope against batch", log_slope(x), values, -1.0)
        covered += found.low <= -1.0 <= found.high
    assert 0.85 <= covered / 300 <= 0.95


def test_increments_within_their_noise_are_undecided() -> None:
    values = np.stack([np.linspace(-1, 2, 12), np.linspace(1, 2, 12)])
    found = judged("m", "slope against batch", log_slope([1, 2]), values, -1.0)
    assert np.isnan(found.measured)
    assert str(found) == "m: undecided, the increments are not above their noise"


def test_log_slope_is_the_least_squares_slope() -> None:
    x, y = np.array([1.0, 3.0, 10.0]), np.array([2.0, 1.0, 0.7])
    assert log_slope(x)(y) == pytest.approx(np.polyfit(np.log(x), np.log(y), 1)[0])


SMALL: dict[str, dict[str, Any]] = {
    "network-spectrum": {"dim": 4, "width": 3, "steps": (5,), "tests": 64},
    "network-batch": {"dim": 4, "width": 2, "batch": (2, 8), "steps": 10},
    "network-dimension": {"dim": (4, 8), "width": 2, "steps": 20},
    "network-floor": {"dim": 4, "width": 2, "steps": (10, 40), "eps": (0.01, 0.1)},
    "network-width": {"dim": 16, "width": (4, 8), "steps": 20, "teacher_width": 4},
}


@pytest.mark.parametrize("name", SMALL)
def test_a_study_of_networks_has_lines_errors_and_verdicts(name: str) -> None:
    found = STUDIES[name](**SMALL[name], replicates=10)
    lines = list(found.lines())
    assert {series.endswith(", linear") for _, series, *_ in lines} == {True, False}
    verdicts = verdicts_of(found)
    assert set(verdicts["verdict"]) <= {"survives", "does not", "undecided"}
    assert len(found.answer) == len(verdicts) >= 3
    if name == "network-spectrum":
        return
    runs = found.runs
    sampled = runs.frame().filter(runs.frame()["how"] == "sampled")
    assert len(runs) == len(found.table)
    assert sampled["loss_se"].min() > 0


def test_the_linear_line_of_a_study_is_the_exact_risk() -> None:
    from isoloss.linear import SGD, Regression, excess_risk, stability_limit

    found = STUDIES["network-batch"](**SMALL["network-batch"], replicates=10)
    problem = Regression(4, noise_var=0.25, target="isotropic")
    size = 0.1 * stability_limit(problem, SGD(1, 2))
    exact, rounded = (
        excess_risk(problem, SGD(10, 8, size), each, "last").value for each in ("fp", "l:vec(0.05)")
    )
    assert found.at("labels", "shared factor, linear")[1][1] == pytest.approx(rounded - exact)


@pytest.mark.parametrize("name", SMALL)
def test_a_stopped_study_of_networks_goes_on_to_the_same_table(name: str, tmp_path: Path) -> None:
    store, told = tmp_path / "t.unfinished", list[tuple[int, int]]()

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        if done == 1:
            raise KeyboardInterrupt

    given = SMALL[name] | {"replicates": 10}
    with pytest.raises(KeyboardInterrupt):
        study(name, progress=stop, store=store, **given)
    kept = store.read_bytes()
    again = study(name, store=store, **given)
    assert told[-1][1] > 1
    assert b'"points"' in kept
    assert again.table.equals(study(name, **given).table)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"replicates": "-3"}, "replicates is -3; accepted is a whole number of at least 10"),
        ({"replicates": "4"}, "replicates is 4; accepted is a whole number of at least 10"),
        ({"share": 5}, "share is 5.0; accepted is a number above 0 and below 1, the step size"),
        ({"share": 0}, "share is 0.0; accepted is a number above 0 and below 1, the step size"),
    ],
)
@pytest.mark.parametrize("name", SMALL)
def test_replicates_and_share_are_checked_without_torch(
    name: str, given: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "isoloss.linear.networks", None)  # importing it fails
    with pytest.raises(ValueError, match=f"^{message}"):
        study(name, **given)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("network-batch", {"batch": 4}),
        ("network-dimension", {"dim": [8, 8]}),
        ("network-floor", {"eps": [0, 0.1]}),
        ("network-width", {"width": 4}),
    ],
)
def test_a_slope_needs_two_values_before_any_training(name: str, given: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=rf"^{next(iter(given))} is .*; accepted are two different"
    ):
        study(name, **given)


def test_few_replicates_and_studies_without_verdicts_are_refused() -> None:
    with pytest.raises(ValueError, match="replicates is 9; accepted is a whole number of at"):
        STUDIES["network-batch"](replicates=9)
    found = STUDIES["network-spectrum"](**SMALL["network-spectrum"], replicates=10)
    with pytest.raises(ValueError, match="the study 'network-spectrum' has no verdicts"):
        verdicts_of(replace(found, table=found.table.drop("verdict")))
