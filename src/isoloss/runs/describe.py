"""How a table of runs prints: a header of facts, then its first rows, as text or HTML."""

from __future__ import annotations

import html
import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from isoloss.files import printable
from isoloss.runs.columns import BY_NAME
from isoloss.runs.metrics import metric_of
from isoloss.runs.numbers import compact
from isoloss.runs.provenance import Provenance

ROWS = 8
#: Among them what quantising cost, which tables of quantised runs have beside the canonical
#: columns.
SHOWN = (
    "params", "tokens", "precision", "loss", "gap", "gap_se", "kl", "kl_se",
    "seed", "method", "sparsity", "group", "source", "status",
)  # fmt: skip
_PLACE = re.compile(r" \([^()]*, row \d+\)")


def facts(frame: pl.DataFrame, provenance: Mapping[str, Provenance]) -> list[tuple[str, str]]:
    """The header as (name, text) pairs: counts, ranges, precisions, sources and licences."""
    usable = frame.filter(pl.col("status") == "ok")
    left_out = frame.height - usable.height
    count = f"{frame.height}, {usable.height} usable" + (
        f", {left_out} excluded" if left_out else ""
    )
    lines = [("runs", count)]
    lines += [("excluded", f"{n} x {reason}") for reason, n in _reasons(frame)]
    lines += [(name, text) for name, text in _ranges(usable) if text]
    for name in ("precision", "sparsity", "metric"):
        lines += [(name, _counts(usable, name))] if _worth_saying(usable, name) else []
    for name in ("source", "corpus", "eval_set", "tokenizer", "family"):
        lines += [(name, _counts(frame, name))] if _worth_saying(frame, name) else []
    if "group" in usable.columns and usable["group"].n_unique() < usable.height:
        lines.append(
            ("group", f"{usable['group'].n_unique()} groups of runs that are not independent")
        )
    lines += [("from", f"{source}: {entry}") for source, entry in provenance.items()]
    return lines


def as_text(frame: pl.DataFrame, provenance: Mapping[str, Provenance]) -> str:
    """The header and the first rows as lines of text."""
    pairs = facts(frame, provenance)
    width = max(len(name) for name, _ in pairs)
    lines = [line for name, text in pairs for line in _wrapped(name, text, width)]
    names, rows = _first_rows(frame)
    widths = [max(len(row[i]) for row in [names, *rows]) for i in range(len(names))]
    table = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))
        for row in [names, *rows]
    ]
    more = [f"... {frame.height - ROWS} more rows"] if frame.height > ROWS else []
    return "\n".join(line.rstrip() for line in [*lines, "", *table, *more])


def _wrapped(name: str, text: str, width: int) -> list[str]:
    indent = " " * (width + 2)
    return textwrap.wrap(text, 110, initial_indent=f"{name:<{width}}  ", subsequent_indent=indent)


def as_html(frame: pl.DataFrame, provenance: Mapping[str, Provenance]) -> str:
    """The header and the first rows as two HTML tables."""
    header = [[name, text] for name, text in facts(frame, provenance)]
    names, rows = _first_rows(frame)
    more = f"<p>{frame.height - ROWS} more rows</p>" if frame.height > ROWS else ""
    return _html_table(header) + _html_table(rows, names) + more


def _html_table(rows: Sequence[Sequence[str]], names: Sequence[str] = ()) -> str:
    head = (
        "<tr>" + "".join(f"<th>{html.escape(name)}</th>" for name in names) + "</tr>"
        if names
        else ""
    )
    body = [
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    ]
    return f"<table>{head}{''.join(body)}</table>"


def _first_rows(frame: pl.DataFrame) -> tuple[list[str], list[list[str]]]:
    present = [
        name for name in SHOWN if name in frame.columns and frame[name].null_count() < frame.height
    ]
    # The source and the status only earn a column where they differ between rows.
    names = [
        n
        for n in present
        if n not in ("source", "status", "seed", "method") or frame[n].n_unique() > 1
    ]
    rows = [
        [_cell(name, value) for name, value in row.items()]
        for row in frame.select(names).head(ROWS).to_dicts()
    ]
    return names, rows


def _cell(name: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        is_count = name in BY_NAME and BY_NAME[name].kind == "count"
        return compact(value) if is_count else f"{value:.5g}"
    return printable(str(value))


def _reasons(frame: pl.DataFrame, most: int = 6) -> list[tuple[str, int]]:
    """The reasons of the excluded rows without their row numbers, most frequent first."""
    texts = frame.filter(pl.col("status") != "ok")["reason"].to_list()
    counted = Counter(_PLACE.sub("", text or "no reason given") for text in texts).most_common()
    rest = sum(n for _, n in counted[most:])
    return counted[:most] + ([("other reasons, see runs.excluded", rest)] if rest else [])


def _ranges(usable: pl.DataFrame) -> list[tuple[str, str]]:
    if usable.is_empty():
        return []
    kinds = _counts(usable, "params_kind") if _worth_saying(usable, "params_kind") else ""
    metrics = usable["metric"].unique()
    metric = metric_of(metrics[0]).per_run if len(metrics) == 1 else ""
    return [
        ("params", f"{_range(usable['params'])}" + (f", {kinds}" if kinds else "")),
        ("tokens", _range(usable["tokens"])),
        ("tokens/param", _ends(usable["tokens"] / usable["params"], 3)),
        ("loss", f"{_ends(usable['loss'], 5)} {metric}".rstrip()),
    ]


def _ends(column: pl.Series, digits: int) -> str:
    low, high = (f"{end:.{digits}g}" for end in (column.to_numpy().min(), column.to_numpy().max()))
    return low if low == high else f"{low} to {high}"


def _range(column: pl.Series) -> str:
    values = column.to_numpy()
    low, high = compact(float(values.min())), compact(float(values.max()))
    if values.min() == values.max():
        return low
    return f"{low} to {high} ({column.n_unique()} values)"


def _worth_saying(frame: pl.DataFrame, name: str) -> bool:
    if name not in frame.columns or frame.is_empty():
        return False
    return frame[name].null_count() < frame.height and not (
        name == "metric" and frame[name].unique().to_list() == ["nats"]
    )


def _counts(frame: pl.DataFrame, name: str, most: int = 20) -> str:
    """The values of a text column with how many rows hold each."""
    counted = Counter(
        printable(str(value)) if value is not None else "unknown" for value in frame[name].to_list()
    ).most_common()
    if len(counted) == 1:
        return str(counted[0][0])
    rest = f", and {len(counted) - most} more" if len(counted) > most else ""
    return ", ".join(f"{value} ({n})" for value, n in counted[:most]) + rest
