"""Shapes of published models by name, each with its published count and where it is from.

Shapes are those of the `config.json` of a model on Hugging Face, counts those of the headers of its
safetensors ("total"), except where a page says otherwise. Every count equals the shape's own
(`tests/runs/shapes`).
"""

from __future__ import annotations

from dataclasses import dataclass

from isoloss.files import Registry
from isoloss.runs.problems import RunsError
from isoloss.runs.shapes.decoder import Decoder
from isoloss.runs.shapes.mixture import GroupedHeads, LatentHeads, Mixture


@dataclass(frozen=True)
class PublishedShape:
    """A published model.

    Attributes
    ----------
    name
        In lower case with hyphens.
    shape
        Of a dense decoder or of a mixture of experts.
    params
        All parameters as published.
    page
        Where shape and count are from.
    """

    name: str
    shape: Decoder | Mixture
    params: int
    page: str


#: Every published shape by name, in the order in which help and errors list them.
SHAPES: Registry[PublishedShape] = Registry("model", RunsError, of=PublishedShape)

_HUB = "https://huggingface.co"


def _add(name: str, shape: Decoder | Mixture, params: int, page: str) -> None:
    SHAPES.add(PublishedShape(name, shape, params, f"{_HUB}/{page}"))


_add(
    "llama3-8b",
    Decoder(32, 4096, 32, 128_256, kv_heads=8, ffn=14_336),
    8_030_261_248,
    "meta-llama/Llama-3.1-8B",
)
_add(
    "llama3-70b",
    Decoder(80, 8192, 64, 128_256, kv_heads=8, ffn=28_672),
    70_553_706_496,
    "meta-llama/Llama-3.1-70B",
)
_add(
    "llama3-405b",
    Decoder(126, 16_384, 128, 128_256, kv_heads=8, ffn=53_248),
    405_853_388_800,
    "meta-llama/Llama-3.1-405B",
)
_add("llama2-7b", Decoder(32, 4096, 32, 32_000, ffn=11_008), 6_738_415_616, "meta-llama/Llama-2-7b")
_add(
    "mistral-7b",
    Decoder(32, 4096, 32, 32_000, kv_heads=8, ffn=14_336),
    7_241_732_096,
    "mistralai/Mistral-7B-v0.1",
)
# Norms of queries and keys, one scale of head width each.
_add(
    "qwen3-8b",
    Decoder(36, 4096, 32, 151_936, kv_heads=8, ffn=12_288, block_extras=256),
    8_190_735_360,
    "Qwen/Qwen3-8B",
)
# Four norms a block. Half of the blocks attend to 4096 tokens only; keys and values are counted
# over the whole context in all, so beyond 4096 tokens their bytes are an upper bound.
_add(
    "gemma2-9b",
    Decoder(
        42, 3584, 16, 256_000, kv_heads=8, head_dim=256, ffn=14_336, tied=True, block_extras=7168
    ),
    9_241_705_984,
    "google/gemma-2-9b",
)
_add(
    "smollm2-135m",
    Decoder(30, 576, 9, 49_152, kv_heads=3, ffn=1536, tied=True),
    134_515_008,
    "HuggingFaceTB/SmolLM2-135M",
)
_add(
    "gpt2",
    Decoder(12, 768, 12, 50_257, tied=True, gated=False, biases=True, positions=1024),
    124_439_808,
    "openai-community/gpt2",
)
_add(
    "mixtral-8x7b",
    Mixture(32, 4096, 32_000, GroupedHeads(32, 8, 128), experts=8, chosen=2, expert_ffn=14_336),
    46_702_792_704,
    "mistralai/Mixtral-8x7B-v0.1",
)
# The main model: the module that predicts a second token, 11.5B more, and the scales of FP8 blocks
# are not counted, the routers' biases are (58 blocks of 256).
_add(
    "deepseek-v3",
    Mixture(
        61,
        7168,
        129_280,
        LatentHeads(128, query_rank=1536, kv_rank=512, rotary=64, plain=128, value=128),
        experts=256,
        chosen=8,
        expert_ffn=2048,
        shared=1,
        dense_layers=3,
        dense_ffn=18_432,
        router_bias=True,
    ),
    671_026_419_200,
    "deepseek-ai/DeepSeek-V3 (config.json, README_WEIGHTS.md: 671B, 36.6B active with the head)",
)
