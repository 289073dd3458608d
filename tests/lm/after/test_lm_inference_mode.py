"""Activations are rounded where they are multiplied, however the model is run and its layers call
their weights.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.lm.after.test_lm_accounting import VOCAB, WIDTH, Causal, Mixture, Turned, causal, tokens
from torch import Tensor, nn

from isoloss.formats import fake_quantise
from isoloss.lm import quantised
from isoloss.lm.after.accounting import weights_of_model


class ByName(nn.Module):
    """A layer whose input is given by name."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(input=x)


class Cast(nn.Module):
    """A weight that is cast before it multiplies, as routers' are."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x.double(), self.weight.double()).to(x)


class Held(nn.Module):
    """A weight that another module holds, which is not called itself."""

    def __init__(self) -> None:
        super().__init__()
        self.held = Turned()

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.held.weight


class Token(nn.Module):
    """A weight that takes tokens one by one, as vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x[0, 0] if x.numel() == WIDTH else x, self.weight).view_as(x)


LAYERS: dict[str, Any] = {
    "linear": lambda: nn.Linear(WIDTH, WIDTH),
    "by name": ByName,
    "experts": lambda: Mixture(False),
    "turned experts": lambda: Mixture(True),
    "Conv1D": Turned,
    "cast": Cast,
    "held": Held,
}


def tied() -> Causal:
    made = causal(nn.Linear(WIDTH, WIDTH))
    made.lm_head.weight = made.embed.weight
    return made


@pytest.mark.parametrize("name", [*LAYERS, "tied head"])
def test_logits_are_those_without_gradients_in_inference_mode(name: str) -> None:
    before = tied() if name == "tied head" else causal(LAYERS[name]())
    post = "a2/row a.head:int2/row" if name == "tied head" else "a2/row"
    after, words = quantised(before, post), tokens(4)
    with torch.no_grad():
        expected, exact = after(words).logits, before(words).logits
    assert not torch.allclose(expected, exact, atol=1e-2)
    with torch.inference_mode():
        assert after(words).logits.equal(expected)
    assert after(words).logits.equal(expected)


@pytest.mark.parametrize("name", LAYERS)
def test_a_model_is_quantised_alike_in_inference_mode(name: str) -> None:
    before, words = causal(LAYERS[name]()), tokens()
    known = weights_of_model(before, words)
    with torch.inference_mode():
        found = weights_of_model(before, words)
        inside = quantised(before, "w3@gptq a4", words)(words).logits
    assert [m.name for m in found.matrices] == [m.name for m in known.matrices]
    assert inside.equal(quantised(before, "w3@gptq a4", words)(words).logits)


@pytest.mark.parametrize("name", ["cast", "held", "Conv1D"])
def test_inputs_are_those_of_an_independent_rounding(name: str) -> None:
    before = causal(LAYERS[name]())
    weight = before.layer.held.weight if name == "held" else before.layer.weight
    with torch.no_grad():
        x = fake_quantise(before.embed(tokens(4)), "int2/row")
        weight = weight.mT if name == "cast" else weight
        expected = x @ weight + getattr(before.layer, "bias", 0)
        found = quantised(before, "a2/row").layer(before.embed(tokens(4)))
    if name == "held":  # the module that holds the weight is not called: the model is
        found = layer_of(quantised(before, "a2/row"), tokens(4))
    torch.testing.assert_close(found, expected)


def layer_of(model: nn.Module, words: Tensor) -> Tensor:
    """What the layer gives while the model runs."""
    seen: list[Tensor] = []
    hook = model.layer.register_forward_hook(lambda _, args, out: seen.append(out))
    model(words)
    hook.remove()
    return seen[0].detach()


def test_a_single_token_as_a_vector_is_rounded_too() -> None:
    before = causal(Token())
    after, word = quantised(before, "a2/row"), torch.tensor([[3]])
    with torch.no_grad():
        x = fake_quantise(before.embed(word)[0], "int2/row")
        torch.testing.assert_close(layer_of(after, word)[0], x @ before.layer.weight.mT)
    assert VOCAB > 3
