"""Over-training testbed (Gadre et al. 2024): 11M to 6.9B parameters, 5 to 640 tokens a
parameter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import polars as pl

from isoloss.runs.problems import RunsError

SEQUENCE = 2048


def parse_gadre(
    files: Mapping[str, bytes], source: str, corpus: str, eval_set: str = "c4_val"
) -> pl.DataFrame:
    """The runs, with the loss on one evaluation set: the C4 validation shards, or another by name.

    params is the total, as in the authors' own fits (their multiples of 20 tokens count it so).
    params_embedding is the input embedding; the output head is no part of it. The intervals in the
    files are errors of sampling sequences, which the runs share, so they are not taken as loss_se.
    'manifest' names the copy of the corpus: a few runs of a later wave read another copy, and lie
    lower.
    """
    rows = [_row(json.loads(content), name, eval_set) for name, content in files.items()]
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        source=pl.lit(source), corpus=pl.lit(corpus), eval_set=pl.lit(eval_set)
    )


def _row(run: Mapping[str, Any], name: str, eval_set: str) -> dict[str, Any]:
    told = run["hyperparameters"]
    # The 6.9B runs say a batch of one sequence, which cannot be: unknown.
    batch = told["global_bs"] * SEQUENCE if told["global_bs"] > 1 else None
    return {
        "params": told["params"],
        "tokens": told["tokens"],
        "precision": "bf16",
        "loss": _loss(run["results"], name, eval_set),
        "seed": told.get("seed"),
        "params_kind": "total",
        "params_embedding": told["params"] - told["params_no_embed"],
        "tokenizer": "gpt-neox-20b",
        "family": "open_lm",
        "optimizer": "adamw",
        "batch_tokens": batch,
        "lr_peak": told["lr"],
        "lr_final": told["cd"],
        "group": run["name"],
        "shape": PurePosixPath(told["model"]).name.removesuffix(".json"),
        "manifest": _argument(run["open_lm_args"], "--dataset-manifest"),
    }


def _argument(arguments: list[str], name: str) -> str | None:
    return arguments[arguments.index(name) + 1] if name in arguments else None


def _loss(results: list[Mapping[str, Any]], name: str, eval_set: str) -> float:
    """The mean loss over the evaluations on this set, weighted by their tokens."""
    named = [(_set_name(result["val_data"]), result) for result in results]
    chosen = [result for found, result in named if found == eval_set]
    if not chosen:
        there = ", ".join(sorted({found for found, _ in named}))
        raise RunsError(
            f"{PurePosixPath(name).name} has no evaluation on '{eval_set}'; its sets are {there}"
        )
    tokens = sum(result["tokens"] for result in chosen)
    return float(sum(result["loss"] * result["tokens"] for result in chosen) / tokens)


def _set_name(val_data: str | list[str]) -> str:
    """The folder that the evaluation shards lie in: c4_val, openlm, paloma_ptb ..."""
    first = val_data if isinstance(val_data, str) else val_data[0]
    return PurePosixPath(first).parent.name
