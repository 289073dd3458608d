"""Checks on a table of runs: typed columns, one spelling per precision, and a reason for every row
left out.

Nothing is dropped. A row whose required values cannot be used stays, with status "excluded" and a
reason that names file, row, column, value and what is accepted; a value of an optional column that
cannot be used becomes unknown, with a warning.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache

import polars as pl

from isoloss.files import printable
from isoloss.formats import Precision
from isoloss.runs.columns import BY_NAME, COLUMNS, REQUIRED, Column
from isoloss.runs.intake.content import ending_of, naming
from isoloss.runs.intake.loss_units import in_nats, unit_of, units_by_row
from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.texts import EMPTY_NUMBERS, EMPTY_TEXTS, listed
from isoloss.runs.numbers import WRITE, number
from isoloss.runs.problems import NothingUsable, PerplexitySuspected, RunsError, ValueIgnored

#: Columns, beside the required ones, whose values change what a row means or weighs.
MEANING = frozenset({"status", "metric", "params_kind", "kernels", "loss_se", "unique_tokens"})
# ln(vocabulary) of the largest tokenizers in use is about 12.5: no model is worse than uniform for
# long.
LARGEST_LIKELY_LOSS = 12.5
#: Words for what is counted, at the end of a cell of a column in this unit.
COUNTED = {
    "parameters": re.compile(r"\s*\bparam(?:eter)?s?\s*$", re.IGNORECASE),
    "tokens": re.compile(r"\s*\btok(?:en)?s?\s*$", re.IGNORECASE),
    "flop": re.compile(r"\s*\bflops?\s*$", re.IGNORECASE),
}
#: The least and the largest count or loss: products and powers of these are finite.
LEAST, MOST = 1e-60, 1e60
WRITE_DECIMALS = "write it with a point, like 3.14"


def checked(
    frame: pl.DataFrame,
    origin: Origin,
    strict: bool = False,
    found: Mapping[str, Mapping[int, str]] | None = None,
) -> pl.DataFrame:
    """The frame with typed canonical columns first, metric, status and reason filled, extra columns
    after.

    found holds what is already known to be wrong, by column and row position. Raises RunsError
    where a required column is missing, and with strict for the first row that cannot be used.
    """
    missing = [name for name in REQUIRED if name not in frame.columns]
    if missing:
        raise RunsError(_missing_columns(missing, frame, origin))
    table: dict[str, pl.Series] = {}
    reasons: dict[int, list[str]] = {}
    for column in COLUMNS:
        if column.name in frame.columns:
            table[column.name], bad = _typed(frame[column.name], column)
            _report({**bad, **(found or {}).get(column.name, {})}, column, origin, reasons)
    out = pl.DataFrame(table)
    own = "" if "loss" in origin.computed else origin.called.get("loss", "loss")
    units = units_by_row(frame, own, origin.name)
    if units is not None:
        out, bad = in_nats(out, units)
        _report(bad, BY_NAME["loss"], origin, reasons)
    out = _judged(out, origin, reasons, strict)
    extra = [frame[name] for name in frame.columns if name not in BY_NAME]
    ordered = [out[column.name] for column in COLUMNS if column.name in out.columns]
    result = pl.DataFrame(ordered + extra)
    _suspect_perplexity(result, origin)
    _refuse_old_risk(result, origin)
    if result.height and not (result["status"] == "ok").any():
        first = result["reason"][0]
        warnings.warn(f"no row of {origin.name} can be used: {first}", NothingUsable, stacklevel=2)
    return result


def with_reasons(table: pl.DataFrame, reasons: Mapping[int, str]) -> pl.DataFrame:
    """A checked table with further usable rows excluded, each with its reason."""
    status, reason = table["status"].to_list(), table["reason"].to_list()
    for row, why in reasons.items():
        if status[row] == "ok":
            status[row], reason[row] = "excluded", why
    return table.with_columns(
        pl.Series("status", status, dtype=pl.String), pl.Series("reason", reason, dtype=pl.String)
    )


def _refuse_old_risk(frame: pl.DataFrame, origin: Origin) -> None:
    """Raises RunsError for simulated rows of an older table, whose loss left the floor out."""
    if "inputs" not in frame.columns or frame["inputs"].dtype != pl.String:
        return
    if frame.select(
        ((pl.col("metric") == "excess_risk") & (pl.col("inputs") == "quantised")).any()
    ).item():
        raise RunsError(
            f"{origin.name} has inputs 'quantised', now 'in use', whose loss holds the floor; add "
            "column floor to the loss of these rows and write 'in use', or simulate them again"
        )


def _missing_columns(missing: Sequence[str], frame: pl.DataFrame, origin: Origin) -> str:
    there = listed([name for name in frame.columns if name not in origin.given])
    quoted = [f"'{name}'" for name in missing]
    wanted = " and ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
    columns = "column" if len(missing) == 1 else "columns"
    said = f"{origin.name} has no {columns} {wanted}; its columns are {there}"
    return f"{said}; {naming(missing, frame)}"


def _report(
    bad: Mapping[int, str], column: Column, origin: Origin, reasons: dict[int, list[str]]
) -> None:
    """Adds what is wrong in a column that changes what a row means to the reasons; warns for
    others.

    A loss of another metric is no loss in nats, and a row whose params are counted in a way that
    is not known is not like the others: such rows are excluded.
    """
    if not bad:
        return
    if column.required or column.name in MEANING:
        for index, what in bad.items():
            reasons.setdefault(index, []).append(
                f"{origin.column(column.name)} {what} {origin.place(index)}"
            )
        return
    first = min(bad)
    count = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    message = (
        f"{origin.column(column.name)} {bad[first]} {origin.place(first)}{count}: taken as unknown"
    )
    warnings.warn(message, ValueIgnored, stacklevel=2)


def _judged(
    frame: pl.DataFrame, origin: Origin, reasons: dict[int, list[str]], strict: bool
) -> pl.DataFrame:
    """The frame with metric, status and reason for every row."""
    empty: list[str | None] = [None] * frame.height
    metric = [
        m or "nats" for m in (frame["metric"].to_list() if "metric" in frame.columns else empty)
    ]
    status = [
        s or "ok" for s in (frame["status"].to_list() if "status" in frame.columns else empty)
    ]
    reason = frame["reason"].to_list() if "reason" in frame.columns else list(empty)
    unusable = []
    for index, was in enumerate(status):
        if was == "ok" and index in reasons:
            status[index], reason[index] = "excluded", "; ".join(reasons[index])
        elif was != "ok" and not reason[index]:
            reason[index] = f"{origin.column('status')} is {was} {origin.place(index)}"
        elif was == "ok" or origin.settled:
            continue
        unusable.append(str(reason[index]))
    if strict and unusable:
        more = f" and {len(unusable) - 1} more of {frame.height} rows" if len(unusable) > 1 else ""
        raise RunsError(unusable[0] + more)
    text = {"metric": metric, "status": status, "reason": reason}
    return frame.with_columns(
        **{name: pl.Series(values, dtype=pl.String) for name, values in text.items()}
    )


def _typed(series: pl.Series, column: Column) -> tuple[pl.Series, dict[int, str]]:
    """The column in its own type, and what is wrong with each value that it cannot hold."""
    if column.kind != "text":
        return _typed_numbers(series, column)
    words = {value: _text(value) for value in _different(series)}
    values = [words[v] if words else _text(v) for v in series.to_list()]
    if column.name == "precision":
        return _typed_precisions(values, column)
    bad: dict[int, str] = {}
    for index, value in enumerate(values):
        if value is not None and column.accepted:
            known = _canonical(value, column)
            if known not in column.accepted:
                bad[index], known = f"has {value!r}; accepted is {column.wants}", None
            values[index] = known
    return pl.Series(column.name, values, dtype=pl.String), bad


def _different(series: pl.Series) -> list[object]:
    """The different values of a column of texts, each of which is looked at once."""
    return series.unique().to_list() if series.dtype == pl.String else []


def _canonical(value: str, column: Column) -> str | None:
    """The accepted word that another one stands for."""
    if column.name == "status":
        return ending_of(value)
    if column.name in ("params_kind", "kernels"):
        return re.sub(r"[\s-]+", "_", value.lower())
    unit = unit_of(value) if column.name == "metric" else None
    return value if unit is None else unit.metric


def _typed_precisions(values: list[str | None], column: Column) -> tuple[pl.Series, dict[int, str]]:
    bad: dict[int, str] = {}
    for index, value in enumerate(values):
        if value is None:
            bad[index] = "is empty; accepted is a spelling like 'bf16' or 'w4 a8 kv:e4m3'"
            continue
        values[index], problem = _spelled(value)
        if problem is not None:
            bad[index] = f"cannot be used: {problem}"
    return pl.Series(column.name, values, dtype=pl.String), bad


@lru_cache(maxsize=4096)
def _spelled(text: str) -> tuple[str, str | None]:
    try:
        return str(Precision.parse(text)), None
    except ValueError as error:
        bits = re.fullmatch(r"\d+(\.\d*)?", text) is not None
        how = "; a column of bits is read with precision='w{COLUMN}'" if bits else ""
        return text, f"{error}{how}"


def _typed_numbers(series: pl.Series, column: Column) -> tuple[pl.Series, dict[int, str]]:
    bad: dict[int, str] = {}
    values, slow = _plain_numbers(series, column)
    raws = series.to_list() if slow else []
    for index in slow:
        value, problem = _number(raws[index], column)
        if problem is None and value is None and column.required:
            problem = f"is empty; accepted is {column.wants}"
        if problem is not None:
            bad[index] = problem
            value = value if column.required else None
        values[index] = value
    if column.kind == "count" and series.dtype == pl.String:
        bad |= _without_their_unit(series, values)
    if column.kind == "integer":
        whole = [None if value is None else int(value) for value in values]
        return pl.Series(column.name, whole, dtype=pl.Int64), bad
    return pl.Series(column.name, values, dtype=pl.Float64), bad


def _without_their_unit(series: pl.Series, values: list[float | None]) -> dict[int, str]:
    """Bare numbers in a column whose other cells say their unit, as 300 beside 100M."""
    if not any(value and value.strip()[-1:].isalpha() for value in series.to_list()):
        return {}
    known = series.fill_null("").str.strip_chars()
    said = known.str.contains(r"\d\s*\p{L}[\p{L}\s]*$")
    least = min((v for v, unit in zip(values, said, strict=True) if v and unit), default=0.0)
    texts = known.to_list()
    first = next((text for text, unit in zip(texts, said, strict=True) if unit), "")
    return {
        row: f"has {texts[row]!r} where other cells say their unit, as {first!r}; write it too"
        for row, value in enumerate(values)
        if not said[row] and value is not None and 0 < value < least / 1e3
    }


def _plain_numbers(series: pl.Series, column: Column) -> tuple[list[float | None], list[int]]:
    """Numbers of cells that are plain ones and accepted, and the rows of all other cells."""
    if not (series.dtype.is_numeric() or series.dtype == pl.String):
        return [None] * len(series), list(range(len(series)))
    quick = series.cast(pl.Float64, strict=False)
    good = quick.is_finite() & quick.is_not_null()
    if column.kind in ("count", "positive"):
        good &= (quick >= LEAST) & (quick <= MOST)
    elif column.kind == "amount":
        good &= quick >= 0
    elif column.kind == "integer":
        good &= (quick == quick.round(0)) & (quick.abs() < 2.0**63)
    return quick.to_list(), (~good.fill_null(False)).arg_true().to_list()


def _number(raw: object, column: Column) -> tuple[float | None, str | None]:
    """A raw value as a number and None, or what could be read of it and what is wrong."""
    if raw is None or (isinstance(raw, str) and raw.strip().lower() in EMPTY_NUMBERS):
        return None, None
    if isinstance(raw, str) and "," in raw and column.kind not in ("count", "integer"):
        return None, f"has {raw!r}, where the comma may be decimal; {WRITE_DECIMALS}"
    value = _not_finite(raw)
    if value is None:
        try:
            value = number(without_unit(raw, column))
        except RunsError:
            return None, f"has {raw!r}; {WRITE}"
    if math.isnan(value) and not column.required:
        return None, None
    fits = math.isfinite(value) and not (column.kind in ("count", "positive") and value <= 0)
    fits = fits and not (column.kind == "amount" and value < 0)
    fits = fits and not (column.kind == "integer" and (value != int(value) or abs(value) >= 2**63))
    shown = repr(raw) if isinstance(raw, str) else f"{value:g}"
    if fits and column.kind in ("count", "positive") and not LEAST <= value <= MOST:
        return value, f"has {shown}; accepted is a number from {LEAST:g} to {MOST:g}"
    return value, None if fits else f"has {shown}; accepted is {column.wants}"


def without_unit(raw: object, column: Column) -> object:
    """A text without the word for what is counted, as '125M params'."""
    words = COUNTED.get(column.unit)
    return raw if words is None or not isinstance(raw, str) else words.sub("", raw)


def _not_finite(raw: object) -> float | None:
    """NaN or an infinity, however written; None for everything else."""
    if isinstance(raw, str) and raw.strip().lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return float(raw)
    return raw if isinstance(raw, float) and not math.isfinite(raw) else None


def _text(value: object) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    text = str(value).strip()
    return None if text in EMPTY_TEXTS else printable(text)


def _suspect_perplexity(frame: pl.DataFrame, origin: Origin) -> None:
    """Warns where a tenth of the usable losses in nats are above the entropy of any vocabulary."""
    usable = frame.filter((pl.col("status") == "ok") & (pl.col("metric") == "nats"))["loss"]
    high = usable.filter(usable > LARGEST_LIKELY_LOSS)
    if len(high) and 10 * len(high) >= len(usable):
        message = (
            f"{len(high)} of {len(usable)} losses of {origin.name} are above {LARGEST_LIKELY_LOSS} "
            "nats, "
            f"ln of the largest vocabularies in use (the worst is {max(high):.4g}); "
            "if they are perplexities, read them with perplexity=True (--perplexity)"
        )
        warnings.warn(message, PerplexitySuspected, stacklevel=2)
