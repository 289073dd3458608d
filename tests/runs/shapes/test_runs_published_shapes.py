"""Published shapes have the published counts, and configurations give the same shapes."""

import json
from pathlib import Path

import pytest

from isoloss.runs import SHAPES, Decoder, GroupedHeads, Mixture, RunsError, as_shape, read_config

LLAMA = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
    "tie_word_embeddings": False, "vocab_size": 128256, "attention_bias": False,
}  # fmt: skip
CONFIGS = {
    "llama3-8b": LLAMA,
    "mistral-7b": {**LLAMA, "model_type": "mistral", "vocab_size": 32000},
    "qwen3-8b": {
        **LLAMA, "model_type": "qwen3", "intermediate_size": 12288, "num_hidden_layers": 36,
        "vocab_size": 151936, "head_dim": 128,
    },
    "gemma2-9b": {
        "model_type": "gemma2", "hidden_size": 3584, "intermediate_size": 14336, "head_dim": 256,
        "num_attention_heads": 16, "num_hidden_layers": 42, "num_key_value_heads": 8,
        "vocab_size": 256000,
    },
    "gpt2": {
        "model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024,
        "n_inner": None, "vocab_size": 50257,
    },
    "mixtral-8x7b": {
        **LLAMA, "model_type": "mixtral", "vocab_size": 32000, "num_local_experts": 8,
        "num_experts_per_tok": 2,
    },
    "deepseek-v3": {
        "model_type": "deepseek_v3", "hidden_size": 7168, "intermediate_size": 18432,
        "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128,
        "v_head_dim": 128, "moe_intermediate_size": 2048, "n_routed_experts": 256,
        "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3,
        "num_attention_heads": 128, "num_hidden_layers": 61, "vocab_size": 129280,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_the_params_of_a_shape_are_those_published(name: str) -> None:
    known = SHAPES[name]
    assert known.shape.params == known.params
    assert known.page.startswith("https://huggingface.co/")


def test_active_params_of_mixtures_of_experts() -> None:
    # Mixtral: 12,879,925,248 with the table of embeddings; DeepSeek-V3: 36,624,596,992 in
    # matrices, to which norms (61 blocks and one) and biases of routers (58 of 256) are added.
    mixtral, deepseek = SHAPES["mixtral-8x7b"].shape, SHAPES["deepseek-v3"].shape
    assert isinstance(mixtral, Mixture)
    assert isinstance(deepseek, Mixture)
    assert mixtral.active_params + 32000 * 4096 == 12_879_925_248
    norms = 61 * (2 * 7168 + 1536 + 512) + 7168
    assert deepseek.active_params == 36_624_596_992 + norms + 58 * 256


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_gives_the_published_shape(name: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIGS[name]))
    assert read_config(path) == as_shape(str(path)) == SHAPES[name].shape == as_shape(name)


@pytest.mark.parametrize(
    ("more", "extra"),
    [
        ({"attention_bias": True}, 4096 + 2 * 1024 + 4096),
        ({"mlp_bias": True}, 2 * 14336 + 4096),
        ({"model_type": "qwen2"}, 4096 + 2 * 1024),
    ],
)
def test_biases_of_some_matrices_count_in_every_block(more: dict, extra: int) -> None:
    assert read_config({**LLAMA, **more}).params == 8_030_261_248 + 32 * extra


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({**LLAMA, "model_type": "mamba"}, "model_type is 'mamba'; accepted are llama, mistral"),
        ({"model_type": "llama"}, "has no num_attention_heads"),
        ({**LLAMA, "vocab_size": "big"}, "vocab_size is 'big'; accepted is a whole number"),
        ({**LLAMA, "num_hidden_layers": True}, "num_hidden_layers is 'True'"),
        ({**LLAMA, "tie_word_embeddings": 1}, "tie_word_embeddings is '1'; accepted are true"),
        ({**LLAMA, "num_hidden_layers": 0}, "layers is 0; accepted is a whole number of at least"),
        ({**CONFIGS["mixtral-8x7b"], "num_experts_per_tok": 9}, "chosen is 9; accepted is at most"),
    ],
)
def test_what_is_no_configuration_is_refused(content: dict, said: str) -> None:
    with pytest.raises(RunsError, match=said):
        read_config(content)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[1]")
    (tmp_path / "cut.json").write_text("{")
    with pytest.raises(RunsError, match="holds a list; accepted is an object"):
        as_shape(tmp_path / "config.json")
    with pytest.raises(RunsError, match="as JSON"):
        as_shape(tmp_path / "cut.json")
    with pytest.raises(RunsError, match="No such file"):
        as_shape("none.json")


def test_words_give_a_decoder() -> None:
    words = "layers=32, width=4096,heads=32,kv_heads=8,vocab=128_256,ffn=14336,tied=no"
    assert as_shape(words) == SHAPES["llama3-8b"].shape == as_shape(" LLAMA3_8B ")
    small = Decoder(2, 64, 4, 100, tied=True)
    assert as_shape("layers=2,width=64,heads=4,vocab=100,tied=yes") == small == as_shape(small)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("layers=2,width=64", "the decoder has no heads, vocab; give each"),
        ("layer=2,width=64", "cannot read 'layer=2' of a decoder; did you mean"),
        ("layers=2,layers=3", "layers is given twice"),
        ("layers=-2,width=64", "layers is '-2'; accepted is a whole number"),
        ("layers=2,tied=maybe", "tied is 'maybe'; accepted are yes and no"),
        ("llama3-9b", "unknown model 'llama3-9b'; did you mean"),
    ],
)
def test_words_that_are_no_shape_are_refused(words: str, said: str) -> None:
    with pytest.raises(RunsError, match=said):
        as_shape(words)
    with pytest.raises(RunsError, match="shape is 7"):
        as_shape(7)  # type: ignore[arg-type]


def test_bytes_of_a_mixture_by_hand() -> None:
    tiny = Mixture(2, 8, 10, GroupedHeads(2, 1, 4), experts=4, chosen=1, expert_ffn=6, shared=1)
    attention, expert, rest = 2 * 8 * 3 * 4, 3 * 8 * 6, 5 * 8 + 2 * 4 * 8
    assert tiny.params == 2 * (attention + 5 * expert) + rest + 2 * 80
    assert tiny.active_params == 2 * (attention + 2 * expert) + rest + 80
    assert tiny.weight_bytes("w8") == 2 * (attention + 5 * expert) + 2 * (rest + 160)
    assert tiny.read_bytes("w8") == 2 * (attention + 2 * expert) + 2 * (rest + 80)
    assert tiny.kv_bytes(100, 3, "kv8") == 2 * 2 * 4 * 100 * 3
    assert tiny.kv_bytes(100, 3, "k8 v4") == 2 * 2 * (4 + 2) / 2 * 100 * 3
    with pytest.raises(RunsError, match="this attention keeps one vector for both; set both as"):
        SHAPES["deepseek-v3"].shape.kv_bytes(1, 1, "k8 v4")
    # DeepSeek-V3 keeps 512 + 64 numbers a token and block: 70,272 bytes a token in 16 bits.
    assert SHAPES["deepseek-v3"].shape.kv_bytes(1) == 61 * 576 * 2 == 70_272


def test_a_tied_mixture_keeps_and_reads_one_table() -> None:
    tiny = Mixture(1, 8, 10, GroupedHeads(2, 1, 4), 2, 2, 6, tied=True)
    assert tiny.weight_bytes() == tiny.read_bytes() == 2 * tiny.params
    assert tiny.weight_bytes("w.embedding:int8") == 2 * tiny.params - 80
