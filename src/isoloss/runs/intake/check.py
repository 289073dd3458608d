"""Checks on a table of runs: typed columns, one spelling per precision, and a reason for every row
left out.

Nothing is dropped. A row whose required values cannot be used stays, with status "excluded" and a
reason that names file, row, column, value and what is accepted; a value of an optional column that
cannot be used becomes unknown, with a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import polars as pl

from isoloss.runs.columns import BY_NAME, COLUMNS, REQUIRED, Column
from isoloss.runs.intake.cells import listed, rows_of
from isoloss.runs.intake.content import naming
from isoloss.runs.intake.loss_units import in_nats, units_by_row
from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.typed import COLUMN, typed
from isoloss.runs.problems import (
    MissingColumns,
    NothingUsable,
    PerplexitySuspected,
    RunsError,
    ValueIgnored,
)

#: Columns, beside the required ones, whose values change what a row means or weighs.
MEANING = frozenset({"status", "metric", "params_kind", "kernels", "loss_se", "unique_tokens"})
# ln(vocabulary) of the largest tokenizers in use is about 12.5: no model is worse than uniform for
# long.
LARGEST_LIKELY_LOSS = 12.5


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
        raise MissingColumns(_missing_columns(missing, frame, origin))
    table: dict[str, pl.Series] = {}
    reasons: dict[int, list[str]] = {}
    for column in COLUMNS:
        if column.name in frame.columns:
            table[column.name], bad = typed(frame[column.name], column)
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


def with_reasons(
    table: pl.DataFrame, reasons: Mapping[int, str], strict: bool = False
) -> pl.DataFrame:
    """A checked table with further usable rows excluded, each with its reason; with strict
    RunsError for the first of them.
    """
    status, reason = table["status"].clone(), table["reason"].clone()
    rows = sorted(reasons)
    rows = [row for row, was in zip(rows, status.gather(rows), strict=True) if was == "ok"]
    if not rows:
        return table
    if strict:
        raise RunsError(_first_of(reasons[rows[0]], len(rows), table.height))
    return table.with_columns(
        status.scatter(rows, "excluded"), reason.scatter(rows, [reasons[row] for row in rows])
    )


def _first_of(reason: str, count: int, rows: int) -> str:
    """Why the first of some rows cannot be used, and how many more there are."""
    return reason + (f" and {count - 1} more of {rows} rows" if count > 1 else "")


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
            what = what.replace(
                f"{{{COLUMN}}}", f"{{{origin.called.get('precision', 'precision')}}}"
            )
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
    metric = _filled(frame, "metric", "nats")
    status = _filled(frame, "status", "ok")
    reason = _filled(frame, "reason", None)
    excluded = sorted(reasons)
    excluded = [r for r, was in zip(excluded, status.gather(excluded), strict=True) if was == "ok"]
    other = status != "ok"
    unusable = (other & False) if origin.settled else other
    silent = rows_of(other & (reason.is_null() | (reason == "")))
    said = status.gather(silent).to_list()
    why = dict(zip(excluded, ("; ".join(reasons[row]) for row in excluded), strict=True))
    for row, was in zip(silent, said, strict=True):
        why[row] = f"{origin.column('status')} is {was} {origin.place(row)}"
    if why:
        status = status.scatter(excluded, "excluded")
        reason = reason.scatter(list(why), list(why.values()))
        unusable = unusable.scatter(list(why), True)
    if strict and unusable.any():
        first = reason[unusable.arg_max() or 0]
        raise RunsError(_first_of(first, int(unusable.sum()), frame.height))
    return frame.with_columns(metric, status, reason)


def _filled(frame: pl.DataFrame, name: str, value: str | None) -> pl.Series:
    """A column of texts, with a value where it has none."""
    if name not in frame.columns:
        return pl.Series(name, [value], dtype=pl.String).new_from_index(0, frame.height)
    given = frame[name]
    return given if value is None else given.fill_null(value)


def _suspect_perplexity(frame: pl.DataFrame, origin: Origin) -> None:
    """Warns where a tenth of the usable losses in nats are above the entropy of any vocabulary."""
    known = (frame["status"] == "ok") & (frame["metric"] == "nats")
    usable = frame["loss"].filter(known)
    high = usable.filter(usable > LARGEST_LIKELY_LOSS)
    if len(high) and 10 * len(high) >= len(usable):
        message = (
            f"{len(high)} of {len(usable)} losses of {origin.name} are above {LARGEST_LIKELY_LOSS} "
            "nats, "
            f"ln of the largest vocabularies in use (the worst is {max(high.to_list()):.4g}); "
            "if they are perplexities, read them with perplexity=True (--perplexity)"
        )
        warnings.warn(message, PerplexitySuspected, stacklevel=2)
