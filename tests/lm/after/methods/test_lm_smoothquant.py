"""SmoothQuant beside its formula written out, and on a model of which some channels are huge."""

from __future__ import annotations

import pytest
import torch
from tests.lm.after.test_lm_accounting import Causal as Mixed
from tests.lm.after.test_lm_accounting import Mixture
from tests.lm.after.test_lm_linear_layers import Causal, tokens
from torch import Tensor, nn

from isoloss.formats import fake_quantise
from isoloss.lm import (
    Calibration,
    Language,
    ModelError,
    PostMethod,
    Scaled,
    degradation,
    model_of,
    quantised,
    register_method,
)
from isoloss.lm.after.post_method import METHODS
from isoloss.lm.model import Linear, Model

LANGUAGE = Language()


def with_outliers(size: float = 100.0) -> Model:
    """A model some inputs of whose matrices are so many times larger, and their weights smaller."""
    model = Model(model_of(8_000), seed=2)
    with torch.no_grad():
        nn.init.normal_(model.head.weight, std=0.3, generator=torch.Generator().manual_seed(3))
        for block in model.blocks:
            for norm, linear in ((block.norm1, block.qkv), (block.norm2, block.fc1)):
                norm.weight[[1, 5]] *= size
                linear.weight[:, [1, 5]] /= size
    return model


def rows(many: int = 16) -> Tensor:
    return Calibration(many).tokens(LANGUAGE)


def inputs_of(model: Model, name: str) -> Tensor:
    """What a matrix of the first block takes, (tokens, inputs)."""
    seen: list[Tensor] = []
    linear: Linear = getattr(model.blocks[0], name)
    hook = linear.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model(rows())
    hook.remove()
    return seen[0].detach().flatten(0, 1)


