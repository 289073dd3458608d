"""Chinchilla (Hoffmann et al. 2022): 245 runs read off a figure by Besiroglu et al. 2024."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

OUTLIERS = 5
WHY = (
    f"one of the {OUTLIERS} highest losses, below 0.41 tokens per param, "
    "that the replication leaves out"
)


def parse_hoffmann(files: Mapping[str, bytes]) -> pl.DataFrame:
    """The runs, with tokens = flop / (6 params) since the file has none, and the 5 outliers
    excluded.
    """
    (content,) = files.values()
    raw = pl.read_csv(content)
    left_out = raw["loss"].rank("ordinal", descending=True) <= OUTLIERS
    params, flops = raw["Model Size"], raw["Training FLOP"]
    rows = pl.DataFrame(
        {"params": params, "tokens": flops / (6 * params), "loss": raw["loss"], "flops": flops}
    )
    return rows.with_columns(
        precision=pl.lit("bf16"),
        status=pl.when(left_out).then(pl.lit("excluded")).otherwise(pl.lit("ok")),
        reason=pl.when(left_out).then(pl.lit(WHY)),
        params_kind=pl.lit("nominal"),
        flop_rule=pl.lit("tokens derived from flops by 6ND"),
        source=pl.lit("hoffmann2022"),
        corpus=pl.lit("massivetext"),
        family=pl.lit("chinchilla"),
    )
