"""Automatic derivatives against complex steps and central differences, for random expressions
and every preset.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoloss.laws import Array, Inputs, Jet, Law, as_inputs, plain, preset, presets, select, take

Value = Any
STEP = 1e-25


def jets(point: Array) -> list[Jet]:
    """One jet for each coordinate of a point, each of shape (1, 1)."""
    return [Jet(np.array([[v]]), {i: np.ones((1, 1))}) for i, v in enumerate(point)]


def gradient_of(f: Callable[[list[Value]], Value], point: Array) -> Array:
    """Derivatives by complex steps: exact to rounding, and independent of Jet."""
    eye = np.eye(len(point)) * 1j * STEP
    return np.array(
        [np.imag(f([np.array([[v]]) for v in point + row])).ravel() / STEP for row in eye]
    )


def hessian_of(f: Callable[[list[Value]], Value], point: Array) -> Array:
    """Central differences of the complex-step gradient, with a step in proportion to each
    coordinate.
    """
    rows = []
    for i, v in enumerate(point):
        h = np.zeros(len(point))
        h[i] = 1e-5 * max(abs(v), 1e-3)
        rows.append((gradient_of(f, point + h) - gradient_of(f, point - h)) / (2 * h[i]))
    return np.array(rows)


def agree(f: Callable[[list[Value]], Value], point: Array) -> None:
    """Asserts that jets have the derivatives that independent differences give."""
    found, gradient, hessian = f(jets(point)), gradient_of(f, point), hessian_of(f, point)
    scale = np.abs(gradient).max(axis=1) * np.abs(point) + 1e-12
    for i in range(len(point)):
        mine = np.broadcast_to(found.grad.get(i, 0.0), (1, gradient.shape[1]))[0]
        np.testing.assert_allclose(
            mine, gradient[i], rtol=1e-9, atol=1e-10 * scale.max() / max(abs(point[i]), 1e-9)
        )
        for j in range(i, len(point)):
            second = np.broadcast_to(found.hess.get((i, j), 0.0), (1, gradient.shape[1]))[0]
            size = scale.max() / max(abs(point[i] * point[j]), 1e-9)
            np.testing.assert_allclose(second, hessian[i, j], rtol=1e-5, atol=1e-6 * size)


UNARY: list[Callable[[Value], Value]] = [
    np.exp, np.expm1, np.tanh, np.negative,
    lambda v: np.log(1.5 + v * v), lambda v: np.log2(1.5 + v * v), lambda v: np.log1p(v * v),
    lambda v: np.sqrt(1.5 + v * v), np.square, lambda v: 2.0 / (1.5 + v * v),
    lambda v: (1.5 + v * v) ** -0.7,
    lambda v: 1.7**v, lambda v: 3.0 - v, lambda v: v / 3.0,
]  # fmt: skip
BINARY: list[Callable[[Value, Value], Value]] = [
    np.add, np.subtract, np.multiply, lambda u, v: u / (2.0 + v * v),
    lambda u, v: (1.5 + u * u) ** v,
    lambda u, v: np.power(1.5 + v * v, u) * v,
]  # fmt: skip


@st.composite
def programs(draw: st.DrawFn) -> Callable[[list[Value]], Value]:
    """Random straight-line programs on three constants and a feature of the runs."""
    steps = [
        (
            draw(st.sampled_from(UNARY)),
            draw(st.sampled_from(BINARY)),
            draw(st.integers(0, 9)),
            draw(st.integers(0, 9)),
        )
        for _ in range(draw(st.integers(1, 5)))
    ]

    def run(c: list[Value]) -> Value:
        stack = [*c, c[0] * np.array([0.3, -0.8, 1.2])]
        for one, two, i, j in steps:
            stack.append(np.tanh(two(one(0.5 * stack[i % len(stack)]), stack[j % len(stack)])))
        return sum(stack, start=0.0)

    return run


@settings(deadline=None, max_examples=60, derandomize=True)
@given(programs(), st.lists(st.floats(-1.2, 1.2), min_size=3, max_size=3))
def test_random_expressions(program: Callable[[list[Value]], Value], point: list[float]) -> None:
    agree(program, np.array(point))


@pytest.mark.parametrize("index", range(len(UNARY)))
def test_one_argument(index: int) -> None:
    agree(lambda c: UNARY[index](c[0] * np.array([0.4, 1.1])), np.array([0.7]))


@pytest.mark.parametrize("index", range(len(BINARY)))
def test_two_arguments(index: int) -> None:
    agree(lambda c: BINARY[index](c[0], c[1] * np.array([0.4, 1.1])), np.array([0.7, -0.9]))


def test_the_lesser_of_two_has_the_derivative_of_the_lesser() -> None:
    a, b = jets(np.array([2.0, 3.0]))
    low = np.minimum(a * np.array([1.0, 2.0]), b)  # 2 < 3 and 4 > 3
    assert low.value.tolist() == [[2.0, 3.0]]
    assert (low.grad[0].tolist(), low.grad[1].tolist()) == ([[1.0, 0.0]], [[0.0, 1.0]])
    assert np.minimum(np.array([1.0, 5.0]), a).value.tolist() == [[1.0, 2.0]]


def test_what_a_mask_hides_has_derivative_zero_even_where_it_is_infinite() -> None:
    (a,) = jets(np.array([0.0]))
    with np.errstate(all="ignore"):
        bad = np.log(a) * np.array([1.0, 2.0])
    good = select(np.array([False, False]), bad, 7.0)
    assert good.value.tolist() == [[7.0, 7.0]]
    assert good.grad[0].tolist() == [[0.0, 0.0]]
    assert good.hess[0, 0].tolist() == [[0.0, 0.0]]


def test_levels_are_gathered_to_runs_with_their_derivatives() -> None:
    (a,) = jets(np.array([2.0]))
    level = a * np.array([1.0, 10.0])
    assert take(level, np.array([1, 0, 1])).value.tolist() == [[20.0, 2.0, 20.0]]
    assert take(level, np.array([1, 0, 1])).grad[0].tolist() == [[10.0, 1.0, 10.0]]
    assert take(a, np.array([0, 0])).value.tolist() == [
        [2.0]
    ]  # a constant is one number for all runs


def test_other_functions_are_refused() -> None:
    (a,) = jets(np.array([1.0]))
    with pytest.raises(TypeError, match="operand type"):
        np.sin(a)
    with pytest.raises(TypeError, match="reduce"):
        np.add.reduce(a)


def test_plain_takes_derivatives_off() -> None:
    (a,) = jets(np.array([1.5]))
    assert plain(a).tolist() == [[1.5]]
    assert plain(2) == 2.0


SHARED = ["fp", "bf16", "w8 a8 kv8", "w7 -> w5", "w8 a9 kv10 -> w4", "fp -> w4", "w6"]
PRECISIONS = {
    "sun2025": ["fp", "w:e4m3/32", "w:e2m1", "w:e5m2/tensor", "bf16"],
    "chen2025": ["fp", "w4/64 a4/64", "w4/32", "a4", "w4 a4 a.fc2:int8"],
    "ouyang2024_per_bit": ["fp", "fp -> w2", "fp -> w3@gptq", "w8 -> w4"],
    "cao2024": ["fp", "fp -> w4/32", "fp -> w:mxfp4", "w8 -> w4/64@gptq"],
    "quartet2025": ["fp", "w:mxfp4@quest a:mxfp4@quest", "g:mxfp4~sr", "w4@luq a4@luq g4@luq"],
    "zhang2026": ["fp", "d:add(0.1)", "d4", "d:vec(0.2)", "d:e4m3"],
    "zhang2026_parts": ["fp", "d4 l:add(0.1) a4", "d:vec(0.2) g:vec(0.1)", "w:e4m3 a:coord(0.3)"],
    "frantar2023": ["fp"],
    "error": [
        "fp",
        "bf16",
        "fp -> w4",
        "fp -> w3@gptq",
        "fp -> w:e2m1/32 a8 kv4",
        "bf16 -> a:e4m3",
    ],
}
FREE_LEVELS = ("error", "quest2025", "frantar2025", "chen2025_shared", "cao2024", "thomassen2026")


def rows(law: Law) -> tuple[Law, Inputs]:
    """A law bound to a few runs that reach each of its terms."""
    rng = np.random.default_rng(3)
    known = PRECISIONS.get(law.name, SHARED)
    count = 2 * len(known)
    n, d = 10 ** rng.uniform(7.5, 9.5, count), 10 ** rng.uniform(9, 11, count)
    sparsity = ["2:4" if k % 2 and law.name == "frantar2023" else None for k in range(count)]
    x = as_inputs(n, d, known * 2, unique_tokens=d / rng.uniform(1, 6, count), sparsity=sparsity)
    return (law.bind(x.levels) if law.name in FREE_LEVELS else law), x


@pytest.mark.parametrize("name", [law.name for law in presets()])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_published_law(name: str, seed: int) -> None:
    law, x = rows(
        preset(name).release("kappa") if seed and "kappa" in preset(name).fixed else preset(name)
    )
    rng = np.random.default_rng(seed)
    free = law.free
    point = np.array(
        [
            np.exp(rng.uniform(*np.log(k.start))) if k.scale == "log" else rng.uniform(*k.start)
            for k in free
        ]
    )

    def loss(c: list[Value]) -> Value:
        named = {**law.values, **{k.name: v for k, v in zip(free, c, strict=True)}}
        named |= {name: named[to] for name, to in law.ties.items()}
        return law.formula.loss(
            {k: float(v) if isinstance(v, int) else v for k, v in named.items()}, x
        )

    assert np.isfinite(plain(loss(jets(point)))).all()
    agree(loss, point)
