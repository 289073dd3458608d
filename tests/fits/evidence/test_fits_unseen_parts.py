"""Warnings of parts that a law has no term for: in fits, comparisons and predictions."""

import pytest

from isoloss.fits import WarningKind, compare, fit, predict
from isoloss.laws import DomainError, preset
from isoloss.linear import SGD, Regression, simulate

UNSEEN = WarningKind.UNSEEN_PARTS


@pytest.fixture(scope="module")
def exact():
    grid = {
        "dim": [4, 16, 64],
        "samples": [300, 3000, 30_000],
        "precision": ["fp", "d:add(0.01)", "d:int6~sr"],
    }
    return simulate(Regression(16), grid, SGD(1, step_size=0.1))


def said(found):
    return [w.text for w in found.warnings if w.kind is UNSEEN]


def test_a_fit_says_which_runs_are_full_precision_to_its_law(exact):
    found = fit("kumar2024", exact, draws=2, starts=2)
    assert said(found) == ["kumar2024 has no part d: 18 of 27 runs are full precision to it"]
    assert found.warnings[[w.kind for w in found.warnings].index(UNSEEN)].about == ("d",)
    # An effect of 0% is none of a law that cannot see it.
    assert not any(w.kind is WarningKind.BASE_MISFIT for w in found.warnings)
    assert said(found)[0] in str(found)


def test_a_law_that_sees_the_part_says_what_else_it_leaves_out(exact):
    found = fit(preset("zhang2026").fix(kappa=0.4, p=2.0), exact, draws=2, starts=1)
    assert said(found) == [
        "zhang2026 has no term for 'd~sr': 9 of 27 runs are the same to it without"
    ]
    assert said(fit("chinchilla", exact.where(precision="fp"), draws=2, starts=2)) == []


def test_a_comparison_prints_it_of_each_law(exact):
    laws = ["chinchilla", "chinchilla_tied"]
    text = str(compare(laws, exact, draws=2, starts=1, holdouts="longest"))
    for name in laws:
        assert f"{name}: unseen parts: {name} has no part d: 18 of 27 runs are full prec" in text


@pytest.mark.parametrize(
    ("precision", "text"),
    [
        ("fp -> w4@foo", "has no term for '-> w@foo': 'fp -> w4@foo' is 'fp -> w4' to it"),
        ("w4 w.head:fp", "has no term for 'w.head': 'w4 w.head:fp' is 'w4' to it"),
        ("d4", "has no part d: 'd4' is full precision to it"),
        (["q4", "w4", "g8"], "has no parts q, g: 'q4' is full precision, 'g8' is full precision"),
    ],
)
def test_a_prediction_says_as_what_a_precision_was_taken(precision, text):
    found = predict("kumar2024", "1B", "20B", precision)
    assert len(said(found)) == 1
    assert said(found)[0].startswith(f"kumar2024 {text}")


def test_a_saved_fit_predicts_with_the_same_warning(exact):
    found = fit("chinchilla", exact, draws=2, starts=2).predict(16, 1000, "d:add(0.01)")
    assert said(found) == ["chinchilla has no part d: 'd:add(0.01)' is full precision to it"]


def test_nothing_is_said_where_all_is_seen():
    asked = ["w4 a8 kv8", "fp -> w4", "w4 -> w6", "bf16"]
    assert said(predict("kumar2024", "1B", "20B", asked)) == []


def test_a_group_of_a_law_without_groups_is_an_error(exact):
    found = fit("chinchilla", exact, draws=2, starts=2)
    with pytest.raises(DomainError, match="group is 'x', and law 'chinchilla' has one base"):
        found.predict(16, 1000, group="x")
    with pytest.raises(DomainError, match="group is 'x', and law 'kumar2024' has one base"):
        predict(preset("kumar2024"), 1e9, 2e10, group="x")
