"""GPTQ on one matrix: the textbook loop with explicit inverses, brute force, diagonal H, every kind
of format.
"""

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from isoloss.formats import Format, fake_quantise
from isoloss.lm import CalibrationWarning, ModelError
from isoloss.lm.after.methods.gptq import gptq
from isoloss.lm.after.seen import DAMPING, inverse_factor

FORMATS = (
    "int3/row",
    "int4/8",
    "uint3/8",
    "int3_full/row",
    "e2m1/16",
    "mxfp4",
    "nvfp4",
    "ternary/row",
    "binary/8",
    "int3+clip/row",
    "int4/tensor",
    "int4+pow2/8",
    "e5m10/row",
    "bf16",
)


def problem(
    outputs: int, inputs: int, seed: int = 0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """Normal weights, and H of inputs that vary together."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(4 * inputs, inputs)) @ draw.normal(size=(inputs, inputs))
    return torch.tensor(draw.normal(size=(outputs, inputs)), dtype=dtype), torch.tensor(2 * x.T @ x)


def damped(h: Tensor) -> np.ndarray:
    return h.numpy() + DAMPING * h.numpy().diagonal().mean() * np.eye(len(h))


def cost(w: Tensor, q: Tensor, h: Tensor) -> float:
    return float(torch.einsum("oi,ij,oj->", (w - q).double(), h.double(), (w - q).double()))


def textbook(w: np.ndarray, h: np.ndarray, known: Format) -> np.ndarray:
    """Optimal brain surgery column by column: the inverse of what is free, taken afresh for every
    column.
    """
    w, rounded, group = w.copy(), np.empty_like(w), known.group or w.shape[1]
    steps = np.abs(w.reshape(len(w), -1, group)).max(2).repeat(group, 1) / known.max
    free = sorted(range(w.shape[1]), key=lambda i: -h[i, i])
    while free:
        i, inverse = free[0], np.linalg.inv(h[np.ix_(free, free)])
        codes = np.clip(np.round(w[:, i] / steps[:, i]), -known.max - 1, known.max)
        rounded[:, i] = codes * steps[:, i]
        w[:, free] -= np.outer((w[:, i] - rounded[:, i]) / inverse[0, 0], inverse[0])
        free = free[1:]
    return rounded


@pytest.mark.parametrize("spelled", ["int3/row", "int2/8", "int4/16"])
@pytest.mark.parametrize("inputs", [16, 160])  # one block of columns, and two
def test_it_is_the_textbook_loop(spelled: str, inputs: int) -> None:
    known = Format.parse(spelled)
    w, h = problem(5, inputs)
    np.testing.assert_allclose(gptq(w, h, known), textbook(w.numpy(), damped(h), known), rtol=1e-9)


def test_the_factor_is_that_of_the_inverse() -> None:
    _, h = problem(1, 12)
    upper = inverse_factor(h).numpy()
    scaled = damped(h) / h.numpy().diagonal().mean()
    np.testing.assert_allclose(upper.T @ upper @ scaled, np.eye(12), atol=1e-9)
    assert (upper == np.triu(upper)).all()


def test_the_last_column_takes_the_best_number_that_is_left() -> None:
    # With two columns the one of larger inputs is rounded alone and the other can be tried out: no
    # number does better.
    known, (w, h) = Format.parse("int3/row"), problem(20, 2, seed=3)
    found, last = gptq(w, h, known), torch.arange(2) == h.diagonal().argmin()
    metric = torch.from_numpy(damped(h))
    for row, q in zip(w, found, strict=True):
        step = float(row.abs().max()) / known.max
        tried = [
            cost(row[None], torch.where(last, k * step, q)[None], metric) for k in range(-4, 4)
        ]
        assert cost(row[None], q[None], metric) <= min(tried) * (1 + 1e-12)


def test_it_lies_between_rounding_to_nearest_and_brute_force() -> None:
    known, (w, h) = Format.parse("int2/row"), problem(6, 6, seed=1)
    metric = torch.from_numpy(damped(h))
    found, near = gptq(w, h, known), fake_quantise(w, known)
    for row, q in zip(w, found, strict=True):
        step = float(row.abs().max())
        best = min(
            cost(row[None], torch.tensor([codes], dtype=w.dtype) * step, metric)
            for codes in product((-2.0, -1.0, 0.0, 1.0), repeat=6)
        )
        assert best <= cost(row[None], q[None], metric) * (1 + 1e-12)
    assert cost(w, found, metric) < 0.7 * cost(w, near, metric)


@pytest.mark.parametrize("spelled", FORMATS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_without_correlations_it_is_rounding_to_nearest(spelled: str, dtype: torch.dtype) -> None:
    w, h = problem(7, 32, dtype=dtype)
    assert torch.equal(
        gptq(w, torch.diag(h.diagonal()), Format.parse(spelled)),
        fake_quantise(w, spelled, check=False),
    )


@pytest.mark.parametrize(
    "spelled",
    [s for s in FORMATS if s not in ("binary/8", "e5m10/row", "bf16")]
    + ["int3/row+had", "mxfp4+had"],
)
def test_outputs_change_less_than_by_rounding_to_nearest(spelled: str) -> None:
    w, h = problem(40, 64, seed=2, dtype=torch.float32)
    found = gptq(w, h, Format.parse(spelled))
    assert found.dtype == w.dtype
    assert cost(w, found, h) < cost(w, fake_quantise(w, spelled), h)


@pytest.mark.parametrize("spelled", ["int3/row", "int3/8", "e2m1/8", "mxfp4", "uint3/8"])
def test_the_result_keeps_to_few_numbers_a_granule(spelled: str) -> None:
    known = Format.parse(spelled)
    w, h = problem(6, 64, dtype=torch.float32)
    group = known.group or 64
    for granule in gptq(w, h, known).reshape(-1, group):
        assert len(torch.unique(granule)) <= (known.levels or 0)


def test_nv_scales_are_numbers_of_e4m3_times_one_of_the_tensor() -> None:
    w, h = problem(8, 64, seed=5, dtype=torch.float32)
    found = gptq(w, h, Format.parse("nvfp4"))
    step = w.abs().max() / (448 * 6)
    assert torch.equal(fake_quantise(found / step, "fp32"), found / step)
    shares = (found / step).reshape(-1, 16)
    scales = [float(row.abs()[row != 0].min()) for row in shares if (row != 0).any()]
    # The smallest number of a granule is its scale times a number of E2M1.
    assert all(
        any(
            np.isclose(fake_quantise(torch.tensor(s / e), "e4m3", scale=1.0), s / e, rtol=1e-5)
            for e in (0.5, 1, 1.5, 2, 3, 4, 6)
        )
        for s in scales
    )


def test_a_group_that_does_not_divide_the_inputs_ends_in_a_smaller_one() -> None:
    w, h = problem(4, 20, dtype=torch.float32)
    found = gptq(w, torch.diag(h.diagonal()), Format.parse("int4/16"))
    assert torch.equal(found[:, :16], fake_quantise(w[:, :16].contiguous(), "int4/16"))
    assert torch.equal(found[:, 16:], fake_quantise(w[:, 16:].contiguous(), "int4/row"))


def test_inputs_that_span_little_or_nothing_are_no_trouble() -> None:
    w, _ = problem(4, 16, dtype=torch.float32)
    x = torch.randn(1, 16, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(gptq(w, 2 * x.T @ x, Format.parse("int4/row"))).all()
    assert torch.equal(
        gptq(w, torch.zeros(16, 16), Format.parse("int4/row")), fake_quantise(w, "int4/row")
    )


def test_the_scale_of_inputs_does_not_matter() -> None:
    w, h = problem(4, 16, dtype=torch.float32)
    known = Format.parse("int3/row")
    assert torch.equal(gptq(w, h, known), gptq(w, h * 2.0**40, known))
    assert torch.equal(gptq(w, h, known), gptq(w, h * 2.0**-40, known))


def test_an_input_that_drowns_the_others_is_said_and_spread_by_a_rotation() -> None:
    w, h = problem(40, 64, seed=2)
    size = torch.ones(64, dtype=torch.float64)
    size[7] = 1e6
    h = h * size * size[:, None]
    with pytest.warns(CalibrationWarning, match=r"input 7 of 64 is .*e\+0[56] times the median"):
        found = gptq(w, h, Format.parse("int3/row"))
    near = fake_quantise(w, "int3/row")
    assert sum(found[:, i].equal(near[:, i]) for i in range(64)) > 60
    turned = gptq(w, h, Format.parse("int3/row+had"))  # says nothing
    assert cost(w, turned, h) < 0.8 * cost(w, fake_quantise(w, "int3/row+had"), h)
    size[7] = 100  # as those of language models
    gptq(w, problem(40, 64, seed=2)[1] * size * size[:, None], Format.parse("int3/row"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_inputs_that_are_not_finite_are_refused(value: float) -> None:
    w, h = problem(2, 4)
    h[1, 1] = value
    with pytest.raises(ModelError, match="NaN or infinity"):
        gptq(w, h, Format.parse("int4/row"))


def test_a_singular_matrix_without_damping_is_refused() -> None:
    w, _ = problem(2, 2)
    with pytest.raises(ModelError, match="no Cholesky factor"):
        gptq(w, torch.tensor([[1.0, 1.0], [1.0, 1.0]]), Format.parse("int4/row"), damping=0.0)


@pytest.mark.parametrize("spelled", ["add(0.1)", "int4~sr"])
def test_formats_without_a_fixed_grid_are_refused(spelled: str) -> None:
    w, h = problem(2, 4)
    with pytest.raises(ValueError, match="no fixed grid"):
        gptq(w, h, Format.parse(spelled))


@pytest.mark.parametrize(("w", "h", "words"), [
    (torch.ones(4, 16), torch.eye(8), r"H has shape \(8, 8\), and the weight has 16 inputs"),
    (torch.ones(4, 16), torch.ones(8, 16), r"H has shape \(8, 16\)"),
    (torch.ones(16), torch.eye(16), r"shape \(16,\); accepted are floats"),
    (torch.ones(0, 16), torch.eye(16), r"shape \(0, 16\)"),
    (torch.ones(4, 16, dtype=torch.int64), torch.eye(16), "torch.int64"),
    (torch.full((4, 16), torch.nan), torch.eye(16), "holds NaN or infinity"),
])  # fmt: skip
def test_what_is_no_matrix_of_these_inputs_is_refused(w: Tensor, h: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        gptq(w, h, "int4/row")


def turned(eigenvalues: list[float]) -> Tensor:
    """A symmetric matrix of these eigenvalues."""
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(len(eigenvalues),) * 2))[0]
    return torch.tensor(basis @ np.diag(eigenvalues) @ basis.T)


@pytest.mark.parametrize(
    ("h", "words"),
    [
        (
            turned([-0.5, 1, 2, 3]),
            r"^H has the eigenvalue -0\.5 \(its trace is \d.*\); accepted is 2 ",
        ),
        (turned([-1e-3, 1, 2, 3]), r"^H has the eigenvalue -0\.001 "),
        (-torch.eye(4), r"^H has the eigenvalue -1 \(its trace is 0\); accepted is 2 X\^T X of"),
        (torch.ones(4, 4) - torch.eye(4), r"^H has the eigenvalue -1 \(its trace is 0\); "),
        (torch.eye(4) + torch.eye(4).roll(1, 0).triu(), r"^H\[0, 3\] is 1 and H\[3, 0\] is 0; acc"),
    ],
)
def test_a_matrix_that_no_inputs_have_is_refused_by_value(h: Tensor, words: str) -> None:
    w, _ = problem(3, 4)
    for hessian in (h, h.float()):
        with pytest.raises(ModelError, match=words):
            gptq(w, hessian, "int3/row")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_singular_matrix_of_inputs_is_damped(dtype: torch.dtype) -> None:
    draw = np.random.default_rng(0)
    x = torch.tensor(draw.normal(size=(40, 3)) @ draw.normal(size=(3, 24)), dtype=dtype)
    h = 2 * x.T @ x  # of rank 3, a few eigenvalues below zero by rounding
    assert torch.linalg.eigvalsh(h)[0] < 0
    w, _ = problem(5, 24)
    found = gptq(w, h, "int3/row")
    assert cost(w, found, h) < 0.5 * cost(w, fake_quantise(w, "int3/row"), h)
    np.testing.assert_allclose(
        found,
        textbook(w.numpy(), damped(h.double()), Format.parse("int3/row")),
        rtol=1e-4 if dtype == torch.float32 else 1e-7,
    )
    assert gptq(w, torch.zeros(24, 24), "int3/row").equal(fake_quantise(w, "int3/row"))
