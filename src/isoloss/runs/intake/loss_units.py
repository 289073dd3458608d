"""Losses in bits or as perplexity, by rows or by the name of their column, as nats.

A logarithm per token has one unit here, the nat; one per byte or character is a metric of its own,
which is never mixed with one per token, since tokens per byte are not known.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from isoloss.runs.problems import LossConverted


@dataclass(frozen=True)
class LossUnit:
    """A unit of losses: its words, and the metric that losses have as nats.

    scale: nats in one unit; None where the loss is the exponential of nats (perplexity).
    """

    words: str
    metric: str
    scale: float | None

    def said(self) -> str:
        """What is done to a loss, in words."""
        if self.scale is None:
            return "its logarithm is taken"
        return "taken times ln 2"


BITS = math.log(2)
_UNITS = {
    **dict.fromkeys(("bits", "bit", "bits/token", "bpt"), ("bits per token", "nats", BITS)),
    **dict.fromkeys(("bits/byte", "bpb"), ("bits per byte", "nats/byte", BITS)),
    **dict.fromkeys(
        ("bits/character", "bits/char", "bpc"), ("bits per character", "nats/character", BITS)
    ),
    **dict.fromkeys(("perplexity", "ppl"), ("perplexity", "nats", None)),
    **dict.fromkeys(("nat", "nats/token"), ("nats per token", "nats", 1.0)),
    "nats/char": ("nats per character", "nats/character", 1.0),
}
UNITS: Mapping[str, LossUnit] = {name: LossUnit(*each) for name, each in _UNITS.items()}
#: Units whose names stand in the name of a column, whole words only.
_IN_NAMES = re.compile(
    r"(?:^|[^a-z0-9])"
    r"(bpc|bpb|bpt|ppl|perplexity|bits[_ ]?(?:per|/)[_ ]?(?:token|byte|char(?:acter)?))"
    r"(?:$|[^a-z0-9])"
)


@lru_cache(maxsize=256)
def unit_of(text: str) -> LossUnit | None:
    """The unit of a word such as 'bpc' or 'bits per byte'; None for a metric or another word."""
    return UNITS.get(re.sub(r"[\s_]+per[\s_]+", "/", text.strip().lower()))


def unit_in_name(column: str) -> LossUnit | None:
    """The unit that the name of a column says, as 'eval/bpb'; None where it says none."""
    found = _IN_NAMES.search(column.lower())
    return None if found is None else unit_of(re.sub(r"[_ ]?(?:per|/)[_ ]?", "/", found[1]))


def in_nats(
    frame: pl.DataFrame, units: list[LossUnit | None]
) -> tuple[pl.DataFrame, dict[int, str]]:
    """The frame with losses and their errors in nats and its metric, and losses that have none."""
    loss = frame["loss"].to_list()
    error = frame["loss_se"].to_list() if "loss_se" in frame.columns else [None] * frame.height
    bad: dict[int, str] = {}
    for index, unit in enumerate(units):
        value = loss[index]
        if unit is None or value is None:
            continue
        if unit.scale is None and 0 < value <= 1:
            bad[index] = f"has {value:g}; accepted is a perplexity above 1"
        if unit.scale is None and not value > 1:
            continue
        loss[index] = math.log(value) if unit.scale is None else value * unit.scale
        spread = error[index]
        if spread is not None:
            error[index] = spread / value if unit.scale is None else spread * unit.scale
    metric = frame["metric"].to_list() if "metric" in frame.columns else [None] * frame.height
    metric = [m if u is None else u.metric for m, u in zip(metric, units, strict=True)]
    changed = {
        "loss": pl.Series(loss, dtype=pl.Float64),
        "metric": pl.Series(metric, dtype=pl.String),
    }
    if "loss_se" in frame.columns:
        changed["loss_se"] = pl.Series(error, dtype=pl.Float64)
    return frame.with_columns(**changed), bad


def units_by_row(raw: pl.DataFrame, own_name: str, where: str) -> list[LossUnit | None] | None:
    """The unit of every row: what its metric says, else what the name of the loss column says.

    None where no row has one. A unit taken from a name is said (LossConverted).
    """
    said = raw["metric"].to_list() if "metric" in raw.columns else [None] * raw.height
    units = [None if word is None else unit_of(str(word)) for word in said]
    named = unit_in_name(own_name)
    if named is not None and all(word in (None, "") for word in said):
        warnings.warn(
            f"column '{own_name}' of {where} is read as {named.words}: {named.said()}, in "
            f"{named.metric}; give metric='nats' if it is in nats per token",
            LossConverted,
            stacklevel=2,
        )
        units = [named] * raw.height
    return units if any(unit is not None for unit in units) else None
