"""Jumping on a contour against stepping, and compressed modes against all coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoloss.linear import SGD, Regression, excess_risk, excess_risks, stability_limit

LEVELS = st.sampled_from([0.0, 1e-6, 1e-3, 1e-2, 0.3])
KINDS = st.sampled_from(["add", "vec", "coord"])
ITERATES = st.sampled_from(["last", "average", "tail", "tail 0.1"])
SCHEDULES = st.sampled_from(["constant", "geometric"])


@st.composite
def problems(draw: st.DrawFn) -> Regression:
    dim = draw(st.sampled_from([1, 2, 7, 33, 300, 2000]))
    target = draw(st.sampled_from([1.0, 0.3, "isotropic", "source 1.5"]))
    decay, noise = (
        draw(st.sampled_from([0.0, 1.1, 1.5, 2.0, 4.0])),
        draw(st.sampled_from([0.0, 0.25, 1.0])),
    )
    return Regression(dim, decay, noise, target, kurtosis=draw(st.sampled_from([1.0, 3.0, 9.0])))


@st.composite
def precisions(draw: st.DrawFn) -> str:
    parts = [(part, draw(KINDS), draw(LEVELS)) for part in "dlwag"]
    return " ".join(f"{part}:{kind}({eps})" for part, kind, eps in parts if eps) or "fp"


@st.composite
def descents(draw: st.DrawFn) -> SGD:
    share = draw(st.sampled_from([0.01, 0.3, 0.9, 0.99]))
    batch, steps = draw(st.sampled_from([1, 3, 64, 10**6])), draw(st.integers(1, 1200))
    momentum = draw(st.sampled_from([0.0, 0.0, 0.5, 0.9]))
    return SGD(steps, batch, f"{share} limit", draw(SCHEDULES), momentum)


def agree(
    problem: Regression, sgd: SGD, precision: str, iterate: str, inputs: str, method: str
) -> None:
    """Asserts the bar of the design: 1e-10 of the larger of the risk and a thousandth of that at
    w_0.
    """
    one, other = (
        excess_risk(problem, sgd, precision, iterate, inputs, each) for each in (method, "steps")
    )
    start = 0.5 * np.sum(problem.lam * problem.target_squares)
    assert abs(one.value - other.value) <= 1e-10 * max(other.value, 1e-3 * start)
    assert one.value == pytest.approx(one.parts.total, rel=1e-14)


@settings(deadline=None, max_examples=80, derandomize=True)
@given(problems(), descents(), precisions(), ITERATES, st.sampled_from(["clean", "in use"]))
def test_jumping_is_stepping(
    problem: Regression, sgd: SGD, precision: str, iterate: str, inputs: str
) -> None:
    agree(problem, sgd, precision, iterate, inputs, "exact")


@settings(deadline=None, max_examples=40, derandomize=True)
@given(problems(), descents(), precisions(), ITERATES)
def test_jumping_in_full_is_stepping(
    problem: Regression, sgd: SGD, precision: str, iterate: str
) -> None:
    agree(problem, sgd, precision, iterate, "clean", "full")


@pytest.mark.parametrize("step_size", [1.2, 1.7, 1.9, 1.999])
@pytest.mark.parametrize("steps", [64, 300, 3000])
def test_signs_that_alternate(step_size: float, steps: int) -> None:
    """gamma h > 1 puts poles where the contour does not go."""
    agree(Regression(50), SGD(steps, 10**7, step_size), "fp", "average", "clean", "exact")
    agree(Regression(50), SGD(steps, 10**7, step_size), "fp", "last", "clean", "exact")


@pytest.mark.parametrize("momentum", [0.3, 0.9, 0.97])
@pytest.mark.parametrize("share", [0.1, 0.99])
@pytest.mark.parametrize("iterate", ["last", "average", "tail"])
def test_jumping_with_momentum(momentum: float, share: float, iterate: str) -> None:
    for batch, schedule in ((1, "constant"), (20, "geometric"), (10**6, "constant")):
        sgd = SGD(3000, batch, f"{share} limit", schedule, momentum)  # type: ignore[arg-type]
        agree(
            Regression(60, 1.5, 0.25),
            sgd,
            "d:add(1e-3) w:vec(0.1) a:coord(0.2)",
            iterate,
            "clean",
            "full",
        )


@pytest.mark.parametrize(
    ("problem", "sgd", "precision", "iterate"),
    [
        # What still turns is not smooth in the index: modes would not stand for it.
        (
            Regression(100, 0.5, 0.0),
            SGD(249, 10**6, "0.3 limit", momentum=0.95),
            "d:coord(0.3)",
            "tail 0.1",
        ),
        (
            Regression(500, 0.5, 0.0),
            SGD(151, 10**6, "0.9 limit", "geometric", 0.95),
            "fp",
            "average",
        ),
        # Noise that feeds back has a pole of its own away from the axis.
        (
            Regression(1, 0.0, 0.0),
            SGD(2368, 100, "0.999 limit", momentum=0.5),
            "g:coord(3.0)",
            "last",
        ),
        # kurtosis 1 at batch 1: the map of a coordinate alone goes below -1.
        (Regression(30, 3.0, kurtosis=1.0), SGD(500, 1, "0.95 limit"), "fp", "last"),
    ],
)
def test_what_a_contour_alone_would_miss(
    problem: Regression, sgd: SGD, precision: str, iterate: str
) -> None:
    for method in ("exact", "full"):
        agree(problem, sgd, precision, iterate, "clean", method)


def test_a_billion_steps_with_momentum() -> None:
    """Slow modes see a step of gamma / (1 - b): the risk of long averages is that of plain
    descent.
    """
    plain = excess_risk(Regression(1000), SGD(10**9, 1, 1e-3))
    heavy = excess_risk(Regression(1000), SGD(10**9, 1, 1e-4, momentum=0.9))
    assert heavy.parts.bias == pytest.approx(plain.parts.bias, rel=1e-4)
    assert heavy.parts.variance == pytest.approx(plain.parts.variance, rel=0.01)


@pytest.mark.parametrize(
    "precision", ["fp", "d:add(1e-7) w:vec(1e-3)", "d:vec(0.1) l:coord(0.1) a:add(0.1)"]
)
@pytest.mark.parametrize("decay", [1.05, 1.5, 3.0])
@pytest.mark.parametrize("dim", [1000, 100_000])
def test_modes_stand_for_all_coordinates(precision: str, decay: float, dim: int) -> None:
    for steps in (64, 10_000, 10**9):
        for target in (1.0, "source 1.3"):
            problem, sgd = Regression(dim, decay, target=target), SGD(steps, 1, "0.5 limit")
            few, all_ = (
                excess_risk(problem, sgd, precision, method=m) for m in ("contour", "full")
            )
            assert few.parts.bias == pytest.approx(
                all_.parts.bias, rel=1e-10, abs=1e-11 * all_.value
            )
            assert few.parts.variance == pytest.approx(all_.parts.variance, rel=1e-10)


def test_a_billion_steps_end_where_they_must() -> None:
    """The last iterate rests at V = gamma sigma^2 / (2 - ...), in closed form for one
    coordinate.
    """
    gamma, noise = 0.1, 1.0
    risk = excess_risk(Regression(1, noise_var=noise), SGD(10**9, 1, gamma), iterate="last")
    # V = (1 - 2 g + 3 g^2) V + g^2 noise for a normal feature of variance one
    assert risk.value == pytest.approx(0.5 * gamma * noise / (2 - 3 * gamma), rel=1e-11)
    average = excess_risk(Regression(1, noise_var=noise), SGD(10**9, 1, gamma))
    still = gamma * noise / (2 - 3 * gamma)
    assert average.value == pytest.approx(0.5 * still * (2 - gamma) / gamma / 1e9, rel=1e-7)


def test_many_points_are_what_each_is_alone() -> None:
    points = [
        (Regression(dim, target=target), SGD(steps, batch, "0.4 limit", schedule), precision)
        for dim in (20, 500)
        for target in (1.0, "isotropic", "source 2")
        for steps in (3, 64, 65, 100, 900, 10**6)
        for batch in (1, 8)
        for schedule in ("constant", "geometric")
        for precision in ("fp", "d:add(0.01)", "w:vec(0.1) -> w:add(0.01)", "fp -> w:coord(0.2)")
    ]  # fmt: skip
    together = excess_risks(points, "tail")
    for point, risk in zip(points, together, strict=True):
        assert risk.value == pytest.approx(excess_risk(*point, "tail").value, rel=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("batch", [1, 30, 10**7])
def test_the_limit_is_where_the_moments_start_to_grow(momentum: float, batch: int) -> None:
    problem, precision = Regression(20, 1.2), "d:add(0.05) w:vec(0.1) a:vec(0.2) g:coord(0.3)"
    limit = stability_limit(problem, SGD(1, batch, momentum=momentum), precision)
    below = [
        excess_risk(
            problem, SGD(steps, batch, 0.95 * limit, momentum=momentum), precision, "last"
        ).value
        for steps in (3000, 6000)
    ]
    assert below[1] == pytest.approx(below[0], rel=0.05)
    with pytest.raises(ValueError, match=r"is unstable; the limit for this problem.* is "):
        excess_risk(problem, SGD(100, batch, 1.0001 * limit, momentum=momentum), precision)


def test_beyond_the_limit_the_moments_do_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Regression(20, 1.2)
    limit = stability_limit(problem, SGD(1))
    monkeypatch.setattr(
        "isoloss.linear.exact.solving.stable", lambda op, gamma, momentum: gamma[:, 0] > 0
    )
    grown = [
        excess_risk(problem, SGD(steps, 1, 1.02 * limit), "fp", "last", method="steps").value
        for steps in (1000, 2000, 3000)
    ]
    assert grown[1] > 1.5 * grown[0]
    assert grown[2] / grown[1] > 1.5
