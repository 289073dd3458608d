"""The verb simulate: golden tables of the theory notes, tables of runs that fit, refusals."""

import numpy as np
import pytest

import isoloss as il
from isoloss.linear import SGD, Regression, excess_risk, simulate
from isoloss.linear.studies.tables import all_parts, with_gap

FIVE = all_parts("add", 0.01)


def test_each_cell_is_a_row_with_the_risk_of_its_own() -> None:
    grid = il.Grid(
        samples=[300, 1000], batch=[1, 4], precision=["fp", "d:add(0.01)"], dim=[50, 100]
    )
    runs = simulate(Regression(10), grid, SGD(1, step_size=0.1))
    assert len(runs) == 16
    for run, row in zip(runs, runs.frame().iter_rows(named=True), strict=True):
        sgd = SGD(row["steps"], int(run.batch_tokens or 0), 0.1)
        expected = excess_risk(Regression(int(run.params)), sgd, run.precision)
        assert run.loss == pytest.approx(expected.value, rel=1e-9)
        assert row["bias"] + row["variance"] == pytest.approx(run.loss)
        assert run.tokens == row["steps"] * run.batch_tokens


@pytest.mark.parametrize(
    ("eps", "noise", "risks"),
    [
        (0.0, "add", [0.1668, 0.0947, 0.0505, 0.0281, 0.0142]),
        (1e-3, "add", [0.1673, 0.0954, 0.0518, 0.0302, 0.0179]),
        (5e-3, "add", [0.1692, 0.0985, 0.0569, 0.0381, 0.0294]),
        (1e-2, "add", [0.1718, 0.1024, 0.0630, 0.0466, 0.0398]),
        (1e-3, "vec", [0.1670, 0.0948, 0.0506, 0.0281, 0.0143]),
        (1e-2, "vec", [0.1691, 0.0962, 0.0515, 0.0286, 0.0146]),
    ],
)
def test_risk_against_samples_of_the_notes(eps: float, noise: str, risks: list[float]) -> None:
    grid = {"samples": [100, 300, 1000, 3000, 10_000], "precision": all_parts(noise, eps)}
    found = simulate(Regression(200), grid, SGD(1, step_size=0.1))["loss"]
    np.testing.assert_allclose(found, risks, atol=5.1e-5)


@pytest.mark.parametrize(
    ("inputs", "gaps"),
    [
        ("clean", [0.0120, 0.0122, 0.0124, 0.0129, 0.0138]),
        ("in use", [0.0409, 0.0473, 0.0604, 0.0887, 0.1565]),
    ],
)
def test_gap_against_dimension_of_the_notes(inputs: str, gaps: list[float]) -> None:
    grid = {"dim": [50, 100, 200, 400, 800], "precision": ["fp", FIVE]}
    table = simulate(Regression(50), grid, SGD(1000, step_size=0.1), inputs=inputs).frame()
    found = (
        with_gap(table, "loss", ["dim"])
        .filter(precision=FIVE and str(il.Precision(FIVE)))["gap"]
        .to_numpy()
    )
    np.testing.assert_allclose(found, gaps, atol=1e-4)  # differences of rounded numbers


def test_an_unstable_cell_stays_with_its_reason() -> None:
    runs = simulate(Regression(100), {"step_size": [0.1, 5.0, 0.2]}, SGD(100))
    assert runs["status"].tolist() == ["ok", "diverged", "ok"]
    assert runs["reason"][1].startswith("the step size 5 is unstable; the limit for this problem")
    assert np.isnan(runs["loss"][1])


def test_a_grid_without_a_stable_cell_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^the step size 9 is unstable; the limit for this problem"
    ):
        simulate(Regression(100), {"samples": [100, 1000]}, SGD(1, step_size=9.0))


def test_readings_and_problems_may_vary_too() -> None:
    grid = {"iterate": ["last", "average"], "inputs": ["clean", "in use"], "decay": [1.5, 2.0]}
    runs = simulate(Regression(50), grid | {"precision": "d:add(0.01)"}, SGD(100, step_size=0.05))
    assert len({tuple(r) for r in runs.frame().select("iterate", "inputs", "decay").rows()}) == 8
    assert len(set(runs["family"])) == 8
    assert len(set(runs["loss"])) == 8


def test_a_sketch_is_the_size_of_its_model() -> None:
    runs = simulate(Regression(200), {"sketch": [10, 20]}, SGD(1000, step_size=0.05))
    assert runs["params"].tolist() == [10, 20]
    assert runs["approximation"][0] > runs["approximation"][1] > 0


def test_laws_fit_simulated_runs() -> None:
    grid = {"sketch": [4, 8, 16, 32, 64], "samples": [300, 1000, 3000, 10_000, 30_000]}
    fit = il.fit("chinchilla", simulate(Regression(400), grid, SGD(1, step_size=0.1)), draws=10)
    # Lin et al. 2024: approximation M^-(a-1), bias (steps)^-(1-1/a), at a = 2; small sizes are
    # steeper
    assert 1.0 < fit.values["alpha"] < 1.7
    assert 0.45 < fit.values["beta"] < 0.65


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (
            {"colour": [1]},
            "cannot vary 'colour' in regression; lists are precision, steps, samples,",
        ),
        (
            {"samples": [10], "steps": [10]},
            "a grid has samples or steps, not both: samples are steps x batch",
        ),
        ({"dim": [0]}, "dim is 0"),
        (
            {"samples": [10], "batch": [20]},
            "10 samples do not fill one batch of 20; give at least 20",
        ),
        ({"precision": ["kv4"]}, "linear regression has no part 'kv', as in precision 'kv4'"),
        ({"inputs": ["dirty"]}, "unknown inputs 'dirty'; accepted are 'clean', 'in use'"),
    ],
)
def test_what_is_refused(grid: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message.split(';')[0]}"):
        simulate(Regression(10), grid)
