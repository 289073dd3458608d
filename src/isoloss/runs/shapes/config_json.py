"""Reading a Hugging Face `config.json`: the shape of the model that it describes.

A field that a configuration leaves out has the default of its `model_type` where that says how the
model is built; a count that is left out is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from isoloss.files import read_json
from isoloss.runs.problems import RunsError
from isoloss.runs.shapes.decoder import Decoder
from isoloss.runs.shapes.mixture import GroupedHeads, LatentHeads, Mixture


def read_config(source: str | Path | Mapping[str, Any]) -> Decoder | Mixture:
    """The shape that a configuration describes.

    Parameters
    ----------
    source
        Path of a `config.json`, or its content.

    Returns
    -------
    Decoder or Mixture
        The shape.

    Raises
    ------
    RunsError
        The file cannot be read, its `model_type` is not one of those known, or a field is missing
        or no whole number.
    """
    content = source if isinstance(source, Mapping) else _content(Path(source))
    kind = content.get("model_type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise RunsError(
            f"model_type is {str(kind)[:60]!r}; accepted are {', '.join(_KINDS)}, "
            "and any dense shape as layers=32,width=4096,heads=32,vocab=32000"
        )
    return _KINDS[kind](content)


def _content(path: Path) -> Mapping[str, Any]:
    try:
        found = read_json(path.read_bytes())
    except OSError as error:
        raise RunsError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise RunsError(f"cannot read {path} as JSON: {error}") from error
    if not isinstance(found, dict):
        raise RunsError(f"{path} holds a {type(found).__name__}; accepted is an object of fields")
    return found


def _count(content: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = content.get(name)
    value = default if value is None else value
    if value is None:
        raise RunsError(f"the configuration has no {name}; give it as a whole number")
    if isinstance(value, bool) or not isinstance(value, int):
        raise RunsError(f"{name} is {str(value)[:60]!r}; accepted is a whole number")
    return value


def _is(content: Mapping[str, Any], name: str, default: bool = False) -> bool:
    value = content.get(name, default)
    value = default if value is None else value
    if not isinstance(value, bool):
        raise RunsError(f"{name} is {str(value)[:60]!r}; accepted are true and false")
    return value


def _heads(content: Mapping[str, Any], head_dim: int | None = None) -> tuple[int, int, int]:
    """Heads of queries, of keys and values, and the width of one."""
    heads = _count(content, "num_attention_heads")
    width = _count(content, "hidden_size")
    if head_dim is None and heads >= 1:
        head_dim = width // heads
    kv = _count(content, "num_key_value_heads", heads)
    return heads, kv, _count(content, "head_dim", head_dim)


def _dense(
    content: Mapping[str, Any],
    head_norms: bool = False,
    layer_norms: int = 0,
    qkv_biases: bool = False,
    tied: bool = False,
    head_dim: int | None = None,
) -> Decoder:
    """A gated decoder; biases and further norms are counted as extras of its blocks."""
    heads, kv, each = _heads(content, head_dim)
    width, ffn = _count(content, "hidden_size"), _count(content, "intermediate_size")
    extras = layer_norms * width + (2 * each if head_norms else 0)
    if qkv_biases or _is(content, "attention_bias"):
        extras += (heads + 2 * kv) * each
    if _is(content, "attention_bias"):
        extras += width
    if _is(content, "mlp_bias"):
        extras += 2 * ffn + width
    return Decoder(
        _count(content, "num_hidden_layers"), width, heads, _count(content, "vocab_size"),
        kv_heads=kv, head_dim=each, ffn=ffn, tied=_is(content, "tie_word_embeddings", tied),
        block_extras=extras,
    )  # fmt: skip


def _gpt2(content: Mapping[str, Any]) -> Decoder:
    width = _count(content, "n_embd")
    return Decoder(
        _count(content, "n_layer"), width, _count(content, "n_head"),
        _count(content, "vocab_size"), ffn=_count(content, "n_inner", 4 * width),
        tied=_is(content, "tie_word_embeddings", True), gated=False, biases=True,
        positions=_count(content, "n_positions"),
    )  # fmt: skip


def _mixtral(content: Mapping[str, Any]) -> Mixture:
    return Mixture(
        _count(content, "num_hidden_layers"), _count(content, "hidden_size"),
        _count(content, "vocab_size"), GroupedHeads(*_heads(content)),
        experts=_count(content, "num_local_experts"), chosen=_count(content, "num_experts_per_tok"),
        expert_ffn=_count(content, "intermediate_size"),
        tied=_is(content, "tie_word_embeddings"),
    )  # fmt: skip


def _deepseek_v3(content: Mapping[str, Any]) -> Mixture:
    attention = LatentHeads(
        _count(content, "num_attention_heads"), _count(content, "q_lora_rank"),
        _count(content, "kv_lora_rank"), _count(content, "qk_rope_head_dim"),
        _count(content, "qk_nope_head_dim"), _count(content, "v_head_dim"),
    )  # fmt: skip
    return Mixture(
        _count(content, "num_hidden_layers"), _count(content, "hidden_size"),
        _count(content, "vocab_size"), attention,
        experts=_count(content, "n_routed_experts"), chosen=_count(content, "num_experts_per_tok"),
        expert_ffn=_count(content, "moe_intermediate_size"),
        shared=_count(content, "n_shared_experts"),
        dense_layers=_count(content, "first_k_dense_replace"),
        dense_ffn=_count(content, "intermediate_size"), router_bias=True,
        tied=_is(content, "tie_word_embeddings"),
    )  # fmt: skip


#: How each `model_type` is built.
_KINDS: dict[str, Callable[[Mapping[str, Any]], Decoder | Mixture]] = {
    "llama": _dense,
    "mistral": _dense,
    "qwen2": lambda content: _dense(content, qkv_biases=True),
    "qwen3": lambda content: _dense(content, head_norms=True, head_dim=128),
    "gemma2": lambda content: _dense(content, layer_norms=2, tied=True, head_dim=256),
    "gpt2": _gpt2,
    "mixtral": _mixtral,
    "deepseek_v3": _deepseek_v3,
}
