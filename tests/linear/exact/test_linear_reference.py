"""The exact risk against the tables of the notes on the theory, which have two-point noise, to the
printed digits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest

from isoloss.linear import SGD, Regression, excess_risk


class Kind(NamedTuple):
    """How noise is distributed, and by how much the last printed digit may be off."""

    ending: str
    off: float


@pytest.fixture(params=[Kind("_two_point", 0.5), Kind("", 1.5)], ids=["two-point", "normal"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Two-point noise agrees to all printed digits, normal noise to one in the last."""
    found: Kind = request.param
    return found


def agree(found: list[float], printed: tuple[float, ...], digits: int, tolerance: float) -> None:
    assert found == pytest.approx(list(printed), abs=tolerance * 10.0**-digits, rel=0)


STEPS = (100, 1000, 3000, 10_000)


def everywhere(noise: str, eps: float) -> str:
    """The same noise on all five quantisers."""
    return " ".join(f"{part}:{noise}({eps})" for part in "dlwag") if eps else "fp"


# Zhang et al. 2025, figure 1, first question: d = 200, step size 0.1, average, clean inputs.
BY_STEPS = [
    ("add", 0, 200, (0.1668, 0.0505, 0.0281, 0.0142)),
    ("add", 1e-3, 200, (0.1673, 0.0518, 0.0302, 0.0179)),
    ("add", 5e-3, 200, (0.1692, 0.0569, 0.0381, 0.0294)),
    ("add", 1e-2, 200, (0.1718, 0.0630, 0.0466, 0.0398)),
    ("vec", 1e-3, 200, (0.1670, 0.0506, 0.0281, 0.0143)),
    ("vec", 5e-3, 200, (0.1679, 0.0510, 0.0283, 0.0144)),
    ("vec", 1e-2, 200, (0.1691, 0.0515, 0.0286, 0.0146)),
    # Second question: eps 0.01 at other dimensions.
    ("add", 1e-2, 50, (0.1640, 0.0551, 0.0389, 0.0324)),
    ("add", 1e-2, 100, (0.1692, 0.0602, 0.0439, 0.0373)),
    ("add", 1e-2, 400, (0.1734, 0.0646, 0.0482, 0.0412)),
    ("vec", 1e-2, 50, (0.1616, 0.0441, 0.0215, 0.0082)),
    ("vec", 1e-2, 100, (0.1666, 0.0490, 0.0262, 0.0122)),
    ("vec", 1e-2, 400, (0.1704, 0.0527, 0.0299, 0.0158)),
]


@pytest.mark.parametrize(("noise", "eps", "dim", "printed"), BY_STEPS)
def test_risk_against_samples(
    noise: str, eps: float, dim: int, printed: tuple[float, ...], kind: Kind
) -> None:
    found = [
        excess_risk(Regression(dim), SGD(steps, 1, 0.1), everywhere(noise + kind.ending, eps)).value
        for steps in STEPS
    ]
    agree(found, printed, 4, kind.off)


@pytest.mark.parametrize("steps", STEPS)
def test_noise_by_element_is_within_1e_4_of_a_shared_factor(steps: int) -> None:
    one, other = (
        excess_risk(Regression(200), SGD(steps, 1, 0.1), everywhere(noise, 1e-2)).value
        for noise in ("vec", "coord")
    )
    assert other == pytest.approx(one, abs=1e-4)


@pytest.mark.parametrize(
    ("inputs", "printed"),
    [
        ("clean", (0.0120, 0.0122, 0.0124, 0.0129, 0.0138)),
        ("in use", (0.0409, 0.0473, 0.0604, 0.0887, 0.1565)),
    ],
)
def test_gap_to_full_precision_against_dimension(
    inputs: str, printed: tuple[float, ...], kind: Kind
) -> None:
    """Section 4.3 of the notes: eps 0.01 on all targets, added, step size 0.1, 1000 steps."""
    gaps = []
    for dim in (50, 100, 200, 400, 800):
        full, noisy = (
            excess_risk(
                Regression(dim),
                SGD(1000, 1, 0.1),
                everywhere(f"add{kind.ending}", eps),
                inputs=inputs,
            )
            for eps in (0, 1e-2)
        )
        gaps.append(noisy.value - full.value)
    agree(gaps, printed, 4, kind.off)


@pytest.mark.parametrize(
    ("noise", "printed"),
    [
        ("add", (0.00212, 0.00101, 0.00049, 0.00012, 0.00003, 0.00001)),
        ("vec", (0.00469, 0.00216, 0.00115, 0.00048, 0.00032, 0.00028)),
        ("coord", (0.00469, 0.00196, 0.00090, 0.00021, 0.00005, 0.00001)),
    ],
)
def test_batches_help_all_but_noise_that_a_batch_shares(
    noise: str, printed: tuple[float, ...], kind: Kind
) -> None:
    """Section 4.3 of the notes: activations and gradients at eps 0.3, d = 100, 1000 steps of
    0.1.
    """
    gaps = []
    for batch in (1, 2, 4, 16, 64, 256):
        sgd, problem = SGD(1000, batch, 0.1), Regression(100)
        noisy = excess_risk(problem, sgd, "a:{0}(0.3) g:{0}(0.3)".format(noise + kind.ending))
        gaps.append(noisy.value - excess_risk(problem, sgd).value)
    agree(gaps, printed, 5, kind.off)


SIZES = (5, 10, 20, 40, 80, 160)


@pytest.mark.parametrize(
    ("precision", "printed"),
    [
        ("fp", (0.0908, 0.0479, 0.0253, 0.0157, 0.0133, 0.0129)),
        ("d:add(1e-3)", (0.0909, 0.0482, 0.0269, 0.0192, 0.0175, 0.0173)),
        ("d:add(1e-2)", (0.0930, 0.0562, 0.0439, 0.0413, 0.0410, 0.0410)),
        ("d:vec(1e-2)", (0.0909, 0.0480, 0.0255, 0.0160, 0.0135, 0.0131)),
    ],
)
def test_effective_model_size_at_constant_steps(precision: str, printed: tuple[float, ...]) -> None:
    """Section 5 of the notes: M modes i^-2, v = 1, 8000 steps of 0.2; the noise holds what M modes
    cannot learn.
    """
    agree([total(size, precision, "constant", "average") for size in SIZES], printed, 4, 1.0)


@pytest.mark.parametrize(
    ("precision", "printed"),
    [
        ("fp", (0.0910, 0.0481, 0.0277, 0.0220, 0.0210, 0.0209)),
        ("d:add(1e-2)", (0.0930, 0.0558, 0.0434, 0.0410, 0.0407, 0.0407)),
    ],
)
def test_effective_model_size_at_geometric_steps(
    precision: str, printed: tuple[float, ...]
) -> None:
    """The same with a geometric schedule, whose stages the notes do not fix to the step."""
    agree([total(size, precision, "geometric", "last") for size in SIZES], printed, 4, 1.5)


def total(size: int, precision: str, schedule: str, iterate: str) -> float:
    """Approximation and excess risk of `size` modes out of infinitely many."""
    missed = math.pi**2 / 6 - sum(i**-2.0 for i in range(1, size + 1))
    sgd = SGD(8000, 1, 0.2, schedule)  # type: ignore[arg-type]
    return (
        0.5 * missed
        + excess_risk(Regression(size, noise_var=0.25 + missed), sgd, precision, iterate).value
    )
