"""Trackio: the runs of a project, read from its SQLite file, which needs no client.

``trackio:project`` in Trackio's folder (TRACKIO_DIR, or trackio in HF_HOME), or
``trackio:FILE.db``. Trackio keeps no word of how a run ended.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isoloss.files import did_you_mean, shown, shown_value
from isoloss.runs.intake.sources.histories import at_steps
from isoloss.runs.intake.sources.local import opened_readonly
from isoloss.runs.intake.sources.source import SOURCES, Source, TrackedRow
from isoloss.runs.problems import RunsError

FORM = "project"


def rows(where: str, history: Sequence[str]) -> list[TrackedRow]:
    """The runs of a project, in the order in which they began."""
    path = _file(where)
    with opened_readonly(path, "metrics", "Trackio") as database:
        columns = {row[1] for row in database.execute("pragma table_info(metrics)")}
        # Older files know runs by their names alone.
        key = "run_id" if "run_id" in columns else "run_name"
        configs = _configs(database, key, path)
        logged: dict[str, list[tuple[int, Mapping[str, Any]]]] = {run: [] for run in configs}
        names: dict[str, str] = {}
        asked = f"select {key}, run_name, step, metrics from metrics order by id"
        for run, name, step, metrics in database.execute(asked):
            logged.setdefault(run, []).append((int(step), _object(metrics, name, path)))
            names[run] = name
    out = []
    for run, values in logged.items():
        facts = {"run_id": run, "name": names.get(run, run)}
        facts |= {f"config.{k}": v for k, v in configs.get(run, {}).items()}
        for each in _steps(values, history) if history else [_last(values)]:
            out.append(TrackedRow(str(names.get(run, run)), facts | each))
    return out


def _file(where: str) -> Path:
    if where.endswith(".db"):
        return Path(where).expanduser()
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    folder = Path(os.environ.get("TRACKIO_DIR") or home / "trackio").expanduser()
    # Trackio's own rule for names of files.
    bare = "".join(c for c in where if c.isalnum() or c in "-_").rstrip() or "default"
    path = folder / f"{bare}.db"
    if not path.is_file():
        names = sorted(each.stem for each in folder.glob("*.db")) if folder.is_dir() else []
        meant = did_you_mean(where, names, 1, 0.6) or f"there are {', '.join(names) or 'none'}"
        raise RunsError(f"Trackio has no project {where!r} in {shown(folder)}; {meant}")
    return path


def _configs(database: sqlite3.Connection, key: str, path: Path) -> dict[str, dict[str, Any]]:
    """The settings of every run, without those of Trackio's own."""
    there = "select name from sqlite_master where type = 'table' and name = 'configs'"
    if database.execute(there).fetchone() is None:
        return {}
    found = database.execute(f"select {key}, config from configs order by id")
    return {
        run: {k: v for k, v in _object(config, run, path).items() if not k.startswith("_")}
        for run, config in found
    }


def _object(text: object, run: str, path: Path) -> dict[str, Any]:
    """What a cell holds; RunsError for what is no object, without which a run would be another."""
    try:
        found = json.loads(text) if isinstance(text, str | bytes) else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RunsError(
            f"cannot read {shown(path)}: run {shown_value(run)} has a row {shown_value(text)}, "
            "which is no JSON object; mend or remove that row"
        )
    return found


def _last(values: Sequence[tuple[int, Mapping[str, Any]]]) -> dict[str, Any]:
    """The last value of every metric, and the last step."""
    out: dict[str, Any] = {}
    for _, metrics in sorted(values, key=lambda pair: pair[0]):
        out |= {f"metrics.{k}": v for k, v in metrics.items()}
    return {"step": max((step for step, _ in values), default=None), **out}


def _steps(
    values: Sequence[tuple[int, Mapping[str, Any]]], metrics: Sequence[str]
) -> list[dict[str, Any]]:
    return at_steps(
        {
            f"metrics.{name}": [(step, found[name]) for step, found in values if name in found]
            for name in metrics
        }
    )


SOURCES.register("trackio", Source(FORM, rows))
