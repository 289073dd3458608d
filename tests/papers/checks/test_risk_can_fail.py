"""Computations changed on purpose turn the verdicts that rest on them."""

import pytest

from isoloss.linear import Difference
from isoloss.papers import Verdict, reproduce
from isoloss.papers.checks.risk import batch, dimension, figure1, points, sizes, spectrum


@pytest.fixture
def plain(monkeypatch):
    """The figures without their simulated dots, which no verdict rests on."""
    monkeypatch.setattr(figure1, "_simulated", lambda *_: [])
    monkeypatch.setattr(sizes, "_simulated", lambda *_: [])
    monkeypatch.setattr(dimension, "_simulated", lambda *_: [])
    monkeypatch.setattr(batch, "simulated_gaps", lambda _, points: [Difference(0, 0)] * 2)


def test_swapped_noises_turn_figure_1_and_the_dimension(monkeypatch, plain):
    asked = ("figure 1, over samples", "gap against dimension", "gap against batch")
    assert all(reproduce("zhang2025", name).verdict is Verdict.HOLDS for name in asked)
    swapped = {"additive": "vec_two_point", "shared factor": "add_two_point"}
    monkeypatch.setattr(points, "NOISES", points.NOISES | swapped)
    assert all(reproduce("zhang2025", name).verdict is Verdict.DIFFERS for name in asked)


def test_noise_of_another_distribution_turns_the_last_digit(monkeypatch, plain):
    normal = {"additive": "add", "shared factor": "vec"}
    monkeypatch.setattr(points, "NOISES", points.NOISES | normal)
    assert reproduce("zhang2025", "figure 1, over dimensions").verdict is Verdict.DIFFERS


def test_another_step_size_turns_figure_1(monkeypatch, plain):
    monkeypatch.setattr(figure1, "STEP_SIZE", 0.11)
    assert reproduce("zhang2025", "figure 1, over samples").verdict is Verdict.DIFFERS


def test_a_dropped_approximation_turns_the_sizes(monkeypatch, plain):
    assert reproduce("zhang2026", "risk against size").verdict is Verdict.HOLDS
    real = sizes.first_coordinates
    monkeypatch.setattr(sizes, "first_coordinates", lambda *a: (real(*a)[0], 0.0))
    assert reproduce("zhang2026", "risk against size").verdict is Verdict.DIFFERS


def test_a_wrong_level_turns_the_spectrum(monkeypatch):
    assert reproduce("zhang2025", "eigenvalues with rounding").verdict is Verdict.HOLDS
    wrong = spectrum.WAYS | {"additive": points.rounded("d", "additive", 2e-3)}
    monkeypatch.setattr(spectrum, "WAYS", wrong)
    assert reproduce("zhang2025", "eigenvalues with rounding").verdict is Verdict.DIFFERS


def test_a_wrong_sign_of_the_slope_turns_the_batch(monkeypatch):
    asked = ("zhang2025", "additive errors fall with the batch")
    assert reproduce(*asked).verdict is Verdict.ONLY_IF
    right = batch.slope
    monkeypatch.setattr(batch, "slope", lambda x, y: -right(x, y))
    assert reproduce(*asked).verdict is Verdict.DIFFERS
