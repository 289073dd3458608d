"""A weight that several layers share is one matrix: counted, calibrated and rounded once."""

from __future__ import annotations

import pytest
import torch
from tests.lm.after.test_lm_accounting import WIDTH, Mixture, Turned, causal, tokens
from torch import Tensor, nn

from isoloss.formats import Format, Precision, fake_quantise
from isoloss.lm import ModelError, quantised
from isoloss.lm.after.accounting import weights_of_model
from isoloss.lm.after.methods.gptq import gptq
from isoloss.lm.after.post_training import rounded_share


class Twice(nn.Module):
    """Two layers of one weight, and one of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.own = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(3))
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.own(torch.relu(self.b(torch.relu(self.a(x)))))


class Blocks(nn.Module):
    """One block that tokens pass three times, as those of ALBERT."""

    def __init__(self) -> None:
        super().__init__()
        block = nn.Linear(WIDTH, WIDTH)
        self.blocks = nn.ModuleList([block, block, block])

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = x + torch.relu(block(x))
        return x


class BothWays(nn.Module):
    """A weight that multiplies along both of its axes."""

    def __init__(self, linear: bool) -> None:
        super().__init__()
        self.up = nn.Linear(WIDTH, WIDTH, bias=False) if linear else Turned()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x @ self.up.weight.mT) @ self.up.weight


def test_two_layers_of_one_weight_are_one_matrix() -> None:
    model = causal(Twice())
    found = weights_of_model(model)
    assert [m.name for m in found.matrices] == ["layer.a", "layer.own", "lm_head"]
    assert [m.name for m in found.again] == ["layer.b"]
    assert rounded_share(model, Precision("fp -> w4 w.own:fp")) == 0.5
    after = quantised(model, "w4")
    assert after.layer.a.weight is after.layer.b.weight
    assert after.layer.a.weight.equal(fake_quantise(model.layer.a.weight.detach(), "int4/row"))


@pytest.mark.parametrize("kind", [Twice, Blocks])
@pytest.mark.parametrize("method", ["gptq", "gptq_sequential"])
def test_all_that_a_shared_weight_takes_is_seen(kind: type[nn.Module], method: str) -> None:
    model, words = causal(kind()), tokens()
    after = quantised(model, f"w3@{method}", words)
    layer = model.layer.a if kind is Twice else model.layer.blocks[0]
    found = after.layer.a if kind is Twice else after.layer.blocks[0]
    with torch.no_grad():
        x = model.embed(words).reshape(-1, WIDTH)
        taken = [x]
        for _ in range(1 if kind is Twice else 2):
            x = torch.relu(layer(x)) + (0 if kind is Twice else x)
            taken.append(x)
        every = torch.cat(taken)
        expected = gptq(layer.weight, 2 * (every.T @ every).double(), Format.parse("int3/row"))
    torch.testing.assert_close(found.weight.data, expected)


def test_what_each_layer_of_a_shared_weight_takes_is_rounded() -> None:
    model = causal(Twice())
    layer, after = model.layer, quantised(model, "a4/row").layer
    with torch.no_grad():
        x = model.embed(tokens(3))
        inner = torch.relu(layer.a(fake_quantise(x, "int4/row")))
        inner = torch.relu(layer.b(fake_quantise(inner, "int4/row")))
        torch.testing.assert_close(after(x), layer.own(fake_quantise(inner, "int4/row")))


def test_a_shared_weight_takes_one_format() -> None:
    for post in ("w.a:int4", "w4 w.b:int8", "w4 a8 a.b:int4"):
        with pytest.raises(ModelError, match=r"'layer\.a' and 'layer\.b' have one weight, which"):
            quantised(causal(Twice()), post)
    after = quantised(causal(Twice()), "w.a:int4 w.b:int4")
    assert not after.layer.a.weight.equal(causal(Twice()).layer.a.weight)


@pytest.mark.parametrize("linear", [True, False])
def test_a_weight_that_meets_tokens_along_both_axes_is_refused(linear: bool) -> None:
    said = (
        r"'layer\.up\.weight' cannot be rounded: activations are multiplied along both of its axes"
    )
    with pytest.raises(ModelError, match=said):
        quantised(causal(BothWays(linear)), "w4")
    model = causal(BothWays(linear))
    assert quantised(model, "w4 w.up:fp").layer.up.weight.equal(model.layer.up.weight)


def test_a_linear_layer_that_is_an_embedding_too_is_refused() -> None:
    model = causal(nn.Sequential(nn.Linear(WIDTH, 20, bias=False), nn.Linear(20, WIDTH)))
    model.layer[0].weight = model.embed.weight
    with pytest.raises(
        ModelError, match=r"'layer\.0\.weight' cannot be rounded: it is looked up as"
    ):
        quantised(model, "w4")
    after = quantised(model, "w4 w.0:fp")
    assert after.embed.weight.equal(model.embed.weight)


class Bare(nn.Module):
    """A linear layer whose weight is taken without calling it."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.proj.weight)


def test_a_linear_layer_that_is_not_called_has_its_inputs_rounded() -> None:
    model = causal(Bare())
    with torch.no_grad():
        x = model.embed(tokens(3))
        found = quantised(model, "a4/row").layer(x)
        torch.testing.assert_close(found, model.layer(fake_quantise(x, "int4/row")))


class TwiceTurned(nn.Module):
    """Two layers with inputs first, of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = Turned(), Turned()
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.relu(self.a(x)))


def test_a_shared_weight_with_inputs_first_is_one_matrix_too() -> None:
    model = causal(TwiceTurned())
    assert [m.name for m in weights_of_model(model).matrices] == ["layer.a", "lm_head"]
    after, x = quantised(model, "w4 a4/row").layer, model.embed(tokens(2)).detach()
    assert after.a.weight is after.b.weight
    weight = fake_quantise(model.layer.a.weight.detach().mT.contiguous(), "int4/row").mT
    inner = torch.relu(fake_quantise(x, "int4/row") @ weight + model.layer.a.bias)
    expected = fake_quantise(inner.detach(), "int4/row") @ weight + model.layer.b.bias
    torch.testing.assert_close(after(x), expected)


@pytest.mark.filterwarnings("ignore::isoloss.lm.CalibrationWarning")  # an expert is seldom chosen
@pytest.mark.parametrize("post", ["w4", "w3@gptq a4/row", "w3@awq"])
def test_weights_that_lie_in_one_memory_are_told_apart(post: str) -> None:
    apart, together = (
        causal(nn.Sequential(nn.Linear(WIDTH, WIDTH), Turned(), Mixture(False))) for _ in range(2)
    )
    flat = nn.utils.parameters_to_vector(together.parameters()).detach().clone()
    nn.utils.vector_to_parameters(flat, together.parameters())
    found = [quantised(model, post, tokens())(tokens(2)).logits for model in (apart, together)]
    assert found[0].equal(found[1])
