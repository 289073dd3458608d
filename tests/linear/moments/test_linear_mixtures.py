"""Real grids under features that are not normal, and dither: by brute force, and sampled."""

from __future__ import annotations

import numpy as np
import pytest

from isoloss.formats import Format, round_elements
from isoloss.linear import SGD, Regression, Scales, excess_risk, sample_risk
from isoloss.linear.moments.mixtures import moments_on_grid, shape_of
from isoloss.linear.quantisers import levels_of

N = 4001
SD = np.array([1.0, 0.37, 0.05])


def features(kurtosis: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of variance one that stand for the distribution, with their weights."""
    if kurtosis == 1:
        return np.array([-1.0, 1.0]), np.full(2, 0.5)
    z = np.linspace(-9, 9, N)
    weight = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    if kurtosis > 3:
        share = 3 / kurtosis
        return np.append(z * np.sqrt(kurtosis / 3), 0.0), np.append(share * weight, 1 - share)
    q = 1 - np.sqrt((3 - kurtosis) / 2)
    both = np.concatenate([np.sqrt(q) * z + sign * np.sqrt(1 - q) for sign in (-1, 1)])
    return both, np.tile(weight / 2, 2)


def rounded(known: Format, x: np.ndarray, scale: float) -> np.ndarray:
    """Q(x) for values of the random number, evenly spaced, (J, n)."""
    if known.rounding is None:
        return round_elements(x / scale, known)[None] * scale
    count = 64 if len(x) > 2 else 4096
    numbers = np.repeat((np.arange(count) + 0.5)[:, None] / count, len(x), axis=1)
    return round_elements(np.tile(x / scale, (count, 1)), known, random=numbers) * scale


@pytest.mark.parametrize("kurtosis", [1.0, 1.8, 3.0, 6.0])
@pytest.mark.parametrize(
    "name", ["int4", "int4~sr", "int4~dither", "e2m1", "e2m1~sr", "int3~dither"]
)
def test_five_moments_by_brute_force(name: str, kurtosis: float) -> None:
    known, scale = Format.parse(name), 0.31
    unit, weight = features(kurtosis)
    found = moments_on_grid(known, levels_of(known, scale, 1.0), kurtosis, SD)
    for i, sd in enumerate(SD):
        x = sd * unit
        top = known.max * scale
        inside = np.clip(x, -top, top)  # two's complement would reach a step further below
        u = rounded(known, inside, scale)
        expected = [
            np.mean((each * weight).sum(axis=1))
            for each in (u**2, u**4, u * x, u**3 * x, u**2 * x**2)
        ]
        assert [each[i] for each in found] == pytest.approx(expected, rel=4e-3, abs=2e-5)


def test_the_kurtosis_is_what_it_says() -> None:
    for kurtosis in (1.0, 1.3, 2.5, 3.0, 9.0):
        share, sign, normal = shape_of(kurtosis)
        square = share * (sign**2 + normal**2)
        fourth = share * (sign**4 + 6 * sign**2 * normal**2 + 3 * normal**4)
        assert (square, fourth) == pytest.approx((1.0, kurtosis))


@pytest.mark.parametrize(
    ("kurtosis", "precision"),
    [
        (1.0, "d:int3"), (2.0, "d:int3~sr"), (6.0, "d:int4"), (3.0, "d:int3~dither"),
        (2.0, "d:e2m1"), (6.0, "d:int3~dither"),
    ],
)  # fmt: skip
def test_the_risk_is_that_of_the_sampler(kurtosis: float, precision: str) -> None:
    problem, sgd = Regression(8, 1.0, 0.5, kurtosis=kurtosis), SGD(40, 2, 0.08)
    exact = excess_risk(problem, sgd, precision, "last", "in use")
    assert exact.how == "exact"
    drawn = sample_risk(problem, sgd, precision, "last", "in use", replicates=6000)
    assert drawn.value == pytest.approx(exact.value, abs=3.5 * drawn.standard_error)
    assert drawn.standard_error < 0.02 * exact.value


def test_dither_is_uniform_noise_where_nothing_saturates() -> None:
    problem, sgd = Regression(30), SGD(500, step_size=0.05)
    for inputs in ("clean", "in use"):
        one = excess_risk(problem, sgd, "d:int8~dither", inputs=inputs, scales=Scales(d=0.2))
        other = excess_risk(problem, sgd, f"d:add_uniform({0.2**2 / 12!r})", inputs=inputs)
        assert one.value == pytest.approx(other.value, rel=1e-12)
    result = excess_risk(problem, sgd, "fp -> w:int8~dither", scales=Scales(post=0.05))
    expected = 0.5 * 0.05**2 / 12 * problem.lam.sum()
    assert result.parts.rounding == pytest.approx(expected, rel=1e-9)


def test_few_coordinates_stand_for_all_but_not_for_signs() -> None:
    """Below kurtosis 3 the moments jump with the eigenvalue: all coordinates are taken."""
    sgd = SGD(300, step_size=0.05)
    for kurtosis, precision in ((6.0, "d:int5~dither"), (6.0, "d:int4"), (1.0, "d:int4")):
        problem = Regression(400, kurtosis=kurtosis)
        one, other = (
            excess_risk(problem, sgd, precision, method=each).value for each in ("exact", "full")
        )
        assert one == pytest.approx(other, rel=1e-9)


def test_where_dither_ends() -> None:
    asked = Regression(5), SGD(50, step_size=0.05), "a:int4~dither"
    with pytest.raises(ValueError, match=r"it is 'a:add_uniform\(step\^2 / 12\)', else use method"):
        excess_risk(*asked)
    fine = excess_risk(*asked[:2], f"a:add_uniform({0.5**2 / 12!r})", "last").value
    drawn = sample_risk(*asked, "last", scales=Scales(a=0.5), replicates=8000)
    assert drawn.value == pytest.approx(fine, abs=3.5 * drawn.standard_error)
