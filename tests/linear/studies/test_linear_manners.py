"""Grids of sampled runs: passes, stored weights and error feedback as lists, checked before the
first is drawn, and compared by pairs; the points of a grid.
"""

import re

import pytest

from isoloss.linear import (
    SGD,
    Regression,
    Scales,
    grid_points,
    sample_risk,
    sample_risks,
    simulate,
)
from isoloss.linear.sampled import sweeping


# ---- sampled grids: how a descent is run beyond what the exact risk knows
def test_manners_may_vary_and_rows_say_them() -> None:
    problem, sgd = Regression(20), SGD(40, step_size=0.05)
    grid = {"passes": [1, 4], "stored": ["fp", "int4"], "kurtosis": [3, 6]}
    runs = simulate(problem, grid, sgd, method="sampled", replicates=8, seed=2)
    table = runs.frame()
    assert table["unique_tokens"].to_list() == [40.0] * 4 + [10.0] * 4
    assert len(set(table.select("passes", "stored", "kurtosis").rows())) == 8
    assert len(set(runs["family"])) == 4
    for row in table.iter_rows(named=True):
        kept = None if row["stored"] == "fp" else row["stored"]
        expected = sample_risk(
            Regression(20, kurtosis=row["kurtosis"]), sgd, replicates=8, seed=2,
            passes=row["passes"], stored=kept,
        )  # fmt: skip
        assert row["loss"] == expected.value
        assert row["loss_se"] == expected.standard_error


def test_a_manner_given_for_all_cells_is_that_of_the_cells() -> None:
    problem, sgd = Regression(20), SGD(40, step_size=0.05)
    given = {"stored": "int4", "error_feedback": True, "method": "sampled", "replicates": 8}
    runs = simulate(problem, {"batch": [1, 2]}, sgd, **given)
    assert set(runs["error_feedback"]) == {True}
    expected = sample_risk(
        problem, SGD(40, 2, 0.05), replicates=8, stored="int4", error_feedback=True
    )
    assert runs["loss"][1] == expected.value


@pytest.mark.parametrize(
    ("grid", "method", "message"),
    [
        ({"passes": [1, 4]}, "exact", "several passes, stored weights and error feedback have no"),
        ({"passes": [1, 3]}, "sampled", "40 steps do not make 3 passes"),
        ({"passes": [0]}, "sampled", "passes is 0"),
        ({"stored": ["int4", 4]}, "sampled", "stored is 4"),
        ({"stored": ["int4", "kv"]}, "sampled", "cannot read 'w:kv'"),
        ({"error_feedback": ["off"]}, "sampled", "error_feedback is 'off'; accepted are True and"),
        ({"error_feedback": [False, True]}, "sampled", "error_feedback keeps the rounding error"),
        ({"precision": ["fp", "d:int4/row"], "step_size": ["0.5 limit"]}, "sampled",
         "the stability limit under 'int4/row' is not known"),
    ],
)  # fmt: skip
def test_a_manner_is_checked_before_anything_is_drawn(
    grid: dict, method: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "drawn", lambda *_: pytest.fail("drawn before the check"))
    with pytest.raises(ValueError, match=f"^{message}"):
        simulate(Regression(20), grid, SGD(40, step_size=0.05), method=method, replicates=8)


def test_a_sampled_cell_that_diverges_keeps_its_reason() -> None:
    grid = {"step_size": [0.05, 50.0]}
    runs = simulate(Regression(20), grid, SGD(400), method="sampled", replicates=8)
    assert runs["status"].tolist() == ["ok", "diverged"]
    assert "replicates grew past" in runs["reason"][1]
    assert runs["lr_peak"].tolist() == [0.05, 50.0]


def test_a_sampled_row_is_compared_with_full_precision_by_pairs() -> None:
    problem, sgd = Regression(20), SGD(40, step_size=0.05)
    grid = {"dim": [10, 20], "precision": ["fp", "w:int4"], "stored": ["fp", "int8"]}
    table = simulate(problem, grid, sgd, method="sampled", replicates=20).frame()
    for row in table.iter_rows(named=True):
        manner = {"stored": None if row["stored"] == "fp" else "int8"}
        points = [(Regression(row["dim"]), sgd, each) for each in (row["precision"], "fp")]
        one, exact = sample_risks(points, replicates=20, **manner)
        assert (row["gap"], row["gap_se"]) == tuple(one.minus(exact))
    assert "gap" not in simulate(problem, {"dim": [9]}, sgd, method="sampled", replicates=8).columns


# ---- points of a grid
def test_points_are_the_cells_of_a_grid() -> None:
    found = grid_points(Regression(10), {"dim": [10, 20], "samples": [8], "batch": [2, 4]})
    assert [(p.dim, s.steps, s.batch, str(w)) for p, s, w in found] == [
        (10, 4, 2, "fp"), (10, 2, 4, "fp"), (20, 4, 2, "fp"), (20, 2, 4, "fp"),
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"^cannot vary 'iterate' in regression; lists are"):
        grid_points(Regression(10), {"iterate": ["last"]})


# ---- what has no effect is refused
@pytest.mark.parametrize(
    ("grid", "options", "message"),
    [
        ({"samples": [101, 105, 109], "batch": [10]}, {},
         "101 and 105 samples are the same 10 steps of batch 10; give multiples of the batch"),
        ({"seed": [1, 2]}, {}, "seed is of a sketch, and there is none; give sketch too"),
        ({"site": ["before"]}, {}, "site is of a sketch, and there is none; give sketch too"),
        ({}, {"replicates": 100}, "replicates is 100, but method 'exact' draws nothing"),
        ({}, {"seed": 0, "method": "steps"}, "seed is 0, but method 'steps' draws nothing"),
        ({"precision": ["fp", "d:int4~sr a:add(0.1)"]}, {"scales": Scales(d=1, a=0.1)},
         "the scale of a is 0.1, but no precision here rounds a to an integer or a float of that"),
        ({"precision": ["w:int4"]}, {"scales": Scales(post=0.1)}, "the scale of post is 0.1, but"),
        ({"precision": ["d:mxfp4"]}, {"scales": Scales(d=1), "method": "sampled"},
         "the scale of d is 1, but no precision"),
    ],
)  # fmt: skip
def test_what_has_no_effect_is_refused(grid: dict, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        simulate(Regression(20), {"step_size": [0.05], **grid}, SGD(8), **options)


def test_scales_are_used_where_any_row_or_stored_weights_use_them() -> None:
    scales = Scales(d=0.5, w=0.5, post=0.1)
    grid = {"precision": ["fp", "d:int4~sr -> w:int8"], "stored": ["fp", "int4"]}
    runs = simulate(Regression(9), grid, SGD(8), method="sampled", replicates=4, scales=scales)
    assert len(set(runs["loss"])) == 4


def test_samples_that_differ_by_whole_batches_stay_apart() -> None:
    assert len(simulate(Regression(9), {"samples": [101, 110], "batch": [1, 10]})) == 4
    with pytest.raises(ValueError, match=r"^101 and 109 samples are the same 10 steps of batch 10"):
        grid_points(Regression(9), {"batch": [1, 10], "samples": [101, 109]})
