"""An allocation as a recipe of other tools: llm-compressor's modifiers, llama.cpp's arguments."""

from __future__ import annotations

import json
import re

from isoloss.formats import Format
from isoloss.lm.allocating.allocation import BitAllocation
from isoloss.lm.shape import ModelError

#: llm-compressor's modifier for each of our methods.
_MODIFIERS = {None: "QuantizationModifier", "rtn": "QuantizationModifier", "gptq": "GPTQModifier"}
#: llama.cpp's types of ours.
_GGUF = ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0")
#: What llama.cpp calls the matrices of a block of the Llama family.
_TENSORS = {
    "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output",
    "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down",
}  # fmt: skip


def llmcompressor_recipe(allocation: BitAllocation) -> str:
    """A recipe of llm-compressor, a group of targets for each format: JSON, which is YAML too.

    Raises
    ------
    ModelError
        A format is none of its integers of rows or groups, or formats name several methods.
    """
    groups, methods = {}, set()
    for number, (name, units) in enumerate(_by_format(allocation).items()):
        known = Format.parse(name)
        methods.add(known.method)
        if not known.is_integer or known.span == "full" or known.method not in _MODIFIERS:
            raise ModelError(f"llm-compressor has no '{name}'; accepted are intN and uintN, @gptq")
        if known.hadamard or known.clip or known.pow2 or known.rounding or known.tile:
            raise ModelError(f"llm-compressor has no modifiers of '{name}'; accepted are groups")
        share = known.granularity
        weights = {
            "num_bits": int(known.bits), "type": "int", "symmetric": known.span == "symmetric",
            "strategy": "group" if isinstance(share, int) else "channel",
        } | ({"group_size": share} if isinstance(share, int) else {})  # fmt: skip
        targets = [_target(unit, allocation.blocks) for unit in units]
        groups[f"group_{number}"] = {"targets": targets, "weights": weights}
    if len(methods) > 1:
        raise ModelError(f"a recipe has one modifier, and formats name several methods: {methods}")
    modifier = _MODIFIERS[methods.pop()]
    stage = {modifier: {"config_groups": groups, "ignore": ["lm_head"]}}
    return json.dumps({"quant_stage": {"quant_modifiers": stage}}, indent=2)


def gguf_arguments(allocation: BitAllocation) -> list[str]:
    """Arguments of llama.cpp's `llama-quantize` that give each tensor its type.

    Raises
    ------
    ModelError
        A format is no type of GGUF files that isoloss knows, or a matrix has no name there.
    """
    found = []
    for name, units in _by_format(allocation).items():
        if name not in _GGUF:
            raise ModelError(f"llama.cpp has no '{name}'; accepted are {', '.join(_GGUF)}")
        for unit in units:
            _, block, *matrix = unit.split(".")
            if matrix and matrix[0] not in _TENSORS:
                raise ModelError(f"llama.cpp has no name for '{unit}'; give blocks")
            tensor = _TENSORS[matrix[0]] if matrix else "(attn|ffn).*"
            found += ["--tensor-type", rf"blk\.{block}\.{tensor}={name}"]
    return found


def _by_format(allocation: BitAllocation) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for unit, known in allocation.formats.items():
        found.setdefault(known, []).append(unit)
    return found


def _target(unit: str, blocks: str) -> str:
    """The modules of a unit: those of its block, or of one name in it."""
    _, block, *matrix = unit.split(".")
    end = rf"(.*\.)?{re.escape(matrix[0])}$" if matrix else ".*"
    return rf"re:(.*\.)?{re.escape(blocks)}\.{block}\.{end}"
