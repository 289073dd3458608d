"""Losses in bits or as perplexity, by rows or by the name of their column, as nats.

A logarithm per token has one unit here, the nat; one per byte or character is a metric of its own,
which is never mixed with one per token, since tokens per byte are not known.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from isoloss.runs.intake.cells import EMPTY_TEXTS, different, each_once, more_than, rows_of
from isoloss.runs.metrics import METRICS
from isoloss.runs.problems import LossConverted, RunsError


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
        return "taken as it is" if self.scale == 1 else "taken times ln 2"


BITS = math.log(2)
_UNITS = {
    **dict.fromkeys(("bits", "bit", "bits/token", "bpt"), ("bits per token", "nats", BITS)),
    **dict.fromkeys(("bits/byte", "bpb"), ("bits per byte", "nats/byte", BITS)),
    **dict.fromkeys(
        ("bits/character", "bits/char", "bpc"), ("bits per character", "nats/character", BITS)
    ),
    **dict.fromkeys(("perplexity", "ppl"), ("perplexity", "nats", None)),
    **dict.fromkeys(("nat", "nats/token"), ("nats per token", "nats", 1.0)),
    "nats/byte": ("nats per byte", "nats/byte", 1.0),
    **dict.fromkeys(("nats/char", "nats/character"), ("nats per character", "nats/character", 1.0)),
    "ppl/byte": ("perplexity per byte", "nats/byte", None),
    **dict.fromkeys(
        ("ppl/char", "ppl/character"), ("perplexity per character", "nats/character", None)
    ),
}
UNITS: Mapping[str, LossUnit] = {name: LossUnit(*each) for name, each in _UNITS.items()}
#: Units whose names stand in the name of a column, whole words only, as what `unit_of` knows.
_PER = r"[_ ]?(?:per|/)[_ ]?"
_IN_NAMES = {
    rf"(bits|nats|nll|loss){_PER}(token|byte|char(?:acter)?)": None,
    r"(byte|char(?:acter)?)[_ ](?:ppl|perplexity)": None,
    r"bpc|bpb|bpt|ppl|perplexity": None,
    r"(?:loss|nll|ce|entropy)[_ ]*(?:in[_ ])?[(\[]?bits[)\]]?|in[_ ]bits|[(\[]bits[)\]]": "bits",
}
_WORD = r"(?:^|[^a-z0-9])(?:{})(?:$|[^a-z0-9])"
#: Words of what is no loss per token, in the name of a column that is taken as the loss.
_NO_LOSS = re.compile(
    _WORD.format("acc|accuracy|f1|bleu|rouge|elo|reward|exact[_ ]match|win[_ ]?rate|score")
)
_OF_WORDS = re.compile(_WORD.format(rf"word[_ ](?:ppl|perplexity)|\w+{_PER}word|bpw"))


@lru_cache(maxsize=256)
def unit_of(text: str) -> LossUnit | None:
    """The unit of a word such as 'bpc' or 'bits per byte'; None for a metric or another word."""
    return UNITS.get(re.sub(r"[\s_]+per[\s_]+", "/", text.strip().lower()))


def unit_in_name(column: str) -> LossUnit | None:
    """The unit that the name of a column says, as 'eval/bpb'; None where it says none."""
    text = column.lower()
    for words, unit in _IN_NAMES.items():
        found = re.search(_WORD.format(f"({words})"), text)
        if found is not None:
            return unit_of(unit or _spelled(found[1]))
    return None


def _spelled(text: str) -> str:
    """A unit in a name as `UNITS` has it: 'nll per char' is nats/char."""
    of = re.fullmatch(r"(byte|char(?:acter)?)[_ ](?:ppl|perplexity)", text)
    if of is not None:
        return f"ppl/{of[1]}"
    # A perplexity has a 'per' of its own.
    text = text if text == "perplexity" else re.sub(_PER, "/", text)
    return re.sub(r"^(?:nll|loss)/", "nats/", text)


def check_is_loss(column: str, source: str) -> None:
    """Raise RunsError where the name of the loss column says that it is none per token."""
    text = column.lower()
    if _NO_LOSS.search(text) is not None:
        raise RunsError(
            f"column '{column}' of {source} says that it is no loss, and laws are of losses; give "
            "metric='nats' (--set metric=nats) if it is one"
        )
    if _OF_WORDS.search(text) is not None:
        raise RunsError(
            f"column '{column}' of {source} is per word, and tokens per word are not known: give a "
            "loss per token, byte or character, or metric='nats' (--set metric=nats) if it is one"
        )


#: The unit of rows, by a mask of these.
Units = Sequence[tuple[LossUnit, pl.Series]]


def in_nats(frame: pl.DataFrame, units: Units) -> tuple[pl.DataFrame, dict[int, str]]:
    """The frame with losses and their errors in nats and its metric, and losses that have none."""
    bad: dict[int, str] = {}
    unknown = pl.Series("metric", [None], dtype=pl.String).new_from_index(0, frame.height)
    metric = frame["metric"] if "metric" in frame.columns else unknown
    for unit, rows in units:
        loss = frame["loss"]
        changed = rows & loss.is_not_null()
        if unit.scale is None:
            low = changed & (loss > 0) & (loss <= 1)
            words = "has {:g}; accepted is a perplexity above 1"
            values = loss.filter(low).to_list()
            bad |= {r: words.format(v) for r, v in zip(rows_of(low), values, strict=True)}
            changed &= (loss > 1) & ~loss.is_nan()
        frame = frame.with_columns(_converted(loss, changed, unit.scale))
        if "loss_se" in frame.columns:
            error = frame["loss_se"]
            spread = error / loss if unit.scale is None else error * unit.scale
            frame = frame.with_columns(error.zip_with(~changed, spread))
        word = pl.Series("metric", [unit.metric], dtype=pl.String)
        metric = metric.zip_with(~rows, word.new_from_index(0, frame.height))
    return frame.with_columns(metric), bad


def _converted(loss: pl.Series, changed: pl.Series, scale: float | None) -> pl.Series:
    if scale is not None:
        return loss.zip_with(~changed, loss * scale)
    logs = pl.Series([math.log(value) for value in loss.filter(changed)], dtype=pl.Float64)
    return loss.clone().scatter(changed.arg_true(), logs)


def units_by_row(raw: pl.DataFrame, own_name: str, where: str) -> Units | None:
    """The units and the rows of each: what the metric says, else the name of the loss column.

    None where no row has one. A unit taken from a name is said (LossConverted).
    """
    words = different(raw["metric"]) if "metric" in raw.columns else [None]
    if all(word in (None, "") for word in words):
        check_is_loss(own_name, where)
        named = unit_in_name(own_name)
        if named is None:
            return None
        warnings.warn(
            f"column '{own_name}' of {where} is read as {named.words}: {named.said()}, in "
            f"{named.metric}; give metric='nats' if it is in nats per token",
            LossConverted,
            stacklevel=2,
        )
        return [(named, pl.Series([True]).new_from_index(0, raw.height))]

    def judge(word: object) -> tuple[str | None, None]:
        unit = None if word is None else unit_of(str(word))
        return (None if unit is None else unit.words), None

    said, _ = each_once(raw["metric"], judge, pl.String)
    known = {unit.words: unit for unit in UNITS.values()}
    return [
        (known[words], (said == words).fill_null(False))
        for words in said.drop_nulls().unique(maintain_order=True)
    ] or None


#: The perplexity whose logarithm is a metric.
_PERPLEXITIES = {unit.metric: name for name, unit in UNITS.items() if unit.scale is None}


def as_perplexity(
    frame: pl.DataFrame, own_name: str, source: str
) -> tuple[pl.DataFrame, dict[int, str]]:
    """The frame whose metric says that losses are perplexities, and the rows whose says else.

    Parameters
    ----------
    frame
        The table, under canonical names.
    own_name
        The loss column's own name, which may say per what; empty for an expression.
    source
        The file, for messages.

    Raises
    ------
    RunsError
        No row says a metric, and the name of the column says another unit, or none per token.
    """
    there = "metric" in frame.columns
    named = None
    if not there or all(word in (None, "") for word in different(frame["metric"])):
        check_is_loss(own_name, source)
        named = unit_in_name(own_name)
    if named is not None and named.scale is not None:
        raise RunsError(
            f"column '{own_name}' of {source} says {named.words}, and perplexity=True "
            "(--perplexity) is given too; give metric='nats' (--set metric=nats) if it is "
            "perplexity per token, or leave that out"
        )
    silent = _PERPLEXITIES["nats" if named is None else named.metric]
    if not there:
        return frame.with_columns(pl.lit(silent).alias("metric")), {}

    def judge(word: object) -> tuple[str, str | None]:
        text = str(word or "").strip()
        unit = unit_of(text)
        if text in EMPTY_TEXTS:
            return silent, None
        if unit is None or unit.scale != BITS:
            metric = text if unit is None else unit.metric
            if metric in _PERPLEXITIES:
                return _PERPLEXITIES[metric], None
        return text, f"has {text!r}, and the loss is read as perplexity (--perplexity)"

    metric, bad = each_once(frame["metric"], judge, pl.String)
    return frame.with_columns(metric), bad


def with_metric(frame: pl.DataFrame, source: str) -> tuple[pl.DataFrame, str | None]:
    """The frame with the metric that a column of units says, whatever its name, and that name.

    Raises RunsError where two columns hold units; warns (LossConverted) of the one that is taken.
    """
    found = [series.name for series in frame.get_columns() if _holds_units(series)]
    if not found:
        return frame, None
    if len(found) > 1:
        raise RunsError(
            f"columns '{found[0]}' and '{found[1]}' of {source} both hold units of losses: choose "
            f"one with --column metric='{found[0]}' or --column metric='{found[1]}'"
        )
    warnings.warn(
        f"column '{found[0]}' of {source} is read as the unit of each loss; name another with "
        "--column metric=NAME, or give one for all rows with metric='nats' (--set metric=nats)",
        LossConverted,
        stacklevel=2,
    )
    return frame.with_columns(frame[found[0]].alias("metric")), found[0]


def unknown_metrics(metric: pl.Series) -> dict[int, str]:
    """What is wrong with empty cells of a column of metrics, by position.

    Where all other cells say nats, a cell of which nothing is said is in nats too; beside any other
    unit it may be in either.
    """
    texts = metric.cast(pl.String).fill_null("").str.strip_chars()
    empty = texts.is_in(list(EMPTY_TEXTS))
    other = next(
        (
            word
            for word in texts.filter(~empty).unique(maintain_order=True)
            if word.lower() != "nats"
        ),
        None,
    )
    if other is None or not empty.any():
        return {}
    what = f"is empty where other rows say {other!r}: the unit of its loss is not known"
    return dict.fromkeys(empty.arg_true().to_list(), what)


def _holds_units(series: pl.Series) -> bool:
    if series.dtype != pl.String or more_than(series, len(UNITS)):
        return False
    words = [word for word in series.unique().to_list() if word and word not in EMPTY_TEXTS]
    return bool(words) and all(word in METRICS or unit_of(word) is not None for word in words)
