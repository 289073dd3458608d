"""Many families of Hugging Face, made small: each of their weights has one place, and is rounded,
left by name, or refused with a reason.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.lm.after.test_lm_families import FEW, SHARED, tokens
from torch import Tensor, nn

from isoloss.lm import ModelError, quantised
from isoloss.lm.after.accounting import weights_of_model
from isoloss.lm.after.seen import Products

pytestmark = pytest.mark.extras
HEADS, LAYERS = {"head_dim": 8}, {"n_embd": 32, "n_layer": 2, "n_head": 4}
MIXED = {"num_local_experts": 4, "num_experts_per_tok": 2}
LINEAR_AND_FULL = {"layer_types": ["linear_attention", "full_attention"]}
#: What a family needs beside; how many of its matrices choose experts.
FAMILIES: dict[str, tuple[dict[str, Any], int]] = {
    "qwen2": ({}, 0), "qwen3": (HEADS, 0), "mistral": ({}, 0), "olmo2": ({}, 0), "cohere": ({}, 0),
    "gemma2": (HEADS, 0), "gemma3_text": (HEADS, 0), "granite": ({}, 0), "stablelm": ({}, 0),
    "gpt_neox": ({}, 0), "falcon": ({}, 0), "starcoder2": ({}, 0),
    "bloom": ({"n_head": 4, "n_layer": 2}, 0), "gptj": ({**LAYERS, "rotary_dim": 4}, 0),
    "opt": ({"ffn_dim": 48, "word_embed_proj_dim": 32, "max_position_embeddings": 64}, 0),
    "rwkv": ({"attention_hidden_size": 32}, 0),
    "olmoe": ({"num_experts": 4, "num_experts_per_tok": 2}, 2), "phimoe": (MIXED, 2),
    "granitemoe": (MIXED, 2), "jetmoe": ({**MIXED, "kv_channels": 8}, 4),
    "qwen2_moe": ({"num_experts": 4, "shared_expert_intermediate_size": 24, **FEW}, 4),
    "minimax": ({**MIXED, **HEADS, **LINEAR_AND_FULL, "block_size": 4}, 2),
    "mamba2": ({"state_size": 4, "num_heads": 8, "head_dim": 8, "n_groups": 1, "expand": 2}, 0),
    "jamba": (
        {
            "attn_layer_period": 2, "attn_layer_offset": 1, "num_experts": 2, "mamba_d_state": 4,
            "mamba_dt_rank": 4, "use_mamba_kernels": False, "expert_layer_period": 2,
            "expert_layer_offset": 1,
        },
        1,
    ),
    "qwen3_next": (
        {
            "num_experts": 4, "linear_num_value_heads": 2, "linear_num_key_heads": 2,
            "linear_key_head_dim": 8, "linear_value_head_dim": 8,
            "shared_expert_intermediate_size": 24, **HEADS, **LINEAR_AND_FULL, **FEW,
        },
        4,
    ),
}  # fmt: skip
#: Families with convolutions, by the name that leaves these.
CONVOLVED = {"mamba2": "conv1d", "jamba": "conv1d", "qwen3_next": "conv1d"}
#: Families with decays that are no product of matrices, by the name that leaves these.
DECAYED = {"jamba": "a_log"}


def small(family: str) -> nn.Module:
    transformers = pytest.importorskip("transformers", reason="pip install 'isoloss[hub]'")
    torch.manual_seed(0)
    config = transformers.CONFIG_MAPPING[family](**SHARED | FAMILIES[family][0])
    model: nn.Module = transformers.AutoModelForCausalLM.from_config(config).eval()
    return model


def inputs_of(model: nn.Module, named: dict[str, Tensor]) -> dict[str, list[Tensor]]:
    """What tokens bring to each weight."""
    found: dict[str, list[Tensor]] = {name: [] for name in named}
    with torch.no_grad(), Products(named, lambda product: found[product.name].append(product.x)):
        model(tokens(2), use_cache=False)
    return found


def on_a_grid(x: Tensor) -> bool:
    """Whether rows are whole multiples of a seventh of their largest magnitude."""
    if not x.numel():
        return True
    levels = 7 * x / x.abs().amax(-1, keepdim=True).clamp_min(1e-30)
    return bool((levels - levels.round()).abs().max() < 1e-4)


@pytest.mark.filterwarnings("ignore::isoloss.lm.CalibrationWarning")
@pytest.mark.parametrize("family", FAMILIES)
def test_each_weight_of_a_family_has_one_place(family: str) -> None:
    model = small(family)
    found = weights_of_model(model)
    named = {id(p): n for n, p in model.named_parameters() if p.dim() >= 2}
    heads = {named[id(m.weight)] for m in found.matrices if m.scope == "head"}
    matrices = {named[id(m.weight)] for m in found.matrices}
    places = (matrices - heads, heads | set(found.tables), set(found.apart), set(found.beyond))
    for name in named.values():
        assert sum(name in place for place in places) == 1, name
    routers = [m.name for m in found.matrices if m.scope == "router"]
    assert len(routers) == FAMILIES[family][1], routers
    left = f" w.{DECAYED[family]}:fp" if family in DECAYED else ""
    if left:
        with pytest.raises(ModelError, match="multiplied by it number by number"):
            quantised(model, "w4")
    if family in CONVOLVED:
        with pytest.raises(ModelError, match="it is the kernel of a convolution"):
            quantised(model, f"w4{left}")
        left += " w.{0}:fp a.{0}:fp".format(CONVOLVED[family])
    after = quantised(model, f"w4@gptq a4/row{left}", tokens())
    for (name, was), now in zip(model.named_parameters(), after.parameters(), strict=True):
        rounded = name in matrices - heads and not any(each in name for each in routers)
        assert now.equal(was) != rounded, name
    met = inputs_of(after, {n: p for n, p in after.named_parameters() if n in matrices - heads})
    for name in matrices - heads:
        assert met[name], name
        if not any(each in name for each in routers):
            assert all(map(on_a_grid, met[name])), name
    with torch.inference_mode():
        served = after(tokens(2)).logits
    with torch.no_grad():
        assert after(tokens(2)).logits.equal(served)
