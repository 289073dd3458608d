"""Bad input is one clear sentence, before any work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isoloss.linear import SGD, Regression, Scales, excess_risk, risk_by_direction, sample_risk

PROBLEMS: list[tuple[dict[str, Any], str]] = [
    ({"dim": 0}, "dim is 0; accepted is a whole number of at least 1"),
    ({"dim": 2.5}, "dim is 2.5; accepted is a whole number of at least 1"),
    ({"dim": True}, "dim is True; accepted is a whole number of at least 1"),
    ({"dim": 5, "decay": -1}, "decay is -1; accepted is a finite number of at least 0"),
    ({"dim": 5, "decay": "steep"}, "decay is 'steep'; accepted is a finite number of at least 0"),
    ({"dim": 5, "noise_var": -0.1}, "noise_var is -0.1; accepted is a finite number of at least 0"),
    (
        {"dim": 5, "noise_var": np.nan},
        "noise_var is nan; accepted is a finite number of at least 0",
    ),
    ({"dim": 5, "kurtosis": 0.5}, "kurtosis is 0.5; accepted is a finite number of at least 1"),
    ({"dim": 5, "target": np.inf}, "target is inf; accepted is a finite number"),
    ({"dim": 5, "target": [1.0, 2.0]}, r"target has shape \(2,\); accepted is \(5,\)"),
    ({"dim": 2, "target": [1.0, np.nan]}, r"target\[1\] is nan; accepted are finite numbers"),
    (
        {"dim": 2, "spectrum": [1.0, -1.0]},
        r"spectrum\[1\] is -1.0; accepted are finite numbers of at least 0",
    ),
    ({"dim": 2, "spectrum": [0.0, 0.0]}, "all eigenvalues of the spectrum are 0"),
    ({"dim": 2, "spectrum": [1e-200, 1e-201]}, "the largest eigenvalue is 1e-200; accepted is"),
    ({"dim": 5, "target": 1e200}, r"target is 1e\+200; accepted is 1e-30 to 1e\+30"),
    ({"dim": 1, "target": [1e40]}, r"the largest coordinate of target is 1e\+40; accepted is"),
    ({"dim": 5, "noise_var": 1e-99}, r"noise_var is 1e-99; accepted is 1e-30 to 1e\+30"),
    (
        {"dim": 5, "target": "random"},
        "unknown target 'random'; accepted are a number, an array of dim numbers",
    ),
    ({"dim": 5, "target": "source x"}, "the source exponent is 'x'; accepted is a finite number"),
    ({"dim": 5, "sketch": 6}, "a sketch of 6 rows is larger than dim 5; accepted is 1 to 5"),
    (
        {"dim": 5, "sketch": 3, "kurtosis": 2.0},
        "a sketch needs normal features, kurtosis 3, not 2.0",
    ),
    ({"dim": 5, "site": "inside"}, "unknown site 'inside'; accepted are 'after', 'before'"),
]
DESCENTS: list[tuple[dict[str, Any], str]] = [
    ({"steps": 0}, "steps is 0; accepted is a whole number of at least 1"),
    ({"steps": 5, "batch": 0.5}, "batch is 0.5; accepted is a whole number of at least 1"),
    ({"steps": 5, "step_size": -0.1}, "step_size is -0.1; accepted is a finite number above 0"),
    (
        {"steps": 5, "step_size": "half"},
        "step_size is 'half'; accepted is a number above 0 or a share such as '0.5 limit'",
    ),
    (
        {"steps": 5, "step_size": "x limit"},
        "the share of the limit is 'x'; accepted is a finite number above 0",
    ),
    (
        {"steps": 5, "schedule": "linear"},
        "unknown schedule 'linear'; accepted are 'constant', 'geometric', 'cosine'",
    ),
    ({"steps": 5, "momentum": 1.0}, "momentum is 1.0; accepted is 0 or more and below 1"),
    ({"steps": 5, "momentum": -0.1}, "momentum is -0.1; accepted is a finite number of at least 0"),
]
PRECISIONS = [
    (
        "w4 kv8",
        "linear regression has no part 'kv', as in precision 'w4 kv8'; parts are d l w a g",
    ),
    ("q8", "linear regression has no part 'q', as in precision 'q8'"),
    ("a.fc2:int4", "linear regression has no part 'a.fc2', as in precision 'a.fc2:int4'"),
    (
        "d4 -> d2",
        "'d' after the arrow of precision 'd4 -> d2' is not known here; only the result is rounded",
    ),
    (
        "d:mxfp4",
        "no exact risk for format 'mxfp4' in precision 'd:mxfp4'; accepted are add",
    ),
    ("d1.58", "no exact risk for format 'ternary' in precision 'd1.58'"),
    (
        "w4/128",
        "no exact risk for the modifiers '/128' in precision 'w4/128'; accepted are '~sr' and "
        "'~dither'; numbers that share a scale are rounded together",
    ),
    ("w4@gptq", "no exact risk for the modifiers '@gptq' in precision 'w4@gptq'"),
    ("d4+had~sr", r"the modifiers '\+had~sr' in precision"),
    ("d:add(-1)", "the noise level -1.0 is out of range"),
]


@pytest.mark.parametrize(("fields", "message"), PROBLEMS)
def test_problems(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        Regression(**fields)


@pytest.mark.parametrize(("fields", "message"), DESCENTS)
def test_descents(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        SGD(**fields)


@pytest.mark.parametrize(("precision", "message"), PRECISIONS)
def test_precisions(precision: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        excess_risk(Regression(5), SGD(10), precision)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"iterate": "first"},
            "unknown iterate 'first'; accepted are 'last', 'average', 'tail', 'tail 0.25'",
        ),
        (
            {"iterate": "tail 2"},
            "the share of the tail is 2.0; accepted is a number above 0, at most 1",
        ),
        (
            {"iterate": "tail x"},
            "the share of the tail is 'x'; accepted is a finite number above 0",
        ),
        ({"inputs": "noisy"}, "unknown inputs 'noisy'; accepted are 'clean', 'in use'"),
        (
            {"method": "fast"},
            "unknown method 'fast'; accepted are 'exact', 'contour', 'full', 'steps'",
        ),
    ],
)
def test_words(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        excess_risk(Regression(5), SGD(10), **words)


def test_an_unstable_step_size_says_the_limit() -> None:
    message = (
        r"^the step size 1 is unstable; the limit for this problem, batch, momentum and precision "
        r"is 0.6\d+$"
    )
    with pytest.raises(ValueError, match=message):
        excess_risk(Regression(200), SGD(10**9, 1, 1.0))
    with pytest.raises(ValueError, match=r"the step size 1 is unstable; the limit .* is 0.6"):
        excess_risk(Regression(200), SGD(10**9, 1, 1.0), "a:int8~sr")


def test_what_does_not_fit_in_memory_is_refused_before_work() -> None:
    with pytest.raises(
        ValueError,
        match=r"a problem of dim 1000000000000 in full needs about \S+ GB, more than half",
    ):
        excess_risk(Regression(10**12), SGD(10), method="full")
    assert excess_risk(Regression(10**12, 1.5), SGD(10**12)).value > 0
    with pytest.raises(
        ValueError, match=r"a sketch of 1000000 rows of 2000000 features needs about \S+ GB"
    ):
        excess_risk(Regression(2 * 10**6, sketch=10**6), SGD(10))
    with pytest.raises(ValueError, match=r"^an array of each of the 10+ coordinates needs about"):
        sample_risk(Regression(10**12), SGD(10))


@pytest.mark.parametrize(("schedule", "method"), [("cosine", "exact"), ("constant", "steps")])
def test_a_billion_single_steps_are_refused(schedule: Any, method: str) -> None:
    with pytest.raises(
        ValueError, match=r"^1000000000 steps have to be taken one by one here, which is too many"
    ):
        excess_risk(Regression(5), SGD(10**9, 1, 0.1, schedule), method=method)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, "wide"])
def test_scales(value: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^the scale of a is .*; accepted is a finite number above 0$"
    ):
        Scales(a=value)


@pytest.mark.parametrize("value", [1e-31, 1e31])
def test_scales_whose_fourth_powers_are_no_numbers(value: float) -> None:
    with pytest.raises(
        ValueError, match=r"^the scale of a is 1e[+-]31; accepted is 1e-30 to 1e\+30$"
    ):
        Scales(a=value)


def test_data_that_are_none() -> None:
    with pytest.raises(
        ValueError,
        match=r"^features are a matrix .* at least one, not of shape \(3,\)",
    ):
        Regression.from_data(np.ones(3))
    with pytest.raises(
        ValueError, match=r"^a covariance is a symmetric matrix, not an array of shape \(2, 3\)"
    ):
        Regression.from_covariance(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"^5 samples do not fill one batch of 8; give at least 8"):
        SGD.samples(5, 8)


def test_directions_check_their_words_too() -> None:
    with pytest.raises(ValueError, match="unknown inputs"):
        risk_by_direction(Regression(5), SGD(10), inputs="noisy")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (np.ones((3, 0)), None, r"features are a matrix .* at least one, not of shape \(3, 0\)"),
        ([[1.0, 2.0], [3.0, np.nan]], None, "feature 1 of row 1, counted from 0, is nan"),
        (
            np.eye(3, 4),
            np.ones(3),
            "3 labels are fitted exactly by 4 features, so the noise cannot",
        ),
    ],
)
def test_data_that_tell_no_problem(features: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        Regression.from_data(features, labels)