@pytest.mark.parametrize("name", ["qkv", "out", "fc1", "fc2"])
def test_weights_and_activations_are_those_of_its_equation(name: str) -> None:
    model = with_outliers()
    after = quantised(model, "w4@smoothquant a4/row", rows())
    x, w = inputs_of(model, name), getattr(model.blocks[0], name).weight.detach()
    s = (x.abs().amax(0) / w.abs().amax(0)).sqrt()  # the equation at a = 1/2
    found = getattr(after.blocks[0], name)
    torch.testing.assert_close(found.weight, fake_quantise(w * s, "int4/row") / s)
    expected = fake_quantise(x / s, "int4/row") @ fake_quantise(w * s, "int4/row").T
    torch.testing.assert_close(found(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("post", ["w32@smoothquant a32", "w24@smoothquant a24 kv24"])
def test_without_rounding_nothing_changes(post: str) -> None:
    model = with_outliers()
    torch.testing.assert_close(
        quantised(model, post, rows())(rows(4)), model(rows(4)), rtol=1e-5, atol=1e-5
    )


def test_channels_of_large_activations_cost_less_than_by_rounding_to_nearest() -> None:
    held_out, lost = LANGUAGE.validation(32), {}
    for size in (1.0, 100.0):
        model = with_outliers(size)
        for post in ("w8 a8", "w8@smoothquant a8"):
            lost[size, post] = degradation(model, quantised(model, post, rows(32)), held_out).kl
    assert lost[100, "w8 a8"] > 100 * lost[1, "w8 a8"]
    # Sizes that inputs and weights share are nothing to its scales.
    smooth = [lost[size, "w8@smoothquant a8"] for size in (1.0, 100.0)]
    assert smooth[0] == pytest.approx(smooth[1], rel=0.01)
    assert smooth[0] < 1.5 * lost[1, "w8 a8"]


def test_a_compiled_rounding_of_training_does_not_stand_in_the_way() -> None:
    one, other = (
        quantised(Model(model_of(8_000), "a8", compiled=compiled), "w4@gptq", rows(4))
        for compiled in (True, False)
    )
    assert one.blocks[1].fc1.weight.equal(other.blocks[1].fc1.weight)


def test_queries_keys_and_values_share_a_scale_and_activations_are_seen_unrounded() -> None:
    model, calibration = Causal(), tokens(40)
    after = quantised(model, "w4/8@smoothquant a2", calibration)
    x = model.embed(calibration).reshape(-1, 16).detach()
    block, names = model.layers[0], ("q_proj", "k_proj", "v_proj")
    whole = torch.cat([getattr(block, name).weight.detach() for name in names])
    s = (x.abs().amax(0) / whole.abs().amax(0)).sqrt()
    found = torch.cat([getattr(after.layers[0], name).weight for name in names])
    torch.testing.assert_close(found, fake_quantise(whole * s, "int4/8") / s)


@pytest.mark.parametrize("turned", [False, True])
def test_each_expert_of_a_stack_has_a_scale_of_its_own(turned: bool) -> None:
    torch.manual_seed(0)
    before = Mixed(Mixture(turned)).eval()
    words = torch.randint(0, 20, (40, 6), generator=torch.Generator().manual_seed(1))
    after = quantised(before, "w8@smoothquant a8/row a.router:fp", words)
    x = before.embed(words).reshape(-1, 8).detach()
    chosen, out = before.layer.gate(x).argmax(-1), x.clone()
    for k in range(3):
        mine = x[chosen == k]
        up, down = (
            (w[k].mT if turned else w[k]).detach()
            for w in (before.layer.experts.up_proj, before.layer.experts.down_proj)
        )
        inner = _served(mine, up, mine) + before.layer.experts.up_bias[k].detach()
        taken = (mine @ up.T + before.layer.experts.up_bias[k].detach()).relu()
        out[chosen == k] += _served(inner.relu(), down, taken)
    expected = before.lm_head(out).reshape(40, 6, 20)
    torch.testing.assert_close(after(words).logits, expected, rtol=1e-3, atol=1e-3)


def _served(x: Tensor, w: Tensor, seen: Tensor) -> Tensor:
    """x W^T rounded to 8 bits on both sides, with the scale of what was seen."""
    s = (seen.abs().amax(0) / w.abs().amax(0)).sqrt()
    s = torch.where(s > 0, s, torch.ones_like(s))
    return fake_quantise(x / s, "int8/row") @ fake_quantise(w * s, "int8/row").T


def of_ones(weight: Tensor, known: object, seen: object) -> Scaled:
    return Scaled(weight.round(), torch.ones(weight.shape[1]))


def of_zeros(weight: Tensor, known: object, seen: object) -> Scaled:
    return Scaled(weight, torch.zeros(weight.shape[1]))


def of_one_number(weight: Tensor, known: object, seen: object) -> Scaled:
    return Scaled(weight, torch.ones(1))


def bare(weight: Tensor, known: object, seen: object) -> Tensor:
    return weight


@pytest.mark.parametrize(
    ("rounds", "said"),
    [
        (of_zeros, "gave a scale that is not finite and greater than zero"),
        (of_one_number, "gave a scale of (1,) for"),
        (bare, "gave a Tensor and says scales=True"),
        (of_ones, None),
    ],
)
def test_a_method_of_ones_own_gives_scales_that_are_checked(rounds: object, said: str) -> None:
    method = PostMethod("mine", rounds, layer_by_layer=False, scales=True)
    register_method(method, replace=True)
    try:
        if said is None:
            quantised(Model(model_of(8_000)), "w4@mine a8")
            return
        with pytest.raises(ModelError) as caught:
            quantised(Model(model_of(8_000)), "w4@mine a8")
        assert said in str(caught.value)
    finally:
        METHODS.remove("mine")


@pytest.mark.parametrize(
    ("post", "said"),
    [
        ("w8/tensor@smoothquant a8", "@smoothquant scales matrices that share an input together"),
        ("w8+had@smoothquant", "@smoothquant scales inputs, which '+had' mixes"),
        ("w8 a8@smoothquant", "@smoothquant applies to weights only"),
    ],
)
def test_what_it_cannot_round_is_refused(post: str, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        quantised(Model(model_of(8_000)), post, rows(2))
    assert said in str(caught.value)


def test_a_step_that_was_learned_for_activations_as_they_are_is_refused() -> None:
    model = Model(model_of(8_000), "a8@lsq")
    with pytest.raises(ModelError, match="a learned step fits activations as they were trained"):
        quantised(model, "w8@smoothquant", rows(2))
    quantised(model, "w8@smoothquant a8", rows(2))
