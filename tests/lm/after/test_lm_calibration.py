"""One calibration is of one model, and says which matrices its tokens did not reach."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from tests.lm.after.test_lm_accounting import EXPERTS, VOCAB, WIDTH, Mixture, causal, tokens
from tests.lm.after.test_lm_linear_layers import Causal
from torch import Tensor, nn

from isoloss.formats import fake_quantise
from isoloss.lm import (
    Calibrated,
    Calibration,
    CalibrationWarning,
    Degradation,
    Language,
    Model,
    ModelError,
    model_of,
    quantised,
)
from isoloss.lm.after.degrading import pooled

CALIBRATED = ["w3@gptq", "w3@gptq_sequential", "w3@awq", "w8@smoothquant"]


class Apart(nn.Module):
    """Experts in a list, of which a gate chooses one for each token."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.experts = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(EXPERTS))

    def forward(self, x: Tensor) -> Tensor:
        chosen, out = self.gate(x).argmax(-1), torch.zeros_like(x)
        for k, expert in enumerate(self.experts):
            if (chosen == k).any():
                out[chosen == k] = expert(x[chosen == k])
        return x + out


def lonely(layer: nn.Module) -> nn.Module:
    """A model whose last expert no token comes to."""
    made = causal(layer)
    with torch.no_grad():
        made.layer.gate.weight[1] = -made.layer.gate.weight[0]
        made.layer.gate.weight[2] = 0
    return made


@pytest.mark.parametrize("post", CALIBRATED)
@pytest.mark.parametrize("turned", [False, True])
def test_experts_that_no_token_came_to_are_said(post: str, turned: bool) -> None:
    model = lonely(Mixture(turned))
    said = r"did not reach 2 of 6 matrices, 'layer.experts.up_proj\[2\]', 'layer.experts.down_pr"
    with pytest.warns(CalibrationWarning, match=said):
        after = quantised(model, post, tokens())
    was, now = (m.layer.experts.up_proj[2].detach() for m in (model, after))
    was, now = (x.mT.contiguous() if turned else x for x in (was, now))
    assert now.equal(fake_quantise(was, "int8/row" if "w8" in post else "int3/row"))


def test_experts_in_a_list_that_no_token_came_to_are_said_too() -> None:
    model = lonely(Apart())
    with pytest.warns(CalibrationWarning, match=r"1 of 3 matrices, 'layer.experts.2': these are"):
        after = quantised(model, "w3@gptq", tokens())
    assert after.layer.experts[2].weight.equal(
        fake_quantise(model.layer.experts[2].weight.detach(), "int3/row")
    )


def test_an_expert_that_later_tokens_come_to_is_calibrated() -> None:
    model, words = causal(Apart()), tokens()
    chosen = model.layer.gate(model.embed(torch.arange(VOCAB))).argmax(-1)
    most = int(chosen.bincount().argmax())
    early = torch.full((16, 6), int((chosen == most).nonzero()[0]))  # the first batch: one expert
    late = quantised(model, "w3@gptq", torch.cat([early, words]))
    nearest = quantised(model, "w3")
    for k in range(EXPERTS):
        assert not late.layer.experts[k].weight.equal(nearest.layer.experts[k].weight)


def test_what_all_tokens_reach_is_not_said() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quantised(causal(Mixture(False)), "w3@gptq", tokens())


@pytest.mark.parametrize("post", CALIBRATED)
def test_a_calibration_of_another_model_is_refused(post: str) -> None:
    one, other = Causal(), Causal()
    with torch.no_grad():
        other.layers[1].up_proj.weight[3, 4] += 0.5
    seen = Calibrated(tokens(20))
    first = quantised(one, post, seen)
    with pytest.raises(ModelError, match="has seen a model of other weights than this one"):
        quantised(other, post, seen)
    again, fresh = quantised(one, post, seen), quantised(other, post, Calibrated(seen.tokens))
    assert again.layers[1].up_proj.weight.equal(first.layers[1].up_proj.weight)
    assert not fresh.layers[1].up_proj.weight.equal(first.layers[1].up_proj.weight)


def test_a_calibration_of_the_model_before_its_weights_changed_is_refused() -> None:
    model, seen = Causal(), Calibrated(tokens(20))
    quantised(model, "w3@gptq", seen)
    quantised(model, "w4@gptq a8", seen)
    with torch.no_grad():
        model.embed.weight[0, 0] += 1
    with pytest.raises(ModelError, match="make another of its tokens"):
        quantised(model, "w3@gptq", seen)


def test_errors_of_several_draws_join_their_spread_and_the_paired_error() -> None:
    draws = [
        Degradation(loss, 0.3, gap, error, 2 * gap, 0.0)
        for loss, gap, error in ((3.0, 0.1, 0.01), (3.2, 0.3, 0.02), (3.4, 0.8, 0.04))
    ]
    found = pooled(draws)
    assert found.gap == pytest.approx(0.4)
    paired, spread = (0.01**2 + 0.02**2 + 0.04**2) / 3, (0.3**2 + 0.1**2 + 0.4**2) / 2
    assert found.gap_se == pytest.approx(math.sqrt(paired + spread / 3))
    assert found.kl_se == pytest.approx(math.sqrt(4 * spread / 3))
    assert pooled(draws[:1]) == draws[0]


@pytest.mark.parametrize("post", ["a4~sr", "w4~sr", "w.embedding:int4~sr", "kv4~sr"])
@pytest.mark.parametrize("ours", [True, False])
def test_each_draw_has_other_random_numbers(ours: bool, post: str) -> None:
    if post == "kv4~sr" and not ours:
        pytest.skip("a model without a cache")
    model = Model(model_of(8_000), compiled=False) if ours else Causal()
    if ours:
        nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(0))
    words = Calibration(2).tokens(Language()) if ours else tokens(2)
    one, again, other = (quantised(model, post, draw=k)(words) for k in (0, 0, 1))
    found = [each if ours else each.logits for each in (one, again, other)]
    assert found[0].equal(found[1])
    assert not found[0].equal(found[2])
