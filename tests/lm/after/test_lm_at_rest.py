"""Looking at a model leaves no trace in it, and sees it as it is served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.lm.after.test_lm_accounting import WIDTH, Causal, Mixture, causal, tokens
from torch import Tensor, nn

from isoloss.formats import Precision
from isoloss.lm import Calibrated, Predictions, degradation, quantised
from isoloss.lm.after.post_training import rounded_share


class Noisy(nn.Module):
    """Dropout, statistics of a batch, a cache of positions that grows, and a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.drop, self.norm = nn.Dropout(0.5), nn.BatchNorm1d(WIDTH)
        self.inner, self.mixed = nn.Linear(WIDTH, WIDTH), Mixture(False)
        self.register_buffer("positions", torch.zeros(1, WIDTH), persistent=False)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if x.shape[1] > len(self.positions):
            self.positions = torch.linspace(0, 1, x.shape[1])[:, None].expand(-1, WIDTH)
        x = self.drop(x + self.positions[: x.shape[1]])
        return self.mixed(self.inner(self.norm(x.mT).mT))


def noisy(train: bool) -> Causal:
    made = causal(Noisy())
    made.layer.norm.running_mean.normal_(generator=torch.Generator().manual_seed(2))
    return made.train(train)


def hooks_of(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


LOOKS: dict[str, Callable[[Any], object]] = {
    "nearest": lambda model: quantised(model, "w4"),
    "gptq": lambda model: quantised(model, "w3@gptq a8", tokens()),
    "in turn": lambda model: quantised(model, "w3@gptq_sequential", Calibrated(tokens())),
    "smoothquant": lambda model: quantised(model, "w8@smoothquant a8", tokens()),
    "share": lambda model: rounded_share(model, Precision("fp -> w4")),
    "predictions": lambda model: Predictions.of(model, tokens().numpy()),
    "degradation": lambda model: degradation(model, model, tokens().numpy()),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("train", [True, False])
def test_looking_leaves_no_trace(look: str, train: bool) -> None:
    model = noisy(train)
    model.layer.inner.eval()
    before = {n: b.clone() for n, b in model.named_buffers()}
    LOOKS[look](model)
    assert {n: b.tolist() for n, b in model.named_buffers()} == {
        n: b.tolist() for n, b in before.items()
    }
    assert [m.training for m in (model, model.layer.drop, model.layer.inner)] == [
        train, train, False
    ]  # fmt: skip
    assert hooks_of(model) == 0
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


@pytest.mark.parametrize("post", ["w3@gptq", "w3@gptq_sequential", "w8@smoothquant a8"])
def test_a_model_in_training_is_quantised_as_the_one_that_is_served(post: str) -> None:
    found = [quantised(noisy(train), post, tokens()) for train in (True, False)]
    one, other = (dict(each.state_dict()) for each in found)
    assert all(one[name].equal(other[name]) for name in one)
    assert found[0].training
    assert not found[1].training
    assert found[0].layer.calls == 0
    assert not any(p.requires_grad for p in found[0].parameters())


def test_losses_of_a_model_in_training_are_those_without_dropout() -> None:
    train, served = noisy(True), noisy(False)
    words = tokens().numpy()
    assert Predictions.of(train, words).loss(words) == Predictions.of(served, words).loss(words)
    assert degradation(train, served, words).kl == pytest.approx(0, abs=1e-9)
