"""A run as trackers hold it: settings as params, the loss as a metric, how it ended and whose it is
as tags; and the row that such a run was.

What isoloss wrote reads back as the same table: canonical columns under their own names, further
columns in one tag, each row known by a hash of all of it, so that writing again adds nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import polars as pl

from isoloss.runs.columns import BY_NAME
from isoloss.runs.problems import RunsError
from isoloss.runs.provenance import Provenance

#: Columns that are results.
METRICS = ("loss", "loss_se")
#: How a run is known as ours, and what else the tags hold.
HASH, KIND = "isoloss.row", "isoloss.kind"
#: Letters of a tag that every tracker takes: further columns are written in pieces.
PIECE = 4000
STATUS, REASON, MORE = "isoloss.status", "isoloss.reason", "isoloss.more"


@dataclass(frozen=True)
class LoggedRun:
    """A run as it is written to a tracker.

    Attributes
    ----------
    name
        What the tracker shows it as.
    hash
        Of all its columns; equal rows of a table are numbered.
    status
        How it ended, one of the statuses of runs.
    params, metrics, tags
        Its settings, its results, and what is known about both.
    """

    name: str
    hash: str
    status: str
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


def logged_rows(frame: pl.DataFrame, provenance: Mapping[str, Provenance]) -> list[LoggedRun]:
    """Every row of a checked table as it is written.

    Parameters
    ----------
    frame
        The rows.
    provenance
        Licence and citation by source.
    """
    seen: Counter[str] = Counter()
    out = []
    for row in frame.iter_rows(named=True):
        known = {k: v for k, v in row.items() if v is not None and not _is_nan(v)}
        text = json.dumps(known, sort_keys=True, default=str)
        digest = hashlib.sha256(f"{text}{seen[text] or ''}".encode()).hexdigest()[:32]
        seen[text] += 1
        # A loss that is not a number is no metric of a tracker, and is kept beside the others.
        more = {k: v for k, v in row.items() if k not in BY_NAME or _is_nan(v)}
        out.append(_logged(known, more, digest, provenance.get(str(known.get("source")))))
    return out


def _logged(
    row: Mapping[str, Any], more: Mapping[str, Any], digest: str, whose: Provenance | None
) -> LoggedRun:
    settings = [k for k in BY_NAME if k in row and k not in (*METRICS, "status", "reason")]
    tags = {HASH: digest, "isoloss.version": version("isoloss"), STATUS: str(row["status"])}
    tags |= {REASON: str(row["reason"])} if "reason" in row else {}
    text = json.dumps(more, default=str) if more else ""
    tags |= {
        f"{MORE}.{k}": text[at : at + PIECE] for k, at in enumerate(range(0, len(text), PIECE))
    }
    if whose is not None:
        tags |= {"isoloss.licence": whose.licence, "isoloss.citation": whose.citation}
    name = " ".join(_short(row[k]) for k in ("params", "tokens", "precision") if k in row)
    return LoggedRun(
        name=name or digest[:8],
        hash=digest,
        status=str(row["status"]),
        params={k: row[k] for k in settings},
        metrics={k: float(row[k]) for k in METRICS if k in row},
        tags=tags,
    )


def row_of(
    params: Mapping[str, Any], metrics: Mapping[str, Any], tags: Mapping[str, str], ended: bool
) -> dict[str, Any]:
    """The row that a run of ours was.

    Parameters
    ----------
    params, metrics, tags
        As `logged_rows` gave them.
    ended
        Whether it was written to the end; one that was not is unfinished.

    Raises
    ------
    RunsError
        What the tags hold of further columns was changed there.
    """
    row = {k: v for k, v in params.items() if k in BY_NAME}
    row |= {k: metrics[k] for k in METRICS if k in metrics}
    row["status"] = tags.get(STATUS, "ok") if ended else "unfinished"
    row["reason"] = tags.get(REASON)
    pieces = (tags.get(f"{MORE}.{k}", "") for k in range(len(tags)))
    try:
        more = json.loads("".join(pieces) or "{}")
    except ValueError:
        raise RunsError(
            f"the tags {MORE}.0 and following of a run hold no columns: they were changed there"
        ) from None
    return row | {str(k): v for k, v in more.items() if k not in row}


def all_ours(tags: Sequence[Mapping[str, Any]]) -> bool:
    """Whether isoloss wrote every one of some runs, by their tags."""
    return bool(tags) and all(HASH in each for each in tags)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
