"""Schedules are an open set: a registered one is jumped over or stepped through like those that
ship.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from isoloss.linear import SCHEDULES, SGD, Regression, Schedule, excess_risk, sample_risk
from isoloss.linear.sampled.running import stages_of

PROBLEM = Regression(30)


@pytest.fixture(autouse=True)
def own() -> Iterator[None]:
    """A warm-up, then constant, said in both ways."""
    stages = Schedule("warm-up", stages=lambda t: [(0.25, t // 4), (1.0, t - t // 4)])
    sizes = Schedule("warm-up", sizes=lambda t: np.where(np.arange(t) < t // 4, 0.25, 1.0))
    SCHEDULES.register("warm stages", stages)
    SCHEDULES.register("warm sizes", sizes)
    yield
    SCHEDULES.remove("warm stages")
    SCHEDULES.remove("warm sizes")


def test_a_schedule_by_stages_is_that_by_sizes() -> None:
    one, other = (
        excess_risk(PROBLEM, SGD(1000, 2, 0.1, name), "d:add(0.01)", "tail").value
        for name in ("warm stages", "warm sizes")
    )
    assert one == pytest.approx(other, rel=1e-9)
    assert one != pytest.approx(
        excess_risk(PROBLEM, SGD(1000, 2, 0.1), "d:add(0.01)", "tail").value
    )


@pytest.mark.parametrize("schedule", ["warm", "halved"])
def test_samples_of_a_schedule_by_stages_are_those_by_sizes(schedule: str) -> None:
    def sampled(name: str) -> float:
        descent = SGD(50, 2, 0.1, name)
        return sample_risk(PROBLEM, descent, "w:int4~sr", replicates=8).value

    if schedule == "warm":
        assert sampled("warm stages") == sampled("warm sizes")
    else:
        sizes = SGD(50, 2, 0.1, "geometric").step_sizes(1.0)
        SCHEDULES.register("warm sizes", Schedule("halved", sizes=lambda t: sizes), replace=True)
        assert sampled("geometric") == sampled("warm sizes")


@pytest.mark.parametrize(("schedule", "count"), [("constant", 1), ("geometric", 31)])
def test_sampling_holds_no_number_for_each_step(schedule: str, count: int) -> None:
    sizes, ends = stages_of(SGD(10**9, 1, 0.1, schedule), 0.1)
    assert 1 <= len(sizes) == len(ends) <= count
    assert ends[-1] == 10**9


def test_more_sizes_than_can_be_held_are_refused() -> None:
    with pytest.raises(ValueError, match="1000000000 steps have to be taken one by one"):
        sample_risk(PROBLEM, SGD(10**9, 1, 0.1, "cosine"), replicates=4)


def test_its_sizes_are_in_units_of_the_step_size() -> None:
    descent = SGD(8, 1, 0.1, "warm stages")
    assert descent.step_sizes(0.5).tolist() == [0.125] * 2 + [0.5] * 6
    assert descent.stages(0.5) == [(0.125, 2), (0.5, 6)]
    assert SGD(8, 1, 0.1, "warm sizes").stages(0.5) is None


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (Schedule("short", stages=lambda t: [(1.0, t - 1)]), "'short' are not 8 steps"),
        (Schedule("large", stages=lambda t: [(1.5, t)]), "'large' made the size 1.5; accepted is "
                                                         "0 to 1"),
        (Schedule("flat", sizes=lambda t: np.ones(3)), r"made sizes of shape \(3,\), not \(8,\)"),
        (Schedule("lost", sizes=lambda t: np.full(t, np.nan)), "'lost' made the size nan"),
    ],
)  # fmt: skip
def test_one_that_is_none_is_refused(made: Schedule, message: str) -> None:
    SCHEDULES.register("wrong", made, replace=True)
    try:
        with pytest.raises(ValueError, match=message):
            excess_risk(PROBLEM, SGD(8, 1, 0.1, "wrong"))
    finally:
        SCHEDULES.remove("wrong")


def test_stages_or_sizes() -> None:
    with pytest.raises(ValueError, match=r"^a schedule has stages or sizes; give one of the two$"):
        Schedule("neither")
