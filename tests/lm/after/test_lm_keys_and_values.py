"""Keys and values of models of Hugging Face: rounded at every layer, however the cache is used."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from tests.lm.after.test_lm_families import SHARED, small, tokens
from tests.lm.after.test_lm_more_families import small as hybrid
from torch import Tensor

from isoloss.lm import ModelError, degradation, quantised

pytestmark = pytest.mark.extras
SLIDING = {"sliding_window": 4}
CACHED: dict[str, dict[str, Any]] = {
    "llama": {}, "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4}, "gpt_neox": {},
    "mistral": SLIDING, "gemma2": {"head_dim": 8, **SLIDING},
    "gemma3_text": {"head_dim": 8, "sliding_window_pattern": 2, **SLIDING}, "deepseek_v3": {},
}  # fmt: skip


def made(family: str) -> Any:
    if family in ("llama", "gpt2", "deepseek_v3"):
        return small(family)
    transformers = pytest.importorskip("transformers", reason="pip install 'isoloss[hub]'")
    torch.manual_seed(0)
    config = transformers.CONFIG_MAPPING[family](**SHARED | CACHED[family])
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def by_hand(model: Any, words: Tensor, more: int) -> Tensor:
    """The likeliest words one after the other, the model run on all of them each time."""
    for _ in range(more):
        words = torch.cat([words, model(words).logits[:, -1].argmax(-1, keepdim=True)], 1)
    return words


@pytest.mark.parametrize("family", CACHED)
@torch.no_grad()
def test_a_text_goes_on_as_by_a_loop_without_a_cache(family: str) -> None:
    model, words = made(family), tokens(1)
    after = quantised(model, "a4/row kv3")
    expected = by_hand(after, words[:, :4], 5)
    for options in ({}, {"use_cache": False}):
        found = after.generate(words[:, :4], max_new_tokens=5, do_sample=False, **options)
        assert found.equal(expected)
    exact = model(words, use_cache=False).logits
    assert float((after(words).logits - exact).abs().max()) > 1e-3 * float(exact.abs().max())
    fine = quantised(model, "kv24")(words).logits
    torch.testing.assert_close(fine, exact, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("one", "both"), [("k3", "kv3"), ("v3", "kv3")])
@torch.no_grad()
def test_keys_and_values_are_rounded_apart(one: str, both: str) -> None:
    model, words = small("llama"), tokens(1)
    caches = [quantised(model, post)(words).past_key_values.layers for post in (one, both)]
    exact = model(words).past_key_values.layers
    part, other = ("keys", "values") if one == "k3" else ("values", "keys")
    # In the first layer nothing has been rounded before.
    alone, together, plain = caches[0][0], caches[1][0], exact[0]
    assert getattr(alone, part).equal(getattr(together, part))
    assert getattr(alone, other).equal(getattr(plain, other))
    assert not getattr(alone, part).equal(getattr(plain, part))


@torch.no_grad()
def test_scales_of_several_tokens_are_settled_by_whole_texts() -> None:
    model, words = small("llama"), tokens(1)
    after = quantised(model, "k2/4x1 v4/4")
    keys, plain = (m(words[:, :8]).past_key_values.layers[0].keys for m in (after, model))
    largest = plain.unflatten(2, (2, 4)).abs().amax(3, keepdim=True)
    assert torch.allclose(
        keys, (largest * (plain.unflatten(2, (2, 4)) / largest).round()).flatten(2, 3)
    )
    with pytest.raises(
        ModelError, match="'/4x1' shares a scale among tokens, and tokens were added"
    ):
        after.generate(words[:, :4], max_new_tokens=2, do_sample=False)


@torch.no_grad()
def test_a_copy_of_a_cache_has_its_own_entries() -> None:
    after, words = quantised(small("llama"), "kv3"), tokens(1)
    cache = after(words[:, :4]).past_key_values
    other = copy.deepcopy(cache)
    found = after(words[:, 4:6], cache=other).logits
    assert (cache.get_seq_length(), other.get_seq_length()) == (4, 6)
    torch.testing.assert_close(found, after(words[:, :6]).logits[:, 4:])
    assert len(torch.unique(other.layers[1].keys[0, 0, 5].abs())) <= 4


@torch.no_grad()
def test_a_cache_that_is_not_wanted_is_not_handed_back() -> None:
    after, words = quantised(small("llama"), "kv3"), tokens(1)
    assert after(words, use_cache=False).past_key_values is None
    assert len(after(words, use_cache=False, return_dict=False)) == 1
    assert after(words).past_key_values is not None
    states = after.model(words, use_cache=False)  # the model inside, by itself
    torch.testing.assert_close(after.lm_head(states.last_hidden_state), after(words).logits)


@pytest.mark.parametrize("family", ["llama", "mixtral", "gpt2"])
@torch.no_grad()
def test_a_quantised_model_is_copied_and_pickled(family: str) -> None:
    after, words = quantised(small(family), "w4 a4/row kv4"), tokens(2)
    expected = after(words).logits
    for again in (copy.deepcopy(after), pickle.loads(pickle.dumps(after))):
        assert again(words).logits.equal(expected)
    small(family).load_state_dict(after.state_dict())


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("method", ["gptq", "gptq_sequential"])
def test_calibration_does_not_meet_its_own_keys_again(family: str, method: str) -> None:
    model = small(family)
    plain, cached = (quantised(model, f"w3@{method}{kv}", tokens()) for kv in ("", " kv24"))
    for one, other in zip(plain.parameters(), cached.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", ["jamba", "qwen3_next"])
def test_layers_without_keys_and_values_are_named(family: str) -> None:
    said = (
        r"1 of 2 layers of a \w+ keep no keys and values of their own in a cache, such as layer 0"
    )
    with pytest.raises(ModelError, match=said):
        quantised(hybrid(family), "kv4")


def test_an_encoder_with_a_decoder_is_rounded_without_calibration_or_refused() -> None:
    transformers = pytest.importorskip("transformers", reason="pip install 'isoloss[hub]'")
    config = transformers.T5Config(
        vocab_size=100, d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4
    )
    model = transformers.AutoModelForSeq2SeqLM.from_config(config).eval()
    layer = "encoder.block.0.layer.1.DenseReluDense.wi"
    after = quantised(model, "w4")
    assert not after.get_submodule(layer).weight.equal(model.get_submodule(layer).weight)
    said = "a T5ForConditionalGeneration is an encoder with a decoder"
    for post in ("w3@gptq", "w8@smoothquant a8"):
        with pytest.raises(ModelError, match=said):
            quantised(model, post, tokens(4))
    with pytest.raises(ModelError, match=said):
        degradation(model, after, tokens(4).numpy())
