"""Weights that a forward uses in ways of its own: each is rounded along its inputs, or refused by
name; none is left in silence.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isoloss.formats import Precision, fake_quantise
from isoloss.lm import ModelError, quantised
from isoloss.lm.after.post_training import rounded_share

WIDTH = 8
TOKENS = torch.arange(16)[None]
COMPUTED = "what multiplies activations is computed from it"
FLAT = "it has one axis and is taken as a matrix"
SCALING = "activations are multiplied by it number by number"

Forward = Callable[[Any, Tensor], Tensor]


class Own(nn.Module):
    """A layer with weights of some shapes, used as `use` says."""

    def __init__(self, use: Forward, **weights: Any) -> None:
        super().__init__()
        self.use = use
        for name, held in weights.items():
            shape = isinstance(held, tuple)
            setattr(self, name, nn.Parameter(0.3 * torch.randn(*held)) if shape else held)

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self, x)


class Causal(nn.Module):
    """Tokens looked up, a linear layer, one of its own, logits."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.embed, self.mix = nn.Embedding(16, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.layer, self.lm_head = layer, nn.Linear(WIDTH, 16, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.lm_head(self.layer(torch.tanh(self.mix(self.embed(tokens)))))
        return logits

    def get_input_embeddings(self) -> nn.Module:
        return self.embed

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head


def made(use: Forward, **weights: Any) -> Causal:
    torch.manual_seed(0)
    return Causal(Own(use, **weights)).eval()


