"""Straight-through rules, each against its formula written out in numpy with float64; learned steps
in the model; refusals.
"""

import math
import shutil
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import hadamard
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from isoloss import formats
from isoloss.formats import Format, Precision
from isoloss.lm import Language, Model, ModelError, Recipe, quantised, train_one
from isoloss.lm.rounding.gradient_rule import RULES, method_of
from isoloss.lm.rounding.learned_step import STEP_RATE, LearnedStep
from isoloss.lm.rounding.parts import Rounding, rounding_of
from isoloss.lm.rounding.rules.quest import GAUSSIAN_CLIP
from isoloss.lm.training.job import Job
from isoloss.lm.training.trainer import Trainer
from isoloss.runs import Decoder

Array = NDArray[np.float64]
LANGUAGE = Language(vocab=64, context=16)
SHAPE = Decoder(2, 16, 2, 64, ffn=24)
RECIPE = Recipe(sequences=8, validation=32, compiled=False)


def drawn(*shape: int, seed: int = 0) -> tuple[Array, Array]:
    """Values with outliers, and a gradient, of this shape: the same in every order of tests."""
    draw = np.random.default_rng(seed)
    return draw.standard_t(4, shape), draw.standard_normal(shape)


X, G = drawn(6, 32)


def passed(rounding: Any, x: Array = X, g: Array = G) -> tuple[Array, Array]:
    """What a rounding makes of x, and what it makes of the gradient g."""
    tensor = torch.tensor(x, requires_grad=True)
    y = rounding(tensor)
    y.backward(torch.tensor(g))
    assert tensor.grad is not None
    return y.detach().numpy(), tensor.grad.numpy()


# ---- plain
@pytest.mark.parametrize(
    "name", ["int3/row", "int3/row@ste", "ternary/row@ste", "int4_full/tensor@ste"]
)
def test_plain_passes_everything(name: str) -> None:
    y, gx = passed(Rounding(Format.parse(name), compiled=False))
    assert np.allclose(
        y, formats.fake_quantise(X, name.removesuffix("@ste")), rtol=1e-14
    )  # sums differ in order
    assert np.array_equal(gx, G)


# ---- clipped
def searched(x: Array, bits: int) -> Array:
    """The scale of least squared error among m / Q 2^(k/16), by trying all."""
    top = 2 ** (bits - 1) - 1
    best = []
    for row in x:
        tried = [np.abs(row).max() * 2.0 ** (k / 16) / top for k in range(16, -65, -1)]
        errors = [((np.clip(np.round(row / s), -top - 1, top) * s - row) ** 2).sum() for s in tried]
        best.append(tried[int(np.argmin(errors))])
    return np.array(best)[:, None]


PEAK = np.abs(X).max(1, keepdims=True)
CLIPPED: dict[str, tuple[Array, float, float]] = {  # the scale, bottom and top of each
    "int4_full/row": (PEAK / 7.5, -8, 7),
    "int2_full/row": (PEAK / 1.5, -2, 1),
    "int3/row+clip": (searched(X, 3), -4, 3),
    "ternary/row": (np.abs(X).mean(1, keepdims=True), -1, 1),
    "binary/tensor": (np.abs(X).mean().reshape(1, 1), -1, 1),
    "mxfp4": (2.0 ** (np.floor(np.log2(PEAK)) - 2), -6, 6),
}


@pytest.mark.parametrize(
    ("name", "compiled"), [*((name, False) for name in CLIPPED), ("mxfp4", True)]
)
def test_clipped_passes_what_lies_on_the_grid(name: str, compiled: bool) -> None:
    if compiled and shutil.which("g++") is None:
        pytest.skip("torch.compile needs g++")
    scale, bottom, top = CLIPPED[name]
    y, gx = passed(Rounding(Format.parse(f"{name}@clipped"), compiled))
    inside = (scale * bottom <= X) & (scale * top >= X)
    assert np.allclose(y, formats.fake_quantise(X, name), rtol=1e-14)
    assert 0 < (~inside).sum() < X.size
    assert np.array_equal(gx, G * inside)


