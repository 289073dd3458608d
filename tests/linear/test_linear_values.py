"""The values of the room: problems from elsewhere, equality, what prints itself, and the shape of
schedules.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from isoloss.formats import Precision
from isoloss.linear import SGD, Regression, excess_risk, training_risk
from isoloss.linear.descent import first_averaged


def test_a_problem_with_the_spectrum_of_data() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((500, 6)) @ rng.standard_normal((6, 6))
    truth = rng.standard_normal(6)
    labels = features @ truth + 0.3 * rng.standard_normal(500)
    problem = Regression.from_data(features, labels)
    fitted, rest, *_ = np.linalg.lstsq(features, labels)
    assert problem.lam == pytest.approx(np.linalg.eigvalsh(features.T @ features / 500)[::-1])
    assert problem.noise_var == pytest.approx(rest[0] / 500)
    signal = np.mean((features @ fitted) ** 2)
    assert np.sum(problem.lam * problem.target_squares) == pytest.approx(signal)
    same = Regression.from_covariance(features.T @ features / 500)
    assert same.lam == pytest.approx(problem.lam)


def test_fewer_rows_than_features_leave_directions_without_variance() -> None:
    problem = Regression.from_data(
        np.random.default_rng(0).standard_normal((3, 5)), np.ones(3), noise_var=1.0
    )
    assert np.sum(problem.lam > 0) == 3
    assert excess_risk(problem, SGD(100, 4)).value >= 0


def test_an_exponential_spectrum() -> None:
    problem = Regression.exponential(50, 0.3, noise_var=0.5)
    assert problem.lam == pytest.approx(np.exp(-0.3 * np.arange(50)))
    assert not problem.smooth
    one, other = (
        excess_risk(problem, SGD(500), method=method).value for method in ("exact", "steps")
    )
    assert one == pytest.approx(other, rel=1e-10)


def test_targets() -> None:
    assert Regression(4, target=2.0).target_squares.tolist() == [4.0] * 4
    assert Regression(2, target=[1.0, -3.0]).target_squares.tolist() == [1.0, 9.0]
    source = Regression(100, 2.0, target="source 1.5")
    assert source.lam * source.target_squares == pytest.approx(np.arange(1.0, 101) ** -1.5)
    assert source.random_target
    # The risk depends on w* through its squares only.
    sgd = SGD(100, 1, 0.1)
    assert excess_risk(Regression(9, target="isotropic"), sgd) == excess_risk(Regression(9), sgd)


def test_problems_are_equal_where_they_mean_the_same() -> None:
    one, other = (Regression(3, target=[1.0, 2.0, 3.0], spectrum=[3.0, 2.0, 1.0]) for _ in range(2))
    assert one == other
    assert len({one, other, pickle.loads(pickle.dumps(one))}) == 1
    assert one != Regression(3, target=[1.0, 2.0, 3.5], spectrum=[3.0, 2.0, 1.0])
    assert Regression(3) != "a problem"
    with pytest.raises(ValueError, match="read-only"):
        one.spectrum[0] = 5.0  # type: ignore[index]


def test_a_precision_or_its_spelling() -> None:
    sgd = SGD(50, 1, 0.1)
    assert excess_risk(Regression(9), sgd, Precision("d:add(0.1)")) == excess_risk(
        Regression(9), sgd, "d:add(0.1)"
    )
    assert excess_risk(Regression(9), sgd, "d:fp") == excess_risk(Regression(9), sgd)


def test_the_sketch_is_the_same_however_it_is_cut() -> None:
    problem = Regression(50, sketch=7, seed=3)
    pieces = np.concatenate([columns for _, columns in problem.sketch_columns(8)]).T
    assert np.array_equal(pieces, problem.sketch_matrix())
    assert np.std(problem.sketch_matrix()) == pytest.approx(7**-0.5, rel=0.1)


def test_samples_and_stages() -> None:
    assert SGD.samples(1000, 8, step_size=0.1) == SGD(125, 8, 0.1)
    stages = SGD(1000, 1, 0.1, "geometric").stages(0.4)
    assert [size for size, _ in stages[:3]] == [0.4, 0.2, 0.1]
    assert sum(steps for _, steps in stages) == 1000
    assert stages[0][1] == 100  # 1000 / log2 1000 = 100.3
    assert SGD(1, schedule="geometric").stages(0.4) == [(0.4, 1)]
    sizes = SGD(4, schedule="cosine").step_sizes(1.0)
    assert sizes == pytest.approx([1.0, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2])
    assert SGD(1000, 1, 0.1, "geometric").step_sizes(0.4).shape == (1000,)


@pytest.mark.parametrize(
    ("iterate", "steps", "first"),
    [("last", 9, None), ("average", 9, 0),
     ("tail", 10, 5), ("tail 0.25", 100, 75), ("tail 1", 9, 0),
     ("tail 0.01", 9, 8)],
)  # fmt: skip
def test_the_first_iterate_that_is_averaged(iterate: str, steps: int, first: int | None) -> None:
    assert first_averaged(iterate, steps) == first


def test_what_prints_itself() -> None:
    risk = excess_risk(
        Regression(200), SGD(1000, 1, 0.1), "d:add(0.01) -> w:add(1e-3)", inputs="in use"
    )
    assert str(risk).startswith("excess risk 0.111126 (exact, features rounded in")
    assert str(risk).endswith(
        "in use) = bias 0.007315 + variance 0.02844 + rounding 0.00182 + floor 0.07355"
    )
    assert float(risk) == risk.value
    clean = excess_risk(Regression(200), SGD(1000, 1, 0.1), "d:add(0.01)")
    assert str(clean).endswith("of the bias is asymptotic")
    assert str(Regression(5, sketch=2)).endswith("sketched to 2 (quantised after)")
    assert str(training_risk(Regression(5), SGD(10, 1, 0.1))).startswith("training risk")
