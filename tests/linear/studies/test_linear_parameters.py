"""Parameters of studies: read off their functions, checked before any work, changed one by one."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from isoloss.files import FilesError
from isoloss.linear import (
    SGD,
    STUDIES,
    Reference,
    Regression,
    Study,
    excess_risk,
    study,
    study_parameters,
)
from isoloss.linear.studies.work import Work

#: A quick version of every exact study, no parameter of which is the default.
SMALL: dict[str, dict[str, Any]] = {
    "samples": {"dim": 20, "decay": 1.5, "samples": [100, 1000], "eps": [0.02], "noise": "coord"},
    "dims": {"dim": [10, 20], "decay": 1.5, "samples": [100, 1000], "eps": 0.02},
    "batch": {"dim": 20, "decay": 1.5, "batch": [1, 4, 16], "steps": 100, "part": ["w", "a"]},
    "dimension": {"dim": [20, 40, 80], "samples": 500, "eps": 1e-3, "noise_var": 0.5},
    "spectrum": {"dim": 12, "samples": 400, "decay": 1.5, "seed": 3, "precision": ["int4"]},
    "sketch": {"dim": 40, "sketch": [4, 8, 16], "samples": 1000, "seed": [0, 1], "eps": [0.05]},
    "divergence": {"dim": [20, 40, 80], "steps": 200, "batch": [2], "schedule": "geometric"},
    "integers": {"dim": 10, "grid_step": [0.1, 0.5], "samples": 500, "inputs": ["in use"]},
    "elementwise": {"dim": 40, "sketch": [4, 8], "samples": 1000, "factor": 0.1, "batch": 2},
    "momentum": {"dim": 10, "momentum": [0, 0.8], "steps": [50, 100], "batch": [2], "eps": 0.1},
    "bounds": {"dim": 10, "steps": [100, 300], "eps": 0.02, "decay": 1.5, "inputs": ["clean"]},
}


def drawn(name: str) -> Study:
    return study(name, **SMALL[name])


#: The parameter that stands on the horizontal axis of each.
ACROSS = {
    "samples": "samples", "dims": "samples", "batch": "batch", "dimension": "dim",
    "sketch": "sketch", "divergence": "dim", "integers": "grid_step", "elementwise": "sketch",
    "momentum": "steps", "bounds": "steps",
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_every_study_takes_other_values(name: str) -> None:
    found = drawn(name)
    assert found.answer
    across = SMALL[name].get(ACROSS.get(name, ""), range(1, 13))
    assert {tuple(x) for *_, x, _ in found.lines()} == {tuple(across)}


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("dims", "dim"), ("batch", "batch"), ("momentum", "momentum"), ("sketch", "sketch"),
     ("dimension", "dim"), ("divergence", "dim"), ("elementwise", "sketch")],
)  # fmt: skip
def test_one_value_is_no_comparison(name: str, parameter: str) -> None:
    found = study(name, **SMALL[name] | {parameter: SMALL[name][parameter][:1]})
    assert len(found.table)
    assert found.answer == (
        f"no comparison: that takes a result at two values of {parameter} or more",
    )


def test_ratios_of_a_spectrum_are_free_of_its_draw() -> None:
    found = study("spectrum", dim=20, samples=400, eps=1e-12, precision=["int8"])
    _, added = found.at("measured eigenvalues", "additive noise")
    assert added == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "value"),
    [("dim", 30), ("decay", 2.5), ("noise_var", 3.0), ("noise", "vec"), ("eps", 0.3),
     ("part", "g"), ("batch", [2, 8, 32]), ("steps", 120), ("step_size", "0.2 limit"),
     ("schedule", "cosine"), ("iterate", "average"), ("inputs", "in use")],
)  # fmt: skip
def test_every_parameter_matters(name: str, value: Any) -> None:
    base = SMALL["batch"] | {"part": "d", "noise": "add"}
    gaps = [study("batch", **base | more).table["gap"].to_numpy() for more in ({}, {name: value})]
    assert {each.name for each in study_parameters("batch")} >= {name}
    assert (np.abs(gaps[0] / gaps[1] - 1) > 1e-6).all()


def test_a_point_of_a_study_is_the_exact_risk_of_its_own() -> None:
    found = drawn("batch")
    row = found.table.filter(part="activations", noise="shared factor", batch_tokens=4.0)
    risks = [
        excess_risk(Regression(20, 1.5), SGD(100, 4, 0.1), precision, "last").value
        for precision in ("a:vec(0.1)", "fp")
    ]
    assert row["gap"].item() == pytest.approx(risks[0] - risks[1], rel=1e-9)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("batch", {"sketch": 3}, "the study 'batch' has no parameter 'sketch'; it has dim, decay,"),
        ("batch", {"dim": [1, 2]}, r"dim of the study 'batch' takes one value, not \[1, 2\]"),
        ("batch", {"dim": []}, r"dim of the study 'batch' takes one value, not \[\]"),
        ("batch", {"batch": [1, 2.5]}, "batch is 2.5; accepted is a whole number of at least 1"),
        ("batch", {"eps": "much"}, "eps is 'much'; accepted is a finite number of at least 0"),
        ("batch", {"noise": 3}, "noise is 3; accepted is a text"),
        ("batch", {"noise": "pink"}, "cannot read 'd:pink"),
        ("batch", {"inputs": "dirty"}, "unknown inputs 'dirty'"),
        ("samples", {"schedule": "steep"}, "unknown schedule 'steep'"),
        ("sketch", {"sketch": [5000]}, "a sketch of 5000 rows is larger than dim 2000"),
        ("passes", {"replicates": 1}, "replicates is 1; accepted is a whole number of at least 4"),
        (
            "passes",
            {"replicates": "-3"},
            "replicates is -3; accepted is a whole number of at least 4",
        ),
        ("spectrum", {"samples": 100}, "samples is 100; accepted are at least .* dim, 200"),
        ("batch", {"noise": "pink"}, ".*a distribution may follow, as in add_uniform: normal,"),
        ("passes", {"precision": "z4"}, "cannot read 'z4'"),
    ],
)
def test_bad_values_are_one_sentence_before_any_work(
    name: str, given: dict[str, Any], message: str
) -> None:
    calls: list[tuple[int, int]] = []
    with pytest.raises(ValueError, match=f"^{message}"):
        study(name, progress=lambda done, total: calls.append((done, total)), **given)
    assert calls == []


@pytest.fixture
def strangers() -> Iterator[None]:
    """Studies that a test registers are forgotten after it."""
    state = STUDIES.state()
    yield
    STUDIES.restore(state)


@pytest.mark.usefixtures("strangers")
def test_a_stranger_needs_no_parameters_and_may_have_some() -> None:
    def plain() -> Study:
        return drawn("bounds")

    def wide(width=3, names=("a", "b")) -> Study:  # type: ignore[no-untyped-def]
        table = pl.DataFrame({"x": [1.0], "y": [float(width)], "s": ["s"], "p": [names[0]]})
        return Study("wide", "How wide?", table, "x", "y", "s", "p", ("x", "y"), ())

    for name, maker in (("plain", plain), ("wide", wide)):
        STUDIES.register(name, maker, replace=True)
    assert study("plain").answer
    assert study("wide", width="4", names=["c"]).table["y"].item() == 4
    assert [str(each) for each in study_parameters("wide")] == ["width 3", "names a,b"]
    with pytest.raises(ValueError, match=r"^the study 'plain' has no parameter 'dim'; it has none"):
        study("plain", dim=3)


def test_every_shipped_parameter_is_a_keyword_with_a_default() -> None:
    for name, maker in STUDIES.items():
        if STUDIES.is_shipped(STUDIES.home(name)):
            kinds = {each.kind for each in inspect.signature(maker).parameters.values()}
            assert kinds == {inspect.Parameter.KEYWORD_ONLY}
            assert all(each.default is not None for each in study_parameters(name))


def test_seeds_of_a_sketch_give_a_standard_error() -> None:
    found = drawn("sketch")
    one, two = (study("sketch", **SMALL["sketch"] | {"seed": k}).table["loss"] for k in (0, 1))
    np.testing.assert_allclose(found.table["loss"], (one + two) / 2)
    np.testing.assert_allclose(found.table["loss_se"], abs(one - two) / 2, atol=1e-15)


def test_step_sizes_that_diverge_stay_as_rows_and_are_said() -> None:
    found = study("momentum", **SMALL["momentum"] | {"step_size": 1.2, "momentum": [0.0, 0.8]})
    assert set(found.table["status"]) == {"ok", "diverged"}
    assert "diverge" in found.answer[-1]


def test_a_study_whose_rows_all_diverge_says_so() -> None:
    found = study("samples", dim=20, samples=[50], step_size=3.0)
    assert set(found.table["status"]) == {"diverged"}
    assert found.answer[-1].startswith("8 of 8 rows diverge: the step size 3 is unstable")


def test_ratios_are_to_the_reference_at_the_same_x() -> None:
    found = drawn("momentum")
    x, plain = found.at("additive, batch 2", "momentum 0")
    heavy = found.at("additive, batch 2", "momentum 0.8")[1]
    np.testing.assert_allclose(
        found.at("additive, batch 2", "momentum 0.8", "ratio")[1], heavy / plain
    )
    assert len(x) == 2


@pytest.mark.parametrize(
    ("name", "label", "exponent"),
    [
        ("samples", "$N^{-(a-1)/a}$", -1 / 3),
        ("batch", "$1/B$", -1),
        ("sketch", "$M^{-(a-1)}$", -0.5),
        ("integers", "$\\epsilon^{1-1/a}$", 1),
    ],
)
def test_theory_slopes_follow_the_parameters(name: str, label: str, exponent: float) -> None:
    line = next(each for each in drawn(name).theory if each.label == label)
    assert np.diff(np.log(line.y)) / np.diff(np.log(line.x)) == pytest.approx(exponent)


def test_additive_noise_has_its_size_and_its_floors_in_the_theory() -> None:
    marks = {each.label: each for each in drawn("sketch").theory if not each.y}
    size = 0.05 ** (-1 / 1.5)
    assert marks["$\\epsilon^{-1/a}$, 0.05"].x == pytest.approx((size,))
    floors = [each.y[0] for each in study("samples", dim=50).theory if not each.x]
    assert floors[0] / floors[-1] == pytest.approx(0.1**0.5)


def test_the_linear_theory_meets_the_exact_risk_in_use() -> None:
    found = study("divergence", dim=[1000, 4000, 16_000], batch=[4])
    theory = next(each for each in found.theory if each.label.startswith("theory, linear"))
    x, y = found.at("batch 4", "additive noise, in use")
    assert theory.y[-1] == pytest.approx(y[-1], rel=0.03)
    assert theory.x[-1] == pytest.approx(x[-1])


# ---- work: what is done is told and kept
def points(made: list[int], stop: int | None = None) -> list[Any]:
    def point(k: int) -> Any:
        def rows() -> pl.DataFrame:
            if k == stop:
                raise KeyboardInterrupt
            made.append(k)
            return pl.DataFrame({"k": [k], "y": [0.1 * k], "who": ["a"], "none": [None]})

        return rows

    return [point(k) for k in range(5)]


def test_a_stopped_study_goes_on_where_it_was(tmp_path: Path) -> None:
    store, asked = tmp_path / "t.unfinished", {"study": "x", "parameters": {"dim": (1, 2)}}
    made: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        Work(store=store, asked=asked).table(points(made, stop=3))
    told: list[tuple[int, int]] = []
    again = Work(lambda *each: told.append(each), store, asked).table(points(made))
    assert made == [0, 1, 2, 3, 4]
    assert told == [(k, 5) for k in range(6)]
    assert again.equals(Work().table(points([])))
    assert dict(again.schema) == {"k": pl.Int64, "y": pl.Float64, "who": pl.String, "none": pl.Null}


def test_a_store_of_other_settings_is_refused_and_kept(tmp_path: Path) -> None:
    store = tmp_path / "t.unfinished"
    with pytest.raises(KeyboardInterrupt):
        Work(store=store, asked={"dim": 1}).table(points([], stop=1))
    before = store.read_bytes()
    with pytest.raises(FilesError, match=r"t\.unfinished' is of other settings"):
        Work(store=store, asked={"dim": 2})
    store.write_text("{")
    with pytest.raises(FilesError, match=r"t\.unfinished' is damaged .*; remove it"):
        Work(store=store, asked={"dim": 1})
    assert before


def test_no_store_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study("bounds", **SMALL["bounds"])
    assert list(itertools.chain(tmp_path.iterdir())) == []


def test_a_saved_table_has_every_row(tmp_path: Path) -> None:
    found = drawn("spectrum")
    path = found.save(tmp_path / "t.parquet")
    assert pl.read_parquet(path).equals(found.table)
    with pytest.raises(ValueError, match="exists; give another name"):
        found.save(path)


def test_a_title_is_the_question_without_the_setting() -> None:
    found = drawn("batch")
    assert found.title == "Does a larger batch average rounding away?"
    assert found.question == f"{found.title} {found.setting}"
    assert Reference("x", (1.0,), ()).panel == ""
