"""Gemstones (McLeish et al. 2025): 22 shapes along 350B tokens, losses on corpora not trained
on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from isoloss.runs.problems import RunsError

STEP_TOKENS = 2048 * 2048
# "main" is the end of training, 175 saves of 477 steps: the authors' own plotting code says the
# same.
LAST_STEP = 175 * 477
OFF_CURVE = ("Gemstone-1024x28", 28620)
WHY = (
    "off its own curve on both corpora: 2% above the line between its neighbours, "
    "10 times the usual scatter"
)
_SHAPE = re.compile(r"(Gemstone-(\d+)x(\d+))\.json$")


def parse_gemstones(files: Mapping[str, bytes], source: str, eval_set: str) -> pl.DataFrame:
    """The checkpoints, each shape one group: they are one trajectory and not independent.

    params is 12 width^2 depth, nominal: the files have no counts, and exact ones differ
    (grouped-query attention, wider feed-forward). The learning rate is constant after warm-up, so
    no loss is annealed.
    """
    rows = [
        row for name, content in files.items() for row in _checkpoints(name, json.loads(content))
    ]
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        precision=pl.lit("bf16"),
        params_kind=pl.lit("nominal"),
        source=pl.lit(source),
        corpus=pl.lit("dolma"),
        eval_set=pl.lit(eval_set),
        family=pl.lit("gemstone"),
        batch_tokens=pl.lit(STEP_TOKENS),
        schedule=pl.lit("constant"),
    )


def _checkpoints(name: str, losses: Mapping[str, float]) -> list[dict[str, Any]]:
    shape = _SHAPE.search(name)
    if shape is None:
        raise RunsError(
            f"cannot read a shape from '{name}'; accepted are names like Gemstone-512x12.json"
        )
    group, width, depth = shape[1], int(shape[2]), int(shape[3])
    rows = []
    for step, loss in sorted((_step(checkpoint), loss) for checkpoint, loss in losses.items()):
        off = (group, step) == OFF_CURVE
        rows.append(
            {
                "params": 12 * width**2 * depth,
                "tokens": step * STEP_TOKENS,
                "loss": loss,
                "status": "excluded" if off else "ok",
                "reason": WHY if off else None,
                "group": group,
                "width": width,
                "depth": depth,
                "step": step,
            }
        )
    return rows


def _step(checkpoint: str) -> int:
    return LAST_STEP if checkpoint == "main" else int(checkpoint.removeprefix("step_"))