def test_the_largest_magnitude_is_inside_in_float32() -> None:
    """Where the search keeps the largest magnitude as the end of the grid, nothing is clipped."""
    x = torch.tensor([[-1.0, 1.0] * 16] * 200) * torch.rand(
        200, 1, generator=torch.Generator().manual_seed(0)
    )
    x.requires_grad_()
    Rounding(Format.parse("int2/row+clip@clipped"), compiled=False)(x).sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


# ---- learned steps
def by_formula(x: Array, g: Array, s: float, bits: int, n: int) -> tuple[Array, Array, float]:
    """y, dL/dx and dL/ds of Esser et al. 2020 for one step s, one number at a time."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    y, gx, gs = np.empty_like(x), np.empty_like(x), 0.0
    for place in np.ndindex(x.shape):
        u = x[place] / s
        y[place] = s * float(np.clip(np.round(u), low, high))
        gx[place] = g[place] if low < u < high else 0.0
        gs += g[place] * (low if u <= low else high if u >= high else float(np.round(u)) - u)
    return y, gx, gs / math.sqrt(n * high)


GROUPS = {  # granularity: numbers that share a step, as slices of X
    "row": [(slice(i, i + 1), slice(None)) for i in range(6)],
    "8": [(slice(i, i + 1), slice(8 * j, 8 * j + 8)) for i in range(6) for j in range(4)],
    "tensor": [(slice(None), slice(None))],
}


@pytest.mark.parametrize("share", GROUPS)
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_learned_steps_follow_their_formula(bits: int, share: str) -> None:
    rule = LearnedStep(Format.parse(f"int{bits}/{share}@lsq"), (6, 32), compiled=False).double()
    y, gx = passed(rule)  # sets the steps
    slices = GROUPS[share]
    steps = rule.step.detach().numpy().ravel()
    assert rule.step.grad is not None
    for place, s, gs in zip(slices, steps, rule.step.grad.numpy().ravel(), strict=True):
        high = 2 ** (bits - 1) - 1
        assert s == pytest.approx(2 * np.abs(X[place]).mean() / math.sqrt(high), rel=1e-12)
        expected = by_formula(X[place], G[place], s, bits, X[place].size)
        assert np.allclose(y[place], expected[0], rtol=1e-12)
        assert np.array_equal(gx[place], expected[1])
        assert gs == pytest.approx(expected[2], rel=1e-9)


@pytest.mark.parametrize("bits", [2, 4])
def test_the_gradient_of_a_step_is_that_of_the_relaxed_rounding(bits: int) -> None:
    """With the rounding error of u held fixed, y = s (clip(u) + error) has a true derivative: by
    finite differences.
    """
    rule = LearnedStep(Format.parse(f"int{bits}/tensor@lsq"), (6, 32), compiled=False).double()
    passed(rule)
    s, low, high = rule.step.item(), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    error = np.clip(np.round(X / s), low, high) - np.clip(X / s, low, high)

    def loss(step: float, x: Array) -> float:
        return float((G * step * (np.clip(x / step, low, high) + error)).sum())

    h = 1e-7
    slope = (loss(s + h, X) - loss(s - h, X)) / (2 * h)
    assert rule.step.grad is not None
    assert rule.step.grad.item() * math.sqrt(X.size * high) == pytest.approx(slope, rel=1e-6)
    gx = passed(rule)[1]
    for place in [(0, 0), (1, 3), (5, 31)]:
        moved = np.zeros_like(X)
        moved[place] = h
        assert gx[place] == pytest.approx(
            (loss(s, X + moved) - loss(s, X - moved)) / (2 * h), abs=1e-6
        )


def test_a_batch_shares_one_step_and_counts_one_sequence() -> None:
    rule = LearnedStep(Format.parse("int4/tensor@lsq"), None, compiled=False).double()
    x, g = drawn(5, 7, 8)
    y, gx = passed(rule, x, g)
    expected = by_formula(x, g, rule.step.item(), 4, 7 * 8)
    assert np.allclose(y, expected[0], rtol=1e-12)
    assert np.array_equal(gx, expected[1])
    assert rule.step.grad is not None
    assert rule.step.grad.item() == pytest.approx(expected[2], rel=1e-9)


def test_steps_are_set_once_and_by_numbers_that_are_not_zero() -> None:
    rule = LearnedStep(Format.parse("int4/row@lsq"), (2, 4), compiled=False)
    x = torch.tensor([[0.0, 0, 0, 0], [1, 2, 3, 4]], requires_grad=True)
    with torch.no_grad():
        before = rule(x)  # an evaluation before training sets nothing
    assert rule.step.isnan().all()
    y = rule(x)
    y.sum().backward()
    assert torch.equal(y, before)
    assert torch.equal(y[0], torch.zeros(4))
    assert rule.step.isnan().flatten().tolist() == [True, False]
    assert rule.step.grad is not None
    assert (
        rule.step.grad[0] == 0
    )  # a gradient all the same, so that an optimiser counts its updates alike
    rule(torch.ones(2, 4))
    assert rule.step.flatten().tolist() == pytest.approx([2 / math.sqrt(7), 5 / math.sqrt(7)])


def test_a_step_below_zero_is_its_size() -> None:
    one, two = (
        LearnedStep(Format.parse("int3/tensor@lsq"), (6, 32), compiled=False).double()
        for _ in range(2)
    )
    for rule, sign in ((one, 1), (two, -1)):
        rule.step.data.fill_(0.3 * sign)
        rule.is_set = True
    assert np.array_equal(passed(one)[0], passed(two)[0])
    assert one.step.grad is not None
    assert two.step.grad is not None
    assert one.step.grad.item() == -two.step.grad.item()


# ---- QuEST
@pytest.mark.parametrize("bits", range(1, 9))
def test_the_clip_of_quest_is_the_best_for_a_normal_variable(bits: int) -> None:
    def error(clip: float) -> float:
        levels = np.linspace(-clip, clip, 2**bits)
        ends = np.concatenate([[-np.inf], (levels[1:] + levels[:-1]) / 2, [np.inf]])
        mass, moment = np.diff(norm.cdf(ends)), -np.diff(norm.pdf(ends))
        return float(1 + (levels**2 * mass).sum() - 2 * (levels * moment).sum())

    best = minimize_scalar(error, bounds=(0.5, 5), method="bounded", options={"xatol": 1e-9})
    assert GAUSSIAN_CLIP[bits] == pytest.approx(best.x, abs=2e-6)


@pytest.mark.parametrize(
    ("shape", "size"), [((20, 32), 32), ((4, 384), 128), ((20, 24), 8), ((5, 9, 16), 16)]
)
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8])
def test_quest_follows_its_formula(bits: int, shape: tuple[int, ...], size: int) -> None:
    x, g = drawn(*shape)
    name = "binary" if bits == 1 else f"int{bits}"
    turn = np.kron(np.eye(shape[-1] // size), hadamard(size) / math.sqrt(size))
    for share, axis in (("row", -1), ("tensor", None)):
        y, gx = passed(Rounding(Format.parse(f"{name}/{share}@quest")), x, g)
        h = x @ turn
        sigma = np.sqrt((h**2).mean(axis, keepdims=True))
        a = GAUSSIAN_CLIP[bits]
        step = 2 * a * sigma / (2**bits - 1)
        q = step * (np.round(np.clip(h, -a * sigma, a * sigma) / step + 0.5) - 0.5)
        trusted = np.abs(q - h) <= sigma * a / (2**bits - 1)
        assert np.allclose(y, q @ turn.T, atol=1e-12)
        assert np.allclose(gx, ((g @ turn) * trusted) @ turn.T, atol=1e-12)
        assert len(np.unique(np.round(q / step, 9))) <= 2**bits
    if bits < 8:
        assert 0 < (~trusted).sum() < x.size / 3


def test_quest_in_groups_is_quest_of_each_group() -> None:
    y, gx = passed(Rounding(Format.parse("int3/8@quest")))
    parts = [
        passed(Rounding(Format.parse("int3/row@quest")), X[:, i : i + 8], G[:, i : i + 8])
        for i in range(0, 32, 8)
    ]
    assert np.allclose(y, np.concatenate([part[0] for part in parts], 1), atol=1e-12)
    assert np.allclose(gx, np.concatenate([part[1] for part in parts], 1), atol=1e-12)


def test_quest_takes_zeros_and_short_types() -> None:
    x = torch.zeros(2, 8, dtype=torch.bfloat16, requires_grad=True)
    y = Rounding(Format.parse("int4/row@quest"))(x)
    y.sum().backward()
    assert y.dtype == torch.bfloat16
    assert y.isfinite().all()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.ones_like(x))


# ---- in the model
TRAINED = {
    "w3@ste a4@ste": "straight-through",
    "w:ternary@clipped a:int4_full@clipped": "clipped",
    "w3@lsq a4@lsq kv4/tensor@lsq": "lsq",
    "w3@quest a4/row@quest kv4@quest": "quest",
    "w3/8@lsq a4": "w lsq, a straight-through",
    "w.head:4@lsq w.embedding:4@lsq": "lsq",
}


@pytest.mark.parametrize("precision", TRAINED)
def test_a_model_learns_under_each_rule(precision: str) -> None:
    one, two = (
        train_one(SHAPE, 30 * 8 * 16, precision, corpus=LANGUAGE, recipe=RECIPE, seed=1)
        for _ in range(2)
    )
    assert one.run.method == TRAINED[precision] == method_of(Precision(precision))
    assert one.run.params == SHAPE.non_embedding_params
    assert one.run.status == "ok"
    assert one.losses[-5:].mean() < one.losses[0] - 0.3
    assert one.run.loss == two.run.loss
    assert all(p.isfinite().all() for p in one.model.parameters())


def test_learned_steps_are_parameters_beside_those_that_count() -> None:
    plain, learned = (
        Model(SHAPE, p, seed=3, compiled=False) for p in ("w4", "w4@lsq a4@lsq kv4/tensor@lsq")
    )
    weights = dict(learned.weights())
    assert sum(p.numel() for p in weights.values()) == SHAPE.params
    for name, p in plain.named_parameters():
        assert torch.equal(weights[name], p)  # the same first weights: runs are paired
    steps = {name: p for name, p in learned.state_dict().items() if name not in weights}
    # A layer has 4 matrices with a step a row and one for their inputs, and one step for keys and
    # one for values.
    rows = SHAPE.layers * (3 * 16 + 16 + 2 * 24 + 16)
    assert sum(p.numel() for p in steps.values()) == rows + SHAPE.layers * 6
    learned(torch.ones(2, 8, dtype=torch.long))
    assert all(p.isfinite().all() for p in learned.state_dict().values())
    for group in learned.groups(0.01, 0.1):
        for p in group["params"]:
            if id(p) not in {id(w) for w in weights.values()}:
                assert group["weight_decay"] == 0
                assert group["lr"] in (
                    0.01 * STEP_RATE,
                    0.01 * STEP_RATE * 64 / 16,
                    0.01 * STEP_RATE * 64 / 24,
                )
    learned.reset(3)
    assert learned.blocks[0].fc1.w.step.isnan().all()  # type: ignore[union-attr]


def test_a_model_with_learned_steps_comes_back_from_its_tensors() -> None:
    precision, tokens = "w3@lsq a4@lsq", torch.ones(2, 8, dtype=torch.long)
    done = train_one(SHAPE, 10 * 8 * 16, precision, corpus=LANGUAGE, recipe=RECIPE)
    again = Model(SHAPE, precision, seed=9, compiled=False)
    again.load_state_dict(done.model.state_dict())
    assert torch.equal(again(tokens), done.model(tokens))


@pytest.mark.parametrize("post", ["w4", "a8", "kv8", "w4 a8 kv4 q8"])
def test_learned_steps_make_room_for_the_roundings_of_serving(post: str) -> None:
    tokens = torch.randint(1, 64, (2, 8), generator=torch.Generator().manual_seed(0))
    model = train_one(
        SHAPE,
        4 * 8 * 16,
        "w3@lsq a4@lsq kv4/tensor@lsq q4/tensor@lsq",
        corpus=LANGUAGE,
        recipe=RECIPE,
    ).model
    before = model(tokens)
    served = quantised(model, post)
    assert not torch.equal(served(tokens), before)
    assert torch.equal(model(tokens), before)
    parts = {scope.partition(".")[0] for scope in Precision(post).train}
    left = {
        name.rsplit(".", 2)[-2] for name, _ in served.named_parameters() if name.endswith(".step")
    }
    assert left == {"w", "a", "k", "v", "q"} - parts - ({"k", "v"} if "kv" in parts else set())


def test_a_run_with_learned_steps_goes_on_to_the_last_bit() -> None:
    job = Job.of(SHAPE, 8 * 8 * 16, "w3@lsq a4@lsq w.head:4@lsq", LANGUAGE, RECIPE, 0)
    whole, first, second = (Trainer(job) for _ in range(3))
    whole.advance(8, 8, RECIPE)
    for stop in (0, 1, 3):  # before a step is set, before that of the head is, after
        first.advance(stop, 8, RECIPE)
        second = Trainer(job)
        second.restore(first.tensors())
        second.advance(8, 8, RECIPE)
        assert second.losses == whole.losses
        assert all(
            torch.equal(a, b)
            for a, b in zip(whole.model.parameters(), second.model.parameters(), strict=True)
        )


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++")
def test_compiled_learned_steps_change_nothing() -> None:
    ends = []
    for compiled in (True, False):
        rule = LearnedStep(Format.parse("int4/8@lsq"), (6, 32), compiled)
        x = torch.tensor(X, dtype=torch.float32, requires_grad=True)
        y = rule(x)
        y.backward(torch.tensor(G, dtype=torch.float32))
        ends.append((y, x.grad, rule.step.grad))
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


# ---- what is refused
@pytest.mark.parametrize(
    ("precision", "message"),
    [
        (
            "w4@gptq a8",
            "unknown training method 'gptq'; accepted are clipped, lsq, quest, ste, and your "
            "own with "
            "--use or il.use (in "
            "'w:int4@gptq')",
        ),
        (
            "w4 g8@clipped",
            "'g:int8@clipped' has no gradient to pass on; output gradients and operands of "
            "the backward products take no method",
        ),
        (
            "w4@clipped",
            "'w:int4@clipped' cannot be: its scale is the largest magnitude, so nothing is "
            "clipped; add +clip",
        ),
        (
            "w:uint4@clipped",
            "'w:uint4@clipped' cannot be: @clipped takes scaled grids around zero, without +had",
        ),
        (
            "w4+had+clip@clipped",
            "'w:int4+had+clip@clipped' cannot be: @clipped takes scaled grids around zero, without "
            "+had",
        ),
        (
            "w:e4m3@lsq",
            "'w:e4m3@lsq' cannot be: @lsq takes int2, int3, ... to nearest, with no modifier but a "
            "granularity",
        ),
        (
            "w4~sr@lsq",
            "'w:int4~sr@lsq' cannot be: @lsq takes int2, int3, ... to nearest, with no modifier "
            "but a granularity",
        ),
        (
            "kv4@lsq",
            "'kv:int4@lsq' cannot be: numbers that change with every batch have one learned step a "
            "tensor; write kv:int4/tensor@lsq",
        ),
        (
            "a4/row@lsq",
            "'a:int4/row@lsq' cannot be: numbers that change with every batch have one learned "
            "step a tensor; write a:int4/tensor@lsq",
        ),
        (
            "w4+had@quest",
            "'w:int4+had@quest' cannot be: @quest takes binary and int2 to int8, with no modifier "
            "but a granularity (it rotates by itself)",
        ),
        (
            "w:nvfp4@quest",
            "'w:nvfp4@quest' cannot be: @quest takes binary and int2 to int8, with no modifier but "
            "a granularity (it rotates by itself)",
        ),
    ],
)
def test_what_is_refused(precision: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        Model(SHAPE, precision)
    assert str(caught.value) == message


def test_every_method_is_spelled_and_read_back() -> None:
    for method in RULES:
        name = "w4+clip@clipped" if method == "clipped" else f"w4@{method}"
        assert str(Precision(name)) == name
        assert rounding_of(Precision(name), "w", "fc1", shape=(4, 8)) is not None
    assert method_of(Precision("fp")) is None
