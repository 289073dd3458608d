"""How a table was read, as one screen and as one line to copy: whatever was taken for what."""

from __future__ import annotations

import json
import shlex
import textwrap
from dataclasses import dataclass, replace

import polars as pl

from isoloss.files import fields_of, from_fields, printable
from isoloss.runs.columns import BY_NAME, NUMERIC, REQUIRED
from isoloss.runs.intake.arranging import Arranged
from isoloss.runs.intake.cells import EMPTY_TEXTS, by_frequency
from isoloss.runs.intake.content import repeats_named
from isoloss.runs.intake.expressions import columns_in
from isoloss.runs.intake.loss_units import unit_in_name
from isoloss.runs.intake.table_map import TableMap
from isoloss.runs.intake.template import fields_in
from isoloss.runs.metrics import metric_of
from isoloss.runs.numbers import compact

#: Columns that were not used and values of the precision that are shown, and letters of a line.
MOST_NAMES, MOST_VALUES, WIDTH = 8, 6, 110
#: Where a saved table carries how it was read.
NOTE = "isoloss.understood"


@dataclass(frozen=True)
class Understood:
    """How a table of one's own was read.

    Attributes
    ----------
    source
        The name of the file or frame.
    roles
        Of every canonical column that was used: its name, what it was taken from, its unit and
        what usable rows hold.
    facts
        Rows, endings, trajectories, sources and what may tell repeated tokens, in words.
    unused
        The table's own columns that stand for nothing.
    map
        What reads the table so again.
    status
        The columns that were found to be endings, though they are not called status.
    saved_in
        The file that the rows were saved in when they were read so, and are from now.
    """

    source: str
    roles: tuple[tuple[str, str, str, str], ...]
    facts: tuple[tuple[str, str], ...]
    unused: tuple[str, ...]
    map: TableMap
    status: str = ""
    saved_in: str = ""

    @property
    def line(self) -> str:
        """The options of a command that say it all."""
        return options_of(self.map)

    @property
    def is_plain(self) -> bool:
        """Whether every column has its own name and meaning, so that nothing was interpreted."""
        asked = (self.map.columns, self.map.precision, self.map.perplexity, self.map.last)
        odd = any("look like evaluations" in text for _, text in self.facts)
        units = any(", from " in unit for _, _, unit, _ in self.roles)
        file = "file" in dict(self.facts)
        return not (any(asked) or self.unused or odd or units or file or self.status)

    @property
    def rows(self) -> str:
        """How many rows there are, and how many can be used."""
        return dict(self.facts)["rows"]

    def __str__(self) -> str:
        saved = f"{self.saved_in} was saved from {self.source}, which was read as:"
        head = saved if self.saved_in else f"{self.source} is read as:"
        widths = [max(len(row[i]) for row in self.roles) for i in range(3)]
        rows = [
            "  " + "  ".join([*(c.ljust(w) for c, w in zip(row[:3], widths, strict=True)), row[3]])
            for row in self.roles
        ]
        # An option that is to be copied stands on one line.
        facts = [_wrapped(name, text, widths[0], name == "repeats") for name, text in self.facts]
        if self.unused:
            more = len(self.unused) - MOST_NAMES
            listed = ", ".join(self.unused[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
            facts.append(_wrapped("not used", listed, widths[0]))
        facts.append(_wrapped("again", self.line or "no option is needed", widths[0], whole=True))
        return "\n".join(line.rstrip() for line in [head, *rows, *facts])


def notes_of(how: Understood) -> dict[str, str]:
    """What a saved table carries of how it was read: as text, and for `noted` to read again."""
    original = replace(how, saved_in="")
    return {"isoloss": str(original), NOTE: json.dumps(fields_of(original))}


def noted(note: str, name: str) -> Understood | None:
    """How the table was read that a file of this name was saved from; None where it does not say.

    note: what `notes_of` put under `NOTE`.
    """
    try:
        found: Understood = from_fields(Understood, json.loads(note), name)
        text = str(found)
    except (ValueError, RecursionError):  # nobody's, somebody else's, or of a later version
        return None
    whole = "rows" in dict(found.facts) and printable(text, "\n") == text
    return replace(found, saved_in=name) if whole else None


def _wrapped(name: str, text: str, width: int, whole: bool = False) -> str:
    indent = " " * (width + 4)
    first = f"  {name:<{width}}  "
    if whole:
        return first + text
    return "\n".join(textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=indent))


def options_of(asked: TableMap) -> str:
    """What was asked for, as options of a command that can be copied."""
    words = [f"--column {_quoted(f'{name}={own}')}" for name, own in asked.columns.items()]
    words += [] if asked.precision is None else [f"--precision {_quoted(asked.precision)}"]
    words += [f"--set {_quoted(f'{name}={value}')}" for name, value in asked.constants.items()]
    words += ["--perplexity"] if asked.perplexity else []
    words += [] if asked.history is None else [f"--history {_quoted(asked.history)}"]
    words += [] if asked.last is None else [f"--last {_quoted(asked.last)}"]
    return " ".join(words)


def _quoted(text: str) -> str:
    return shlex.quote(printable(text))


def understood(
    found: Arranged, raw: pl.DataFrame, table: pl.DataFrame, asked: TableMap, runs: str | None
) -> Understood:
    """How a table was read.

    Parameters
    ----------
    found
        The table under canonical names.
    raw
        As it stood in the file.
    table
        The checked rows.
    asked
        What was said about it.
    runs
        The column that names runs, where rows look like evaluations along them.
    """
    ok = table["status"] == "ok"
    usable = table if ok.all() else table.filter(ok)
    names = [n for n in table.columns if n in BY_NAME and n not in ("reason", "status")]
    here = [n for n in names if n in REQUIRED or n in found.frame.columns]
    roles = tuple((name, *_role(name, found, asked, usable)) for name in here)
    facts: tuple[tuple[str, str], ...] = (
        *((("file", "; ".join(found.notes)),) if found.notes else ()),
        ("rows", _rows(table)),
        *_left_out(raw, asked),
        _endings(table, found, asked),
        _runs(usable, asked, runs),
    )
    unused = _unused(raw, found, asked)
    tokens = asked.columns.get("tokens", "tokens")
    repeats = None if "unique_tokens" in here else repeats_named(unused, raw, tokens)
    facts += () if repeats is None else (("repeats", repeats),)
    ending = "" if "status" in asked.columns else found.origin.called.get("status", "")
    kept = replace(asked, constants={k: str(v) for k, v in asked.constants.items()})
    return Understood(found.origin.name, roles, facts, unused, kept, ending)


def _left_out(raw: pl.DataFrame, asked: TableMap) -> tuple[tuple[str, str], ...]:
    """Rows in which a part of the precision has no value, where it is built from columns."""
    fields = [own for own in raw.columns if f"{{{own}}}" in (asked.precision or "")]
    empty = [raw[own].cast(pl.String).fill_null("").str.strip_chars() for own in fields]
    counts = {
        own: int(cells.is_in(list(EMPTY_TEXTS)).sum())
        for own, cells in zip(fields, empty, strict=True)
    }
    said = ", ".join(f"column {own} is empty in {n} rows" for own, n in counts.items() if n)
    return (("precision", f"{said}: that part is taken as not quantised"),) if said else ()


def _role(
    name: str, found: Arranged, asked: TableMap, usable: pl.DataFrame
) -> tuple[str, str, str]:
    """What a canonical column was taken from, its unit, and what usable rows hold."""
    own = asked.columns.get(name, name)
    if name in asked.constants:
        taken = f"{asked.constants[name]} in all rows"
    elif name == "precision" and asked.precision is not None:
        taken = asked.precision
    else:
        taken = f"column {own}" if name not in found.origin.computed else own
    unit = "" if name == "precision" else BY_NAME[name].unit
    if name == "loss":
        unit = metric_of(" and ".join(sorted(usable["metric"].unique().to_list()))).short
        said = None if name in found.origin.computed else unit_in_name(own)
        if asked.perplexity or (said is not None and "metric" not in asked.constants):
            unit += f", from {'perplexity' if said is None else said.words}"
    return printable(taken), unit, _holds(name, usable)


def _holds(name: str, usable: pl.DataFrame) -> str:
    known = usable[name].drop_nulls() if name in usable.columns else pl.Series([])
    if not len(known):
        return "nothing that is known"
    if name in NUMERIC:
        ends = [float(known.min()), float(known.max())]  # type: ignore[arg-type]
        write = compact if BY_NAME[name].kind == "count" else lambda value: f"{value:.5g}"
        low, high = (write(end) for end in ends)
        return low if low == high else f"{low} to {high}"
    counted = by_frequency(known)
    listed = ", ".join(printable(str(value)) for value, _ in counted[:MOST_VALUES])
    more = len(counted) - MOST_VALUES
    return listed + (f" and {more} more" if more > 0 else "")


def _rows(table: pl.DataFrame) -> str:
    left = int((table["status"] != "ok").sum())
    return f"{table.height}, {table.height - left} usable" + (f", {left} excluded" if left else "")


def _endings(table: pl.DataFrame, found: Arranged, asked: TableMap) -> tuple[str, str]:
    counted = by_frequency(table["status"])
    counts = ", ".join(f"{n} {word}" for word, n in counted)
    if "status" in asked.constants:
        return "endings", f"all rows are taken as {asked.constants['status']}"
    if "status" not in found.frame.columns:
        return "endings", "no column says how runs ended: all are taken as finished"
    raw = found.frame["status"].cast(pl.String).fill_null("").str.strip_chars()
    empty = int((raw.is_in(list(EMPTY_TEXTS)) & (table["status"] == "ok")).sum())
    taken = f" ({empty} empty, taken as finished)" if empty else ""
    column = printable(found.origin.called.get("status", "status"))
    return "endings", f"column {column}: {counts}{taken}"


def _runs(usable: pl.DataFrame, asked: TableMap, runs: str | None) -> tuple[str, str]:
    if asked.last is not None:
        return "runs", f"only the last row of each run, which column {asked.last} names"
    if runs is not None:
        count = usable[runs].n_unique()
        return (
            "runs",
            f"rows look like evaluations along {count} runs (column {runs}); all are kept",
        )
    if "group" in usable.columns and usable["group"].null_count() < usable.height:
        return "runs", f"{usable['group'].n_unique()} groups of rows that are not independent"
    return "runs", "each row is a run of its own"


def _unused(raw: pl.DataFrame, found: Arranged, asked: TableMap) -> tuple[str, ...]:
    """The table's own columns that stand for nothing, those whose names others were given too."""
    used = {own for text in asked.columns.values() for own in columns_in(text, raw)}
    built = "{" in (asked.precision or "")
    used |= set(fields_in(asked.precision or ""))
    used |= {asked.last or "", found.origin.called.get("metric", "")}
    used |= set(found.origin.called.get("status", "").split(" and "))
    replaced = {*asked.columns, *(["precision"] if built else [])}
    return tuple(
        own for own in raw.columns if own not in used and (own not in BY_NAME or own in replaced)
    )
