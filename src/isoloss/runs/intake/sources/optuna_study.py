"""Optuna: the trials of a study, under the names of columns of ``study.trials_dataframe()``.

``optuna:sqlite:///f.db#study``, or the address of another database. Intermediate values are the
history of "value".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isoloss.files import did_you_mean
from isoloss.runs.intake.sources.asking import client
from isoloss.runs.intake.sources.histories import at_steps
from isoloss.runs.intake.sources.local import SQLITE, check_sqlite
from isoloss.runs.intake.sources.secrets import without_secrets
from isoloss.runs.intake.sources.source import SOURCES, Source, TrackedRow
from isoloss.runs.problems import RunsError

FORM = "sqlite:///FILE#study"
#: Seconds that a database on a network has for an answer.
TIMEOUT = 20


def rows(where: str, history: Sequence[str]) -> list[TrackedRow]:
    """The trials of a study, by number."""
    uri, sign, name = where.partition("#")
    if not (uri and sign and name):
        raise RunsError(
            f"'optuna:{without_secrets(where)}' names no study; write it like optuna:{FORM}"
        )
    if history and tuple(history) != ("value",):
        raise RunsError(f"trials of Optuna have the history of 'value' alone, not of {history[0]}")
    check_sqlite(uri, "studies", "Optuna")
    optuna = client("optuna", "optuna")
    # No table is made in a database that has none.
    engine = {} if SQLITE.match(uri) else {"connect_args": {"connect_timeout": TIMEOUT}}
    storage = optuna.storages.RDBStorage(uri, engine_kwargs=engine, skip_table_creation=True)
    try:
        names = [study.study_name for study in storage.get_all_studies()]
        if name not in names:
            meant = did_you_mean(name, names, 1, 0.6) or (
                f"there are {', '.join(names[:10]) or 'none'}"
            )
            raise RunsError(f"there is no study {name!r}; {meant}")
        study = storage.get_study_id_from_name(name)
        trials = storage.get_all_trials(study, deepcopy=False)
    finally:
        storage.remove_session()
        storage.engine.dispose()
    return [each for trial in trials for each in _rows(trial, bool(history))]


def _rows(trial: Any, history: bool) -> list[TrackedRow]:
    run = f"trial {trial.number}"
    facts = _facts(trial)
    if not history:
        return [TrackedRow(run, facts | _values(trial))]
    steps = at_steps({"value": trial.intermediate_values.items()})
    return [TrackedRow(run, facts | each) for each in steps]


def _facts(trial: Any) -> dict[str, Any]:
    begun, ended = trial.datetime_start, trial.datetime_complete
    return {
        "number": trial.number,
        "state": trial.state.name,
        "duration_s": (ended - begun).total_seconds() if begun and ended else None,
        **{f"params_{k}": v for k, v in trial.params.items()},
        **{f"user_attrs_{k}": v for k, v in trial.user_attrs.items()},
    }


def _values(trial: Any) -> dict[str, Any]:
    """The objective of a trial, or its objectives; a trial that was pruned has its last value."""
    if trial.values is None:
        return {"value": None}
    if len(trial.values) == 1:
        return {"value": trial.values[0]}
    return {f"values_{k}": value for k, value in enumerate(trial.values)}


SOURCES.register("optuna", Source(FORM, rows))
