"""MLflow: the runs of an experiment, under the names of columns that ``mlflow.search_runs`` gives.

``mlflow:URI#experiment``; without a URI that of MLFLOW_TRACKING_URI. A server gets 20 s for an
answer and one more try, unless MLflow's own variables say otherwise.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isoloss.files import did_you_mean, shown
from isoloss.runs.intake.sources.asking import client, environment
from isoloss.runs.intake.sources.histories import at_steps
from isoloss.runs.intake.sources.local import check_sqlite
from isoloss.runs.intake.sources.logged import HASH, KIND, STATUS, LoggedRun, all_ours, row_of
from isoloss.runs.intake.sources.secrets import without_secrets
from isoloss.runs.intake.sources.source import SOURCES, LoggedResult, Sent, Source, TrackedRow
from isoloss.runs.problems import RunsError

FORM = "URI#experiment"
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
PARENT, NAME = "mlflow.parentRunId", "mlflow.runName"
#: Addresses that the small client of the extra does not know.
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
#: Runs of one page.
PAGE = 1000
#: How a run of each status of ours ends there; one that is excluded did end.
ENDS = {"ok": "FINISHED", "excluded": "FINISHED", "diverged": "FAILED", "unfinished": "KILLED"}


def rows(where: str, history: Sequence[str]) -> list[TrackedRow]:
    """The runs of an experiment, oldest first."""
    uri, name = _taken_apart(where)
    _check_there(uri)
    with _asked(uri) as asked:
        found = [run for run in _runs(asked, _experiment(asked, name)) if KIND not in run.data.tags]
        if not history and all_ours([run.data.tags for run in found]):
            return [_our_row(run) for run in found]
        children = Counter(run.data.tags.get(PARENT) for run in found)
        facts = [_facts(run, children) for run in found]
        if not history:
            lasts = [{f"metrics.{k}": v for k, v in run.data.metrics.items()} for run in found]
            return [
                TrackedRow(run.info.run_id, fact | last)
                for run, fact, last in zip(found, facts, lasts, strict=True)
            ]
        return [
            TrackedRow(run.info.run_id, fact | each)
            for run, fact in zip(found, facts, strict=True)
            for each in _evaluations(asked, run.info.run_id, history)
        ]


def send(where: str, runs: Sequence[LoggedRun]) -> Sent:
    """Write runs to an experiment, which is made where it is not there."""
    uri, name = _taken_apart(where)
    with _asked(uri) as asked:
        there = asked.get_experiment_by_name(name)
        number = asked.create_experiment(name) if there is None else there.experiment_id
        known = {run.data.tags.get(HASH): run.info for run in _runs(asked, number)}
        new = [run for run in runs if not _written(known.get(run.hash))]
        now = int(time.time() * 1000)
        for place, run in enumerate(new):
            # One that was cut short is written on.
            begun = known.get(run.hash)
            _write(asked, number, run, now + place, None if begun is None else begun.run_id)
    return Sent(f"mlflow:{without_secrets(where)}", len(new), len(runs) - len(new))


def send_result(where: str, result: LoggedResult) -> Sent:
    """Write a saved result as one run: what it says as params and metrics, its file as an
    artifact.
    """
    uri, name = _taken_apart(where)
    with _asked(uri) as asked:
        there = asked.get_experiment_by_name(name)
        number = asked.create_experiment(name) if there is None else there.experiment_id
        begun = asked.create_run(number, tags={KIND: result.kind, NAME: result.kind})
        run = begun.info.run_id
        _log(asked, run, result.params, result.metrics)
        asked.log_artifact(run, str(result.file))
        asked.set_terminated(run, "FINISHED")
    return Sent(f"mlflow:{without_secrets(where)}", 1)


def _taken_apart(where: str) -> tuple[str, str]:
    """The address of the server and the name of the experiment."""
    uri, sign, name = where.partition("#")
    if not (sign and name):
        raise RunsError(
            f"'mlflow:{without_secrets(where)}' names no experiment; write it like mlflow:{FORM}"
        )
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise RunsError(
            f"'mlflow:#{name}' needs MLFLOW_TRACKING_URI, which is not set; or write it like "
            f"mlflow:{FORM}"
        )
    return uri, name


def _check_there(uri: str) -> None:
    """Raise RunsError where a file or folder of this machine is not there."""
    check_sqlite(uri, "experiments", "MLflow")
    path = Path(uri.removeprefix("file://"))
    if (uri.startswith("file:") or "://" not in uri) and uri != "databricks" and not path.is_dir():
        raise RunsError(f"cannot read {shown(path)}: there is no such folder of MLflow")


@contextmanager
def _asked(uri: str) -> Iterator[Any]:
    """A client of the server, with times that end."""
    if uri.startswith(DATABASES) and find_spec("sqlalchemy") is None:
        raise RunsError(
            "a database of MLflow without its server needs the package mlflow: pip install mlflow"
        )
    with environment(SETTINGS):
        yield client("mlflow.tracking", "mlflow").MlflowClient(tracking_uri=uri)


def _experiment(asked: Any, name: str) -> str:
    found = asked.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage == "active":
        return str(found.experiment_id)
    if found is not None:
        raise RunsError(f"the experiment {name!r} was deleted; 'mlflow experiments restore' has it")
    names = [each.name for each in asked.search_experiments(max_results=PAGE)]
    meant = did_you_mean(name, names, 1, 0.6) or f"there are {', '.join(names[:10]) or 'none'}"
    raise RunsError(f"the server has no experiment {name!r}; {meant}")


def _runs(asked: Any, experiment: str) -> list[Any]:
    """All active runs, page by page."""
    found: list[Any] = []
    token = None
    while True:
        page = asked.search_runs(
            [experiment],
            max_results=PAGE,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        found += page
        token = page.token
        if not token:
            return found


def _facts(run: Any, children: Mapping[str | None, int]) -> dict[str, Any]:
    info, data = run.info, run.data
    took = (info.end_time - info.start_time) / 1000 if info.end_time and info.start_time else None
    nested = {"children": children[info.run_id]} if any(children) else {}
    return {
        "run_id": info.run_id,
        "run_name": data.tags.get(NAME),
        "status": data.tags.get(STATUS, info.status),
        "duration_s": took,
        **nested,
        **{f"params.{k}": v for k, v in data.params.items()},
        **{f"tags.{k}": v for k, v in data.tags.items() if not _is_told(k)},
    }


def _is_told(tag: str) -> bool:
    """Whether what a tag says is in another column already."""
    return tag == NAME or tag.startswith("isoloss.")


def _evaluations(asked: Any, run: str, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """The metrics at every step at which all of them were logged."""
    found = {
        f"metrics.{name}": [(m.step, m.value) for m in asked.get_metric_history(run, name)]
        for name in metrics
    }
    return at_steps(found)


def _our_row(run: Any) -> TrackedRow:
    written = row_of(run.data.params, run.data.metrics, run.data.tags, _written(run.info))
    return TrackedRow(run.info.run_id, written)


def _written(info: Any) -> bool:
    return info is not None and info.status not in ("RUNNING", "SCHEDULED")


def _write(asked: Any, experiment: str, run: LoggedRun, start: int, begun: str | None) -> None:
    if begun is None:
        made = asked.create_run(
            experiment, start_time=start, tags=dict(run.tags), run_name=run.name
        )
        begun = str(made.info.run_id)
    _log(asked, begun, run.params, run.metrics)
    asked.set_terminated(begun, ENDS.get(run.status, "FINISHED"))


def _log(asked: Any, run: str, params: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    entities = client("mlflow.entities", "mlflow")
    now = int(time.time() * 1000)
    asked.log_batch(
        run,
        params=[entities.Param(k, str(v)) for k, v in params.items()],
        metrics=[entities.Metric(k, float(v), now, 0) for k, v in metrics.items()],
    )


SOURCES.register("mlflow", Source(FORM, rows, send, send_result, package="mlflow"))
