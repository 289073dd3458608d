"""The rotated residual stream: the same logits in full precision, other numbers to round, and what
cannot be rotated.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.lm.after.test_lm_families import small
from tests.lm.after.test_lm_families import tokens as words
from torch import Tensor, nn

from isoloss.lm import (
    Calibrated,
    Calibration,
    Language,
    ModelError,
    degradation,
    model_of,
    post_key,
    quantised,
)
from isoloss.lm.after.degrading import logits_of
from isoloss.lm.after.rotation import random_rotation, rotate_stream
from isoloss.lm.model import Model
from isoloss.runs import Decoder

LANGUAGE, WIDTH = Language(), 16


def with_gains(model: nn.Module) -> Any:
    """The model with norms whose gains differ, and a head that is not zero."""
    draw = torch.Generator().manual_seed(5)
    for name, weight in model.named_parameters():
        if weight.dim() == 1:
            weight.data += 0.3 * torch.randn(weight.shape, generator=draw)
        elif name == "head.weight":
            weight.data.normal_(0, 0.3, generator=draw)
    return model.requires_grad_(False)


def ours(tied: bool = False, precision: str = "fp") -> Model:
    model: Model = with_gains(Model(model_of(8_000, tied=tied), precision, seed=1))
    return model


def rows(many: int = 8) -> Tensor:
    return Calibration(many).tokens(LANGUAGE)


@pytest.mark.parametrize("width", [1, 5, 8, 48, 64])
def test_a_rotation_is_orthogonal_and_of_its_seed(width: int) -> None:
    found = random_rotation(width, 3)
    torch.testing.assert_close(found @ found.T, torch.eye(width, dtype=torch.float64))
    assert found.equal(random_rotation(width, 3))
    assert width == 1 or not found.equal(random_rotation(width, 4))


def test_a_rotation_of_a_power_of_two_is_of_hadamards() -> None:
    found = random_rotation(32).abs()
    torch.testing.assert_close(found, torch.full_like(found, 1 / math.sqrt(32)))


@pytest.mark.parametrize("tied", [False, True])
def test_a_model_of_ours_gives_the_same_logits(tied: bool) -> None:
    model = ours(tied)
    turned = copy.deepcopy(model)
    rotate_stream(turned, 7)
    q = random_rotation(model.shape.width, 7).float()
    torch.testing.assert_close(turned.embedding, model.embedding @ q, rtol=1e-5, atol=1e-6)
    block, now = model.blocks[1], turned.blocks[1]
    torch.testing.assert_close(now.fc2.weight, q.T @ block.fc2.weight, rtol=1e-5, atol=1e-6)
    folded = (block.fc1.weight * block.norm2.weight) @ q
    torch.testing.assert_close(now.fc1.weight, folded, rtol=1e-5, atol=1e-6)
    assert now.norm2.weight.eq(1).all()
    torch.testing.assert_close(turned(rows()), model(rows()), rtol=1e-4, atol=1e-4)


@pytest.mark.extras
@pytest.mark.parametrize(
    "family",
    ["llama", "mixtral", "qwen3_moe", "deepseek_v3", "gemma", "phi3", "gpt_oss", "llama4_text"],
)
def test_a_family_gives_the_same_logits(family: str) -> None:
    model = with_gains(small(family))
    model.set_experts_implementation("eager")
    before = logits_of(model, words())
    embedding = model.get_input_embeddings().weight.clone()
    rotate_stream(model)
    torch.testing.assert_close(logits_of(model, words()), before, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(model.get_input_embeddings().weight, embedding, atol=0.01)


@pytest.mark.extras
@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize("family", ["llama", "mixtral", "gpt_oss"])
def test_smoothing_a_family_next_to_no_rounding_changes_nothing(family: str, rotate: bool) -> None:
    model = with_gains(small(family))
    after = quantised(model, "w24@smoothquant a24", words(40), rotate=rotate)
    found, before = logits_of(after, words()), logits_of(model, words())
    torch.testing.assert_close(found, before, rtol=1e-4, atol=1e-6)


@pytest.mark.extras
@pytest.mark.parametrize(
    ("family", "said"),
    [
        ("gpt2", "'transformer.h.0.ln_1' (LayerNorm) does more than divide by the root mean"),
        ("gemma2", "'model.layers.0.post_attention_layernorm' stands between a matrix and the"),
    ],
)
def test_norms_that_cannot_be_turned_are_refused(family: str, said: str) -> None:
    from tests.lm.after.test_lm_families import SHARED
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    config = CONFIG_MAPPING[family](**SHARED | {"n_embd": 32, "n_layer": 1, "n_head": 4})
    with pytest.raises(ModelError) as caught:
        rotate_stream(AutoModelForCausalLM.from_config(config).eval())
    assert said in str(caught.value)


class Rms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(WIDTH) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.rms_norm(x, (WIDTH,), self.weight)


class Causal(nn.Module):
    """Tokens looked up, one layer behind a norm, and something of one's own."""

    def __init__(self, strange: Callable[[Any, Tensor], Tensor] | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.config, self.strange = SimpleNamespace(vocab_size=40), strange
        self.embed, self.head = nn.Embedding(40, WIDTH), nn.Linear(WIDTH, 40, bias=False)
        self.up, self.down = nn.Linear(WIDTH, 24), nn.Linear(24, WIDTH)
        self.norm, self.last = Rms(), Rms()
        self.spare = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor, use_cache: bool = False) -> Any:
        x = self.embed(tokens)
        x = x + self.down(torch.relu(self.up(self.norm(x))))
        x = x + self.spare(self.norm(x)) if self.strange is None else self.strange(self, x)
        return SimpleNamespace(logits=self.head(self.last(x)))

    def get_input_embeddings(self) -> nn.Module:
        return self.embed

    def get_output_embeddings(self) -> nn.Module:
        return self.head


