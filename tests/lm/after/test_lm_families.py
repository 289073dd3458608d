"""Families of Hugging Face made small from their configurations: every weight outside embedding and
head is rounded along its inputs, as an independent rounding of the same tensors says.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isoloss.formats import Precision
from isoloss.lm import ModelError, degradation, quantised
from isoloss.lm.after.post_training import rounded_share

pytestmark = pytest.mark.extras
WIDTH, VOCAB = 32, 100
SHARED = {
    "hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": VOCAB,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
FEW = {"num_experts_per_tok": 2, "moe_intermediate_size": 24}
#: What a family needs beside; and the names of its parameters that have their inputs first.
FAMILIES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "llama": ({}, ()),
    "mixtral": ({"num_local_experts": 4}, ()),
    "qwen3_moe": ({"num_experts": 4, **FEW}, ()),
    "deepseek_v3": (
        {
            "n_routed_experts": 8, "n_group": 2, "topk_group": 1, "q_lora_rank": 16,
            "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8,
            "first_k_dense_replace": 1, "num_key_value_heads": 4, **FEW,
        },
        (),
    ),
    "gpt2": (
        {"n_embd": WIDTH, "n_layer": 2, "n_head": 4},
        ("c_attn.weight", "c_proj.weight", "c_fc.weight"),
    ),
    "gemma": ({"head_dim": 8}, ()),
    "phi": ({}, ()),
    "phi3": ({}, ()),
    "gpt_oss": (
        {"num_local_experts": 4, "head_dim": 8},
        ("experts.gate_up_proj", "experts.down_proj"),
    ),
    "llama4_text": (
        {"num_local_experts": 4, "head_dim": 8, "intermediate_size_mlp": 48},
        ("experts.gate_up_proj", "experts.down_proj"),
    ),
    "mamba": ({"state_size": 4}, ()),
}  # fmt: skip
LEFT = ("embed", "wte", "wpe", "lm_head", "gate.weight", "router.weight", "_bias")


def small(family: str) -> nn.Module:
    transformers = pytest.importorskip("transformers", reason="pip install 'isoloss[hub]'")
    torch.manual_seed(0)
    config = transformers.CONFIG_MAPPING[family](**SHARED | FAMILIES[family][0])
    model: nn.Module = transformers.AutoModelForCausalLM.from_config(config).eval()
    return model


def tokens(rows: int = 12) -> Tensor:
    return torch.randint(0, VOCAB, (rows, 9), generator=torch.Generator().manual_seed(1))


def to_four_bits(rows: np.ndarray) -> np.ndarray:
    """Rounded to 15 levels of the largest magnitude of each row, in NumPy alone."""
    scale = np.abs(rows).max(-1, keepdims=True) / np.float32(7)
    scale[scale == 0] = 1
    return np.clip(np.round(rows / scale), -7, 7) * scale


@pytest.mark.parametrize("family", [each for each in FAMILIES if each != "mamba"])
def test_every_matrix_of_a_family_is_rounded_along_its_inputs(family: str) -> None:
    before = small(family)
    after, turned, of_routers, total = quantised(before, "w4"), FAMILIES[family][1], 0, 0
    for (name, was), now in zip(before.named_parameters(), after.parameters(), strict=True):
        if was.dim() < 2 or any(word in name for word in ("embed", "wte", "wpe", "lm_head")):
            assert now.equal(was), name
        elif any(word in name for word in LEFT):
            of_routers += 0 if "_bias" in name else was.numel()
            assert now.equal(was), name
        else:
            rows = was.detach().numpy()
            inputs_first = name.endswith(turned) if turned else False
            expected = to_four_bits(rows.swapaxes(-1, -2) if inputs_first else rows)
            expected = expected.swapaxes(-1, -2) if inputs_first else expected
            np.testing.assert_allclose(now.numpy(), expected, rtol=1e-5, atol=1e-7, err_msg=name)
            total += was.numel()
    share = rounded_share(before, Precision("fp -> w4"))
    assert share == pytest.approx(total / (total + of_routers))
    assert share > 0.97


@pytest.mark.parametrize("family", ["mixtral", "gpt_oss", "gpt2", "deepseek_v3"])
def test_methods_and_activations_reach_all_of_a_family(family: str) -> None:
    model = small(family)
    found = [
        degradation(model, quantised(model, post, tokens()), tokens(6).numpy())
        for post in ("w3@gptq", "w8", "w8 a8", "w8 a4", "kv3")
    ]
    kl = [each.kl for each in found]
    assert 0 < kl[1] < kl[2] < kl[3]
    assert kl[4] > 0


def test_keys_and_values_are_rounded_as_they_are_cached() -> None:
    model = small("llama")

    from transformers import DynamicCache

    cache = DynamicCache()
    quantised(model, "kv3")(tokens(2), cache=cache)
    keys, values = cache.layers[0].keys, cache.layers[0].values
    for row in (*keys[0, 0], *values[0, 0]):
        assert len(torch.unique(row.abs())) <= 4  # three levels and zero


def test_a_family_without_a_cache_is_refused() -> None:
    model = small("mamba")
    with pytest.raises(ModelError, match="keeps no keys and values"):
        quantised(model, "kv4 w.conv1d:fp")
    with pytest.raises(ModelError, match=r"'w\.a_log:fp w\.conv1d:fp'"):
        quantised(model, "w4")
    with pytest.raises(ModelError, match="it is the kernel of a convolution"):
        quantised(model, "w4 w.a_log:fp")
