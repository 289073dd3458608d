"""Operands of the backward products that are rounded apart, beside products in numpy."""

import numpy as np
import pytest
import torch

from isoloss.formats import Format, Precision, fake_quantise
from isoloss.lm import Language, ModelError, Recipe, model_of, train_one
from isoloss.lm.model import Linear, Model
from isoloss.lm.training import Job, in_batches
from isoloss.runs import Decoder

TOKENS, INPUTS, OUTPUTS = 64, 96, 32
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(2, TOKENS // 2, INPUTS)).astype(np.float32)
W = DRAW.normal(size=(OUTPUTS, INPUTS)).astype(np.float32)
G = DRAW.normal(size=(2, TOKENS // 2, OUTPUTS)).astype(np.float32)


def gradients(precision: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Output, and the gradients of inputs and weights at G."""
    layer = Linear(Precision(precision), "fc1", OUTPUTS, INPUTS, compiled=False)
    x = torch.tensor(X, requires_grad=True)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(W))
    y = layer(x)
    y.backward(torch.tensor(G))
    assert x.grad is not None
    assert layer.weight.grad is not None
    return y.detach().numpy(), x.grad.numpy(), layer.weight.grad.numpy()


def rounded(x: np.ndarray, spelled: str | None, axis: int) -> np.ndarray:
    """x (rows, columns) by the specification, scales along an axis; a row where it says nothing."""
    if spelled is None:
        return x
    known = Format.parse(spelled)
    turned = np.ascontiguousarray(np.moveaxis(x, axis, -1))
    return np.moveaxis(np.asarray(fake_quantise(turned, known)), -1, axis)


@pytest.mark.parametrize(
    ("precision", "w", "a", "back"),
    [
        ("w:mxfp4 a:mxfp4 w.dx:fp a.dw:fp", "mxfp4", "mxfp4", {"w.dx": None, "a.dw": None}),
        ("w:mxfp4 a:mxfp4 w.dx:mxfp4", "mxfp4", "mxfp4", {"w.dx": "mxfp4"}),
        ("a.dw:nvfp4", None, None, {"a.dw": "nvfp4"}),
        ("g.dw:mxfp4+had", None, None, {"g.dw": "mxfp4+had"}),
        ("g:mxfp8 g.dx:int4/row", None, None, {"g.dx": "int4/row", "g.dw": "mxfp8 of g"}),
        ("g:mxfp8 g.fc1.dw:fp", None, None, {"g.dx": "mxfp8 of g", "g.dw": None}),
        ("w:mxfp4 w.dx:int3 g.dx:mxfp4 g.dw:mxfp4 a.dw:mxfp4", "mxfp4", None,
         {"w.dx": "int3/row", "g.dx": "mxfp4", "g.dw": "mxfp4", "a.dw": "mxfp4"}),
    ],
)  # fmt: skip
def test_gradients_are_those_products(
    precision: str, w: str | None, a: str | None, back: dict[str, str | None]
) -> None:
    x, g = X.reshape(TOKENS, INPUTS), G.reshape(TOKENS, OUTPUTS)
    qx, qw = rounded(x, a, 1), rounded(W, w, 1)
    plain_g = rounded(g, "mxfp8", 1) if "g:mxfp8" in precision else g
    axes = {"w.dx": (W, 0), "a.dw": (x, 0), "g.dx": (g, 1), "g.dw": (g, 0)}
    used = {"w.dx": qw, "a.dw": qx, "g.dx": plain_g, "g.dw": plain_g}
    for scope, spelled in back.items():
        if spelled != "mxfp8 of g":
            used[scope] = rounded(axes[scope][0], spelled, axes[scope][1])
    y, dx, dw = gradients(precision)
    np.testing.assert_allclose(y.reshape(TOKENS, OUTPUTS), qx @ qw.T, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        dx.reshape(TOKENS, INPUTS), used["g.dx"] @ used["w.dx"], rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(dw, used["g.dw"].T @ used["a.dw"], rtol=1e-5, atol=1e-5)


def test_a_stochastic_operand_is_unbiased() -> None:
    # With scales from the largest number; those of mxfp4 are powers of two, and clip it.
    layer = Linear(Precision("g.dw:e2m1/32~sr"), "fc1", OUTPUTS, INPUTS, compiled=False)
    layer.random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(W))
    found = []
    for _ in range(400):
        layer.weight.grad = None
        layer(torch.tensor(X)).backward(torch.tensor(G))
        assert layer.weight.grad is not None
        found.append(layer.weight.grad.numpy().copy())
    truth = G.reshape(TOKENS, OUTPUTS).T @ X.reshape(TOKENS, INPUTS)
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    z = (np.mean(found, axis=0) - truth) / error
    assert np.abs(np.mean(z)) < 0.1
    assert 0.9 < np.std(z) < 1.1
    nearest = gradients("g.dw:e2m1/32")[2]
    assert np.abs(nearest - truth).max() > 5 * error.mean()


def test_gradients_pass_the_rule_of_the_forward_rounding() -> None:
    *_, clipped = gradients("w:int2/tensor@clipped w.dx:fp")
    *_, plain = gradients("w:int2/tensor w.dx:fp")
    top = np.abs(W).max()
    inside = (W / top > -2) & (W / top < 1)
    np.testing.assert_array_equal(clipped, np.where(inside, plain, 0))


def test_products_of_bfloat16_keep_the_types_of_their_gradients() -> None:
    layer = Linear(Precision("w:mxfp4 g.dw:mxfp4 w.dx:fp"), "fc1", OUTPUTS, INPUTS, compiled=False)
    x = torch.tensor(X, requires_grad=True)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(W))
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    y.backward(torch.tensor(G).bfloat16())
    assert x.grad is not None
    assert layer.weight.grad is not None
    assert (x.grad.dtype, layer.weight.grad.dtype) == (torch.float32, torch.float32)
    truth = G.reshape(TOKENS, OUTPUTS) @ W
    error = x.grad.reshape(TOKENS, INPUTS).numpy() - truth
    assert np.linalg.norm(error) < 0.01 * np.linalg.norm(truth)


def test_evaluation_knows_no_backward_product() -> None:
    shape = Decoder(2, 32, 2, 20, ffn=64)
    tokens = torch.arange(40).reshape(2, 20) % 20
    one, other = (Model(shape, p, compiled=False) for p in ("w4 a4", "w4 a4 w.dx:fp g.dw:mxfp4~sr"))
    with torch.no_grad():
        for model in (one, other):
            model.head.weight.normal_(generator=torch.Generator().manual_seed(3))
        assert torch.equal(one(tokens), other(tokens))


RECIPE = Recipe(validation=8, compiled=False)
SIZE = {"corpus": Language(vocab=64, context=32), "recipe": RECIPE}


def test_training_learns_with_operands_in_four_bits_and_repeats_itself() -> None:
    recipe = "w:mxfp4 a:mxfp4 g.dx:mxfp4~sr g.dw:mxfp4+had~sr a.dw:mxfp4+had"
    one, two = (train_one(model_of("5k", 64), "30k", recipe, **SIZE) for _ in range(2))
    assert one.losses.tolist() == two.losses.tolist()
    assert one.run.loss < one.losses[0] - 0.5
    other = train_one(model_of("5k", 64), "30k", recipe.replace("+had", ""), **SIZE)
    assert other.run.loss != one.run.loss


@pytest.mark.parametrize(
    ("precision", "sentence"),
    [
        ("g.dw:int4@clipped", "has no gradient to pass on"),
        ("w4 w.dx:int4@quest", "has no gradient to pass on"),
        ("w.up.dx:mxfp4", "it has w.qkv.dx, w.out.dx, w.fc1.dx, w.fc2.dx, w.head.dx"),
        ("w.embedding.dx:mxfp4", "the model has no 'w.embedding.dx'"),
        ("w.dx:int4/64+had", "rounds w.qkv.dx in groups of 64"),
    ],
)
def test_what_is_refused(precision: str, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        train_one(model_of("5k", 64), "30k", precision, **SIZE)


def test_a_batched_sweep_has_no_operands() -> None:
    corpus = Language(vocab=64, context=32)
    jobs = [Job.of(model_of("5k", 64), "30k", p, corpus, RECIPE) for p in ("fp", "g.dw:mxfp4")]
    with pytest.raises(ModelError, match=r"rounds operands of backward products apart, which"):
        in_batches(jobs)