def test_biases_of_what_is_written_are_turned() -> None:
    model = Causal().requires_grad_(False)
    tokens = torch.arange(40)[None]
    before, bias = logits_of(model, tokens), model.down.bias.clone()
    rotate_stream(model, 1)
    torch.testing.assert_close(logits_of(model, tokens), before, rtol=1e-4, atol=1e-5)
    q = random_rotation(WIDTH, 1).float()
    torch.testing.assert_close(model.down.bias, bias @ q, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("strange", "said"),
    [
        (lambda self, x: self.spare(x).tanh() + x, "its logits moved by"),
        (lambda self, x: x + self.spare(x.relu()), "its logits moved by"),
        (lambda self, x: x, "no token passes 'spare.weight'"),
        (lambda self, x: x + self.spare(self.norm(x)) + self.spare(x), "behind different norms"),
        (lambda self, x: x + self.norm(self.spare(x)), "'norm' stands between a matrix and"),
    ],
    ids=["turned_on", "read_bent", "not_passed", "two_norms", "norm_behind"],
)
def test_a_stream_that_is_not_understood_is_refused(strange: Any, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        rotate_stream(Causal(strange))
    assert said in str(caught.value)


def test_sixteen_bits_are_refused() -> None:
    with pytest.raises(ModelError, match="has 16 bits or fewer, which a rotation would round"):
        rotate_stream(Causal().bfloat16())


def with_huge_channel(size: float) -> Model:
    """A model whose stream has a channel of this size, others being near one half; the head is
    blind to it.
    """
    model: Model = with_gains(Model(Decoder(1, 64, 4, 256, ffn=64), seed=1))
    model.embedding[:, 3] = size
    model.head.weight *= 4
    model.head.weight[:, 3] = 0
    return model


def test_a_huge_channel_of_the_stream_costs_less_once_it_is_rotated() -> None:
    held_out, model = LANGUAGE.validation(32), with_huge_channel(10.0)
    plain, turned = (
        degradation(model, quantised(model, "w4 a4/row", rotate=rotate), held_out).kl
        for rotate in (False, True)
    )
    assert turned < 0.5 * plain


@pytest.mark.parametrize("post", ["w24 a24", "w24@gptq", "w24@smoothquant a24"])
@pytest.mark.parametrize("tied", [False, True])
def test_formats_that_round_next_to_nothing_change_nothing(tied: bool, post: str) -> None:
    model = ours(tied)
    after = quantised(model, post, rows(), rotate=True)
    torch.testing.assert_close(after(rows(2)), model(rows(2)), rtol=1e-3, atol=1e-4)
    assert not after.shape.tied
    assert model.shape.tied == tied


def test_head_and_embedding_that_were_tied_are_rounded_apart() -> None:
    after = quantised(ours(tied=True), "w4 w.head:int3", rotate=True)
    assert all(len(row.unique()) <= 7 for row in after.head.weight)
    assert len(after.embedding[0].unique()) > 7


def test_one_calibration_serves_models_with_and_without_rotation() -> None:
    model, seen = ours(), Calibrated(rows())
    for rotate in (True, False):
        kept = quantised(model, "w3@gptq a8", seen, rotate=rotate)
        anew = quantised(model, "w3@gptq a8", rows(), rotate=rotate)
        assert kept.blocks[1].fc2.weight.equal(anew.blocks[1].fc2.weight)


def test_draws_rotate_by_other_matrices() -> None:
    model = ours()
    one, same, other = (quantised(model, "w4", draw=k, rotate=True) for k in (0, 0, 1))
    assert one.embedding.equal(same.embedding)
    assert not one.embedding.equal(other.embedding)


def test_what_training_rounds_in_the_stream_is_named_anew_or_refused() -> None:
    model = ours(precision="w8 a8 kv8")
    with pytest.raises(ModelError, match=r"trained with a.qkv rounded .*; name 'a' anew"):
        quantised(model, "w4", rotate=True)
    assert quantised(model, "w4 a4", rotate=True).blocks[0].k is not None


def test_the_key_of_a_row_knows_of_the_rotation() -> None:
    plain, turned = (post_key("run", "fp -> w4", rotate=rotate) for rotate in (False, True))
    assert plain == post_key("run", "fp -> w4")
    assert turned != plain
    draws = Calibration(draws=2)
    assert post_key("run", "fp -> w4", draws, rotate=True) != turned