SQUARE = (WIDTH, WIDTH)
REFUSED: dict[str, tuple[Forward, dict[str, Any], dict[str, str]]] = {
    "one axis, as a matrix": (lambda m, x: x @ m.w.view(8, 8), {"w": (64,)}, {"w": FLAT}),
    "one axis, of two layers": (
        lambda m, x: F.linear(F.linear(x, m.w[:64].view(8, 8)), m.w[64:].view(8, 8)),
        {"w": (128,)}, {"w": FLAT},
    ),
    "one axis, row by row": (
        lambda m, x: torch.stack([x @ row for row in m.w.view(8, 8)], -1), {"w": (64,)},
        {"w": "aten.mv takes it, which is no product known here"},
    ),
    "one axis, stacked": (lambda m, x: x @ torch.stack([m.v, m.w] * 4), {"v": (8,), "w": (8,)},
        {"v": COMPUTED, "w": COMPUTED}),
    "one axis, a kernel": (
        lambda m, x: F.conv1d(F.pad(x.mT, (2, 0)), m.w.view(8, 1, 3), groups=8).mT,
        {"w": (24,)}, {"w": "it is the kernel of a convolution"},
    ),
    "number by number": (lambda m, x: x * m.w[0] * m.w[1], {"w": (2, 8)}, {"w": SCALING}),
    "a product in disguise": (
        lambda m, x: (x[..., None, :] * m.w).sum(-1), {"w": SQUARE}, {"w": SCALING}
    ),
    "through a spectrum": (
        lambda m, x: torch.fft.irfft(torch.fft.rfft(x) * torch.view_as_complex(m.w), n=WIDTH),
        {"w": (5, 2)}, {"w": SCALING},
    ),
    "an adapter": (
        lambda m, x: F.linear(x, m.w + m.b @ m.a), {"w": SQUARE, "b": (8, 2), "a": (2, 8)},
        {"w": COMPUTED, "a": COMPUTED, "b": COMPUTED},
    ),
    "two factors": (lambda m, x: x @ (m.a @ m.b), {"a": (8, 2), "b": (2, 8)},
        {"a": COMPUTED, "b": COMPUTED}),
    "a factor held": (lambda m, x: x @ (m.c @ m.b), {"c": nn.Buffer(torch.eye(8)), "b": SQUARE},
        {"b": COMPUTED, "c": COMPUTED}),
    "complex": (
        lambda m, x: (x.to(torch.cfloat) @ m.w).real,
        {"w": nn.Parameter(torch.randn(8, 8, dtype=torch.cfloat))},
        {"w": "it is stored as complex64, which is complex"},
    ),
    "in a list": (lambda m, x: x @ m.w[0], {"w": [torch.randn(8, 8)]},
        {"w.0": "it is no parameter of torch"}),
    "parameters in a dict": (lambda m, x: x @ m.w["a"], {"w": {"a": nn.Parameter(torch.eye(8))}},
        {"w.a": "its module is held by another in a way that torch does not see"}),
    "a layer in a list": (lambda m, x: m.w[0](x), {"w": [nn.Linear(8, 8)]},
        {"w.0.weight": "its module is held by another in a way that torch does not see"}),
    "a buffer of one axis": (
        lambda m, x: x @ m.w.view(8, 8), {"w": nn.Buffer(torch.randn(64))}, {"w": FLAT}
    ),
    "a vector times a matrix": (
        lambda m, x: torch.stack([torch.mv(m.w, each) for each in x[0]])[None], {"w": SQUARE},
        {"w": "aten.mv takes it, which is no product known here"},
    ),
    "four axes": (
        lambda m, x: torch.einsum("btd,khde->btkhe", x, m.w).sum(2).flatten(-2),
        {"w": (2, 2, 8, 4)}, {"w": COMPUTED},
    ),
    "of another, scaled": (
        lambda m, x: torch.func.functional_call(m.w, {"weight": 2 * m.w.weight}, (x,)),
        {"w": nn.Linear(8, 8, bias=False)}, {"w.weight": COMPUTED},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_in_no_product_of_matrices_is_refused_by_name(kind: str) -> None:
    use, weights, said = REFUSED[kind]
    model = made(use, **weights)
    with pytest.raises(ModelError) as caught:
        quantised(model, "w4", TOKENS)
    name, reason = re.match(
        r"'layer\.(.+?)' cannot be rounded: (.+?); ", str(caught.value)
    ).groups()  # type: ignore[union-attr]
    assert said[name] in reason
    left = re.search(r"by '(.+?)' \(", str(caught.value)).group(1)  # type: ignore[union-attr]
    after = quantised(model, f"w4 {left}", TOKENS)  # it says how, at once for all of them
    assert after.mix.weight.equal(fake_quantise(model.mix.weight.detach(), "int4/row"))
    before = model.state_dict()
    changed = {n for n, now in after.state_dict().items() if not now.equal(before[n])}
    assert changed == {"mix.weight"}
    count = sum(_found(model.layer, each).numel() for each in said)
    share = rounded_share(model, Precision(f"fp -> w4 {left}"))
    assert share == pytest.approx(64 / (64 + count))


def _found(module: nn.Module, name: str) -> Tensor:
    found: Any = module
    for key in name.split("."):
        found = getattr(found, key, None) if not isinstance(found, dict | list) else (
            found[key] if isinstance(found, dict) else found[int(key)])  # fmt: skip
    return found


ROUNDED: dict[str, tuple[Forward, tuple[int, ...], int]] = {
    "einsum": (lambda m, x: torch.einsum("btd,de->bte", x, m.w), SQUARE, -2),
    "einsum, outputs first": (lambda m, x: torch.einsum("btd,ed->bte", x, m.w), SQUARE, -1),
    "bmm": (lambda m, x: torch.bmm(x, m.w.expand(len(x), 8, 8)), (1, 8, 8), -2),
    "baddbmm": (lambda m, x: torch.baddbmm(x, x, m.w.expand(len(x), 8, 8)), (1, 8, 8), -2),
    "addmm": (lambda m, x: torch.addmm(x[0], x[0], m.w)[None], SQUARE, -2),
    "detached": (lambda m, x: x @ m.w.data, SQUARE, -2),
    "vmap": (lambda m, x: torch.vmap(lambda each: m.w @ each)(x[0])[None], SQUARE, -1),
    "compiled": (torch.compile(lambda m, x: x @ m.w, backend="eager"), SQUARE, -2),
}


@pytest.mark.parametrize("kind", ROUNDED)
def test_what_is_in_a_product_is_rounded_along_its_inputs(kind: str) -> None:
    use, shape, inputs = ROUNDED[kind]
    model = made(use, w=shape)
    after = quantised(model, "w3", TOKENS)
    rows = model.layer.w.detach()
    rows = (rows.mT if inputs == -2 else rows).contiguous()
    expected = fake_quantise(rows, "int3/row")
    assert after.layer.w.equal(expected.mT if inputs == -2 else expected)
    assert rounded_share(model, Precision("fp -> w3")) == 1
    calibrated = quantised(model, "w3@gptq", TOKENS)
    assert not calibrated.layer.w.equal(model.layer.w)


def test_a_long_parameter_that_nobody_saw_is_refused() -> None:
    model = made(lambda m, x: x, w=(64,))
    with pytest.raises(
        ModelError, match=r"'layer\.w' cannot be rounded: no token of a text passes"
    ):
        quantised(model, "w4", TOKENS)
    blind = made(lambda m, x: x[:, :, :, :], w=(64,))
    with pytest.raises(ModelError, match=r"^'layer\.w' is no linear layer, and a Causal cannot be"):
        quantised(blind, "w4", TOKENS)
    assert quantised(made(lambda m, x: x[:, :, :, :], w=(8,)), "w4") is not None


VECTORS: dict[str, tuple[Forward, dict[str, Any]]] = {
    "a norm and its bias": (lambda m, x: x * (1 + m.w) + m.b, {"w": (8,), "b": (8,)}),
    "a bias of one row": (lambda m, x: x * m.w, {"w": (1, 1, 8)}),
    "one number a token": (lambda m, x: (x @ m.w)[..., None] * x, {"w": (8,)}),
    "a norm of another kernel": (
        lambda m, x: F.rms_norm(F.layer_norm(x, (8,), m.w, m.b), (8,), 1 + m.w),
        {"w": (8,), "b": (8,)},
    ),
    "frequencies": (
        lambda m, x: x * torch.cos(m.w[None, :, None] @ torch.arange(16.0)[None, None]).mT,
        {"w": nn.Buffer(torch.rand(8))},
    ),
    "positions": (lambda m, x: x + m.w[: x.shape[1]], {"w": (64, 8)}),
}


@pytest.mark.parametrize("kind", VECTORS)
def test_vectors_and_tables_of_positions_are_no_matrices(kind: str) -> None:
    use, weights = VECTORS[kind]
    model = made(use, **weights)
    after = quantised(model, "w4 a8", TOKENS)
    assert not after.mix.weight.equal(model.mix.weight)
    for was, now in zip(model.layer.parameters(), after.layer.parameters(), strict=True):
        assert now.equal(was)
    assert rounded_share(model, Precision("fp -> w4")) == 1


def test_learned_queries_are_inputs_of_the_layer_that_takes_them() -> None:
    def use(m: Any, x: Tensor) -> Tensor:
        seen: Tensor = torch.softmax(m.q(m.latents) @ x.mT, -1) @ x
        return x + seen.mean(1, keepdim=True)

    model = made(use, latents=(4, 8), q=nn.Linear(8, 8))
    after = quantised(model, "w4@gptq", TOKENS)
    assert after.layer.latents.equal(model.layer.latents)
    assert not after.layer.q.weight.equal(model.layer.q.weight)


@pytest.mark.parametrize("post", ["w4", "w3@gptq", "w4 a4"])
def test_compiled_modules_are_rounded_as_they_are(post: str) -> None:
    plain = made(lambda m, x: m.fc(x), fc=nn.Linear(8, 8))
    expected = quantised(plain, f"{post} w.fc:int2", TOKENS)
    inner = copy.deepcopy(plain)
    inner.layer.fc = torch.compile(inner.layer.fc, backend="eager")
    inner.lm_head = torch.compile(inner.lm_head, backend="eager")
    for model in (torch.compile(plain, backend="eager"), inner):
        after = quantised(model, f"{post} w.fc:int2", TOKENS)
        for name, weight in expected.state_dict().items():
            assert after.state_dict()[name].equal(weight), name
        assert rounded_share(model, Precision(f"fp -> {post}")) == 1
        with torch.no_grad():
            assert model(TOKENS).equal(plain(TOKENS))
            assert after(TOKENS).equal(expected(TOKENS))


def test_names_that_a_precision_cannot_spell_are_spelled_near_by() -> None:
    model = made(lambda m, x: m._own__W(x), _own__W=nn.Linear(8, 8))
    after = quantised(model, "w4 w.own_w:int2")
    expected = fake_quantise(model.layer._own__W.weight.detach(), "int2/row")
    assert after.layer._own__W.weight.equal(expected)
