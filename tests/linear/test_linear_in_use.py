"""Features rounded in use: the risk is that of fresh rounded features, above that of w*."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from by_hand import Array, Rule, Simulation, iterates, noisy, on_grid, score

import isoloss as il
from isoloss.formats import Format
from isoloss.linear import (
    SGD,
    Regression,
    Scales,
    excess_risk,
    risk_bound,
    sample_risks,
    simulate,
    size_constant,
)
from isoloss.linear.quantisers import levels_of
from isoloss.runs import RunsError

DIM, STEPS, REPLICATES = 7, 25, 20_000
LAM = np.arange(1.0, DIM + 1) ** -1.6
TARGET = np.array([0.8, -1.1, 0.4, 1.3, -0.6, 1.0, 0.9])
NOISY = SGD(STEPS, 2, 0.15)
#: The old meaning, the norm alone, put noise below full precision here.
FLATTERED = Regression(40, 1.6), SGD(20_000, step_size=0.02)


def rounded(rule: Rule) -> Array:
    """0.5 (<w, Q(x)> - <w*, x>)^2 of every replicate, one fresh x each: nothing of H_q is used."""
    sizes, parts = np.full(STEPS, 0.15), {"d": rule, "a": ("add", 0.05)}
    w = iterates(Simulation(LAM, TARGET, 0.3, sizes, 2, parts=parts), REPLICATES, 2, 0)
    rng = np.random.default_rng(17)
    x = np.sqrt(LAM) * rng.standard_normal((REPLICATES, DIM))
    u = noisy(x, rule, (REPLICATES, 1), rng)
    return np.asarray(0.5 * (np.sum(w * u, axis=1) - x @ TARGET) ** 2)


@pytest.mark.parametrize("name", ["add(0.2)", "vec(0.3)", "coord(0.3)", "int4~sr", "int4"])
def test_the_risk_in_use_is_that_of_fresh_rounded_features(name: str) -> None:
    step, kind = 0.6, name.split("(")[0]
    grid = name.startswith("int") and on_grid(
        levels_of(Format.parse(name), step, 1.0), "sr" in name
    )
    rule = grid or (kind, float(name[len(kind) + 1 : -1]))
    problem = Regression(DIM, 1.6, 0.3, TARGET)
    precision, scales = f"d:{name} a:add(0.05)", Scales(d=step)
    risk = excess_risk(problem, NOISY, precision, "average", "in use", scales=scales)
    assert (risk.how, risk.value) == ("exact", risk.parts.total)
    assert abs(score(rounded(rule), risk.value)) < 4


@pytest.mark.parametrize("noise", ["d:add(0.02)", "d:vec(0.1)", "d:coord(0.1)", "d:int5~sr"])
def test_no_rounding_of_the_data_beats_full_precision_in_use(noise: str) -> None:
    """Averages after many small steps, where the best w of each is nearly reached."""
    problem, sgd = FLATTERED
    runs = simulate(problem, {"precision": ["fp", noise]}, sgd, inputs="in use")
    full, loss = runs["loss"]
    assert loss > full
    parts = ("bias", "variance", "approximation", "rounding", "floor")
    assert sum(runs[part][1] for part in parts) == pytest.approx(loss)
    assert runs["quantised_norm"][1] == pytest.approx(loss - runs["floor"][1])


def test_the_norm_alone_would_have_put_noise_below_full_precision() -> None:
    problem, sgd = FLATTERED
    full, noise = (
        excess_risk(problem, sgd, each, "average", "in use") for each in ("fp", "d:add(0.02)")
    )
    assert full.parts.quantised_norm == full.value
    assert noise.parts.quantised_norm < 0.8 * full.value < full.value < noise.value


def test_a_table_says_what_each_part_is_on_both_inputs() -> None:
    grid = {"inputs": ["clean", "in use"], "precision": ["d:add(0.02)"]}
    table = simulate(Regression(30), grid, SGD(500, step_size=0.05)).frame()
    assert table["inputs"].to_list() == ["clean", "in use"]
    assert [name.rsplit(", ", 1)[1] for name in table["family"]] == [
        "clean inputs",
        "features rounded in use",
    ]
    assert table["quantised_norm"].is_null().to_list() == [True, False]
    floor, lasting = table["floor"].to_list(), table["asymptotic_bias"].to_list()
    lam = np.arange(1.0, 31) ** -2
    assert floor == [0.0, pytest.approx(0.5 * np.sum(0.02 * lam / (lam + 0.02)))]
    assert lasting == [pytest.approx(0.5 * np.sum(lam * (0.02 / (lam + 0.02)) ** 2)), 0.0]


@pytest.mark.parametrize("target", [1.0, "isotropic"])
def test_sampled_risks_in_use_are_risks_of_their_own_target(target: float | str) -> None:
    pytest.importorskip("numba")
    problem, sgd = Regression(8, 1.6, 0.3, target, sketch=3), SGD(40, 2, 0.1)
    points = [(problem, sgd, each) for each in ("fp", "d:add(0.1)")]
    full, noise = sample_risks(points, "last", "in use", replicates=4000)
    exact = excess_risk(problem, sgd, "d:add(0.1)", "last", "in use")
    assert abs(noise.risk.value - exact.value) < 4 * noise.risk.standard_error
    assert noise.risk.parts.total == pytest.approx(noise.risk.value)
    assert noise.risk.value == pytest.approx(noise.values.mean())
    apart = noise.minus(full)
    assert apart.value > 4 * apart.standard_error


def test_the_floor_is_on_both_sides_of_a_bound_in_use() -> None:
    asked = Regression(60), SGD(4000, step_size=0.05), "d:add(0.03)"
    bound, risk = risk_bound(*asked, "in use"), excess_risk(*asked, inputs="in use")
    assert bound.floor == pytest.approx(risk.parts.floor)
    assert bound.lower > bound.floor
    norm = risk.parts.quantised_norm
    assert bound.lower - bound.floor <= norm <= bound.upper - bound.floor
    assert bound.upper == pytest.approx(2 * bound.bias + 2 * bound.variance + bound.floor)
    assert f"+ floor {bound.floor:.4g}" in str(bound)


@pytest.mark.parametrize(
    "asked",
    [
        lambda: excess_risk(Regression(5), SGD(5), inputs="quantised"),
        lambda: simulate(Regression(5), {"inputs": ["quantised"]}, SGD(5)),
        lambda: risk_bound(Regression(5), SGD(5), inputs="quantised"),
        lambda: size_constant(2.0, "quantised"),
        lambda: il.linear.risk_by_direction(Regression(5), SGD(5), inputs="quantised"),
    ],
    ids=["excess_risk", "simulate", "risk_bound", "size_constant", "risk_by_direction"],
)
def test_the_old_word_is_refused_in_one_sentence(asked: object) -> None:
    message = (
        "^inputs 'quantised' is now 'in use', whose value holds the floor; what it was is "
        "parts.quantised_norm$"
    )
    with pytest.raises(ValueError, match=message):
        asked()  # type: ignore[operator]


def test_an_older_table_is_refused_and_says_what_to_do() -> None:
    rows = {
        "params": [10.0], "tokens": [100.0], "precision": ["fp"], "loss": [0.1],
        "metric": ["excess_risk"], "inputs": ["quantised"],
    }  # fmt: skip
    with pytest.raises(
        RunsError, match="now 'in use', whose loss holds the floor; add column floor"
    ):
        il.Runs.from_frame(pl.DataFrame(rows))
    other = pl.DataFrame(rows | {"metric": ["nats"]})
    assert len(il.Runs.from_frame(other)) == 1  # a column of the user's own
