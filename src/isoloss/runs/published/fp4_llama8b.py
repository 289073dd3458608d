"""Eleven 8B pretraining trajectories, BF16 and ten native FP4 recipes, with measured speeds."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import polars as pl

LOSSES = "fp4_llama8b/VALIDATION_LEDGER.csv"
SPEEDS = "fp4_llama8b/llama8b_gb200_all_route_performance_20260830.csv"
#: Tokens of a step. The trainer's own counter runs ahead of it by up to 3M tokens and is not read.
STEP = 4_194_304
PARAMS, EMBEDDING = 8_030_261_248, 525_336_576
#: At this step warm-up ends: gaps there are of another sign than later.
WARM = 2000
WHY = "the end of warm-up, whose gaps say nothing of what follows"

#: By route: elements of weights and activations, of gradients (those of Dgrad where the products
#: differ), the method that stands for the recipe, and its name among the speeds. Blocks of
#: activations are 1-D and tiles of weights 2-D, which the spelling does not say; '~sr' of gradients
#: is that of Dgrad alone in all but Transformer Engine's two.
RECIPES = {
    "te_native": ("nvfp4", "nvfp4+had~sr", "te", "TE-native NVFP4 full body"),
    "te_fol4": ("nvfp4", "nvfp4+had~sr", "te_f0l4", "TE NVFP4 F0L4"),
    "pure_v5": ("nvfp4", "nvfp4~sr", "global_v5", "Pure v5"),
    "localcta": ("nvfp4", "nvfp4~sr", "localcta", "localCTA-v4 + row-SR"),
    "localcta_h16": (
        "nvfp4", "nvfp4+had~sr", "localcta_h16", "localCTA-v4 + row-SR + fixed H16"),
    "localcta_mxfp4_hybrid": ("nvfp4", "nvfp4~sr", "depth_27_5", "localCTA/MXFP4 hybrid"),
    "mxfp4": ("mxfp4", "mxfp4~sr", "mxfp4_v4", "MXFP4-v4 + row-SR"),
    "mxfp4_h32": ("mxfp4", "mxfp4+had~sr", "mxfp4_v4_h32", "MXFP4-v4 + row-SR + fixed H32"),
    "operand_h16": ("mxfp4", "nvfp4~sr", "operand_h16", "Operand hybrid + plain H16"),
    "operand_h32": ("mxfp4", "nvfp4~sr", "operand_h32", "Operand hybrid + fixed H32"),
}  # fmt: skip


def parse_fp4_llama8b(files: Mapping[str, bytes]) -> pl.DataFrame:
    """The checkpoints, spelled as they were trained; every one is scored in BF16, so that a gap is
    the damage to training alone.

    Losses have the error of their level over sequences, which all checkpoints share: that of a gap
    is far smaller, and none is published. 'speed_over_bf16' is of 100-step probes of whole
    configurations on 32 GB200.
    """
    speeds = {row["route"]: float(row["tokens_per_second_per_gpu"]) for row in _read(files[SPEEDS])}
    return pl.DataFrame([_row(row, speeds) for row in _read(files[LOSSES])])


def _read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"))))


def _row(row: Mapping[str, str], speeds: Mapping[str, float]) -> dict[str, Any]:
    route, step = row["semantic_route_key"], int(row["exact_step"])
    spelled, method, speed = "bf16", "none", speeds["BF16"]
    if route != "bf16":
        elements, gradients, method, probe = RECIPES[route]
        spelled = f"w:{elements}@{method} a:{elements}@{method} g:{gradients}@{method}"
        speed = speeds[probe]
    warm = step <= WARM
    return {
        "params": PARAMS,
        "tokens": step * STEP,
        "precision": spelled,
        "loss": float(row["nll"]),
        "loss_se": float(row["sequence_level_standard_error"]),
        "seed": 42,
        "status": "excluded" if warm else "ok",
        "reason": WHY if warm else None,
        "params_kind": "total",
        "params_embedding": EMBEDDING,
        "method": method,
        "kernels": "real",
        "source": "fp4_llama8b",
        "corpus": "olmo_mix_1124",
        "eval_set": "dclm_olmo_panel",
        "tokenizer": "llama3",
        "family": "llama",
        "optimizer": "adamw",
        "batch_tokens": STEP,
        "lr_peak": 3e-4,
        "lr_final": 3e-4,
        "schedule": "constant",
        "group": route,
        "step": step,
        "tokens_per_second_per_gpu": speed,
        "speed_over_bf16": speed / speeds["BF16"],
    }
