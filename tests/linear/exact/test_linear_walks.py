"""Walks in machine code agree with numpy, say their time before, tell how far they are, and
stop."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest

from isoloss.linear import SGD, LongWalk, Regression, excess_risk, excess_risks
from isoloss.linear.exact import walking

PROBLEM = Regression(40, 1.5)
NOISY = "d:add(1e-3) w:vec(0.1) a:coord(0.2)"
DESCENTS = (
    SGD(300, 2, "0.5 limit", "cosine"),
    SGD(300, 3, "0.5 limit", "cosine", 0.8),
    SGD(300, 1, "0.3 limit", "geometric", 0.9, "nesterov"),
)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine code for every walk, however short."""
    pytest.importorskip("numba")
    monkeypatch.setattr(walking, "LOADING", -1e9)


def agree(sgd: SGD, precision: str, iterate: str) -> None:
    one, other = (
        excess_risk(PROBLEM, sgd, precision, iterate, method=m).value for m in ("exact", "steps")
    )
    start = 0.5 * np.sum(PROBLEM.lam * PROBLEM.target_squares)
    assert abs(one - other) <= 1e-10 * max(other, 1e-3 * start)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("sgd", DESCENTS, ids=lambda sgd: f"{sgd.schedule} {sgd.updating}")
@pytest.mark.parametrize("iterate", ["last", "average", "tail"])
def test_machine_code_is_numpy(sgd: SGD, iterate: str) -> None:
    agree(sgd, NOISY, iterate)
    agree(sgd, "w:int6~sr a:int6", iterate)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("sgd", DESCENTS, ids=lambda sgd: f"{sgd.schedule} {sgd.updating}")
@pytest.mark.parametrize(
    "precision",
    [
        "w:int4",
        "w:int8 a:int6~sr g:e4m3 l:int5",  # gains that move the optimum and the step
        "w:e3m2 a:e5m2 g:int8 d:int6~sr l:vec(0.1)",
        "w:int5 a:vec(0.1) g:vec(0.1) l:add(0.1) d:add(0.01)",
        "w:int5 a:int24 g:coord(0.1) l:int20",  # grids too fine to list
    ],
)
def test_nearest_rounding_in_machine_code_is_numpy(sgd: SGD, precision: str) -> None:
    agree(
        SGD(120, sgd.batch, sgd.step_size, sgd.schedule, sgd.momentum, sgd.rule), precision, "tail"
    )


@pytest.mark.usefixtures("machine")
def test_a_point_has_the_digits_it_has_alone() -> None:
    points = [(PROBLEM, SGD(steps, 1, "0.99 limit"), "fp") for steps in (30, 50, 30)]
    together = excess_risks(points, "last")
    assert together == [excess_risk(*each, "last") for each in points]


def test_momentum_at_the_default_step_jumps() -> None:
    """A billion steps one by one would be refused."""
    for rule in ("heavy ball", "nesterov"):
        risk = excess_risk(Regression(1000), SGD(10**9, momentum=0.9, rule=rule))
        assert 0 < risk.value < 1e-3


def test_a_long_walk_says_so_before_it_starts() -> None:
    def stopped(share: float) -> None:
        raise KeyboardInterrupt

    with (
        pytest.warns(
            LongWalk, match=r"1,000,000 steps are taken one by one, about .*; about 1 s compiled"
        ),
        pytest.raises(KeyboardInterrupt),
    ):
        excess_risk(PROBLEM, SGD(10**6, schedule="cosine"), method="steps", callback=stopped)


def test_without_numba_it_says_what_numba_would_take() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import importlib.util; importlib.util.find_spec = lambda name: None\n"
        "from isoloss.linear.exact.walking import JUMP, announced\n"
        "announced(10**6, 100, JUMP)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "about 1 s compiled: method 'exact', pip install 'isoloss[sample]'" in run.stderr


def test_sampling_is_suggested_where_it_is_cheaper() -> None:
    with pytest.warns(LongWalk, match=r"about \d+ s with method 'sampled' and 100 replicates"):
        walking.announced(10**6, 100, walking.JUMP, nearest=True)
    with pytest.warns(LongWalk) as said:
        walking.announced(10**6, 100, walking.JUMP, nearest=True, batch=100)
    assert "sampled" not in str(said[0].message)


def test_a_walk_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "PIECE", 1e-4)
    heard: list[float] = []
    points = [(PROBLEM, SGD(200, schedule="cosine"), "fp"), (PROBLEM, SGD(64), "w:int4")]
    with warnings.catch_warnings(action="error"):
        excess_risks(points, "tail", callback=heard.append)
    assert len(heard) > 20
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
