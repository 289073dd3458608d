"""What a table of runs holds, in sections and as data: its columns, its precisions, its excluded
rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.files import printable
from isoloss.fits import Section
from isoloss.runs import COLUMNS, Runs, Understood, compact, metric_of

#: Reasons that are listed unless all are asked for, and values of a text column that are.
MOST_REASONS = 10
MOST_VALUES = 6
#: Letters of a value that are shown.
MOST_LETTERS = 60
#: So many values of a count or fewer are a design, which is worth saying; more are not.
FEW_VALUES = 50
#: Columns with a section of their own, or with nothing to say about the whole table.
ELSEWHERE = ("precision", "status", "reason", "key", "parent")
UNITS = {column.name: column.unit for column in COLUMNS}
KINDS = {column.name: column.kind for column in COLUMNS}


def sections(runs: Runs, title: str, every_reason: bool = False) -> list[Section]:
    """The report: counts and sources, columns with units, rows by precision, and why rows are
    excluded.
    """
    usable, excluded = len(runs.usable), len(runs.excluded)
    counted = f"{len(runs)} runs, {usable} usable" + (f", {excluded} excluded" if excluded else "")
    out = [Section(f"{title}: {counted}", tuple(_origins(runs)))]
    if rows := tuple(_columns(runs)):
        out.append(Section("Columns", (), ("column", "unit", "known", "values"), rows))
    if rows := tuple(_precisions(runs.usable)):
        head = ("precision", "runs", "params", "tokens", "loss")
        out.append(Section("Usable runs by precision", (), head, rows))
    if excluded:
        out.append(_excluded(runs, every_reason))
    return out


def as_data(runs: Runs, how: Sequence[Understood] = ()) -> dict[str, Any]:
    """The same facts for programs, and how each file was read; every number with its unit under
    ``units``.
    """
    names = [name for name in runs.columns if name in UNITS]
    numbers = [name for name in names if runs[name].dtype != object]
    return {
        "rows": len(runs),
        "usable": len(runs.usable),
        "excluded": [{"reason": str(reason)} for reason in runs.excluded["reason"]],
        "units": {**{name: UNITS[name] for name in numbers}, "loss": _loss_unit(runs)},
        "ranges": {name: _ends(runs.usable[name]) for name in numbers},
        "precisions": dict(Counter(_levels(runs.usable))),
        "sources": {
            source: {
                "licence": entry.licence,
                "citation": entry.citation,
                "url": entry.url,
                "commit": entry.commit,
            }
            for source, entry in runs.provenance.items()
        },
        "hash": runs.hash,
        "read": [_how_read(each) for each in how],
    }


def _how_read(how: Understood) -> dict[str, Any]:
    """How one file was read; ``options`` of a command that read it so again."""
    columns = {
        name: {"from": taken, "unit": unit, "usable": held} for name, taken, unit, held in how.roles
    }
    return {
        "source": how.source,
        "saved_in": how.saved_in or None,
        "columns": columns,
        "facts": dict(how.facts),
        "not_used": list(how.unused),
        "options": how.line,
    }


def _origins(runs: Runs) -> Iterator[str]:
    yield from (f"from {source}: {entry}" for source, entry in runs.provenance.items())
    if "group" in runs.columns:
        groups = {group for group in runs.usable["group"] if group is not None}
        if 0 < len(groups) < len(runs.usable):
            yield f"{len(groups)} groups of runs that are not independent"


def _columns(runs: Runs) -> Iterator[tuple[str, ...]]:
    for name in runs.columns:
        values = runs[name]
        known = _known(values)
        if name in ELSEWHERE or not len(known):
            continue
        count = "all" if len(known) == len(values) else str(len(known))
        shown = _texts(known) if values.dtype == object else _range(name, known)
        yield name, _loss_unit(runs) if name == "loss" else UNITS.get(name, ""), count, shown


def _loss_unit(runs: Runs) -> str:
    """The unit of the losses; what the column of metrics says where they are of several."""
    return metric_of(" and ".join(sorted(set(runs["metric"])) or ["nats"])).short


def _precisions(usable: Runs) -> Iterator[tuple[str, ...]]:
    levels = np.array(_levels(usable), dtype=object)
    for level, count in Counter(levels).most_common():
        rows = levels == level
        spans = (_range(name, usable[name][rows], False) for name in ("params", "tokens", "loss"))
        yield level, str(count), *spans


def _levels(runs: Runs) -> list[str]:
    """The precision of every row, with the sparsity of its weights where it has one."""
    pairs = zip(runs["precision"], runs["sparsity"], strict=True)
    return [str(precision) + (f" {sparsity}" if sparsity else "") for precision, sparsity in pairs]


def _excluded(runs: Runs, every_reason: bool) -> Section:
    reasons = Counter(str(reason) for reason in runs.excluded["reason"]).most_common()
    shown = reasons if every_reason else reasons[:MOST_REASONS]
    lines = [reason if count == 1 else f"{count} rows: {reason}" for reason, count in shown]
    if len(shown) < len(reasons):
        lines.append(f"and {len(reasons) - len(shown)} more reasons; --excluded lists all")
    return Section("Excluded rows", tuple(lines))


def _known(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype == object:
        return np.array([value for value in values if value is not None], dtype=object)
    return np.asarray(values[~np.isnan(values)])


def _short(text: str) -> str:
    """A value that can be shown: cut where it is long, with what cannot be printed written out."""
    shown = printable(text)
    return shown if len(shown) <= MOST_LETTERS else f"{shown[:MOST_LETTERS]}..."


def _texts(known: Sequence[object] | NDArray[Any]) -> str:
    counted = Counter(_short(str(value)) for value in known).most_common()
    if len(counted) == 1:
        return counted[0][0]
    once = counted[0][1] == 1
    listed = ", ".join(
        value if once else f"{value} ({count})" for value, count in counted[:MOST_VALUES]
    )
    return listed + (
        f" and {len(counted) - MOST_VALUES} more" if len(counted) > MOST_VALUES else ""
    )


def _range(name: str, known: NDArray[Any], counted: bool = True) -> str:
    write = compact if KINDS.get(name) == "count" else lambda value: f"{value:.5g}"
    low, high = write(float(known.min())), write(float(known.max()))
    if low == high:
        return low
    count = len(np.unique(known))
    few = counted and KINDS.get(name) == "count" and count <= FEW_VALUES
    return f"{low} to {high}" + (f" ({count} values)" if few else "")


def _ends(values: NDArray[Any]) -> list[float] | None:
    known = values[np.isfinite(values)]
    return [float(known.min()), float(known.max())] if len(known) else None
