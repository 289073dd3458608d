"""Weights & Biases: the runs of a project, under the names of columns of the frame that its API's
documentation makes: config.x, summary.x.

``wandb:entity/project``. The client finds the key where it does (WANDB_API_KEY, ``wandb login``).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from isoloss.runs.intake.sources.asking import client, environment
from isoloss.runs.intake.sources.histories import at_steps
from isoloss.runs.intake.sources.logged import HASH, KIND, STATUS, LoggedRun, all_ours, row_of
from isoloss.runs.intake.sources.source import SOURCES, LoggedResult, Sent, Source, TrackedRow
from isoloss.runs.problems import RunsError

FORM = "entity/project"
#: Seconds that the server has for an answer, and runs of one page.
TIMEOUT, PAGE = 20, 500
#: The entry of a run's config that holds what is known about it.
OURS = "isoloss"
#: States of a run that did not end.
OPEN = frozenset({"running", "pending", "preempting"})


def rows(where: str, history: Sequence[str]) -> list[TrackedRow]:
    """The runs of a project, oldest first."""
    path = _path(where)
    found = [(run, _tags(run.config)) for run in _runs(_api(), path)]
    found = [(run, tags) for run, tags in found if KIND not in tags]
    if not history and all_ours([tags for _, tags in found]):
        return [_our_row(run, tags) for run, tags in found]
    out = []
    for run, _ in found:
        facts = _facts(run)
        if not history:
            out.append(TrackedRow(run.id, facts | _named("summary", _summary(run))))
            continue
        out += [TrackedRow(run.id, facts | each) for each in _evaluations(run, history)]
    return out


def send(where: str, runs: Sequence[LoggedRun]) -> Sent:
    """Write runs to a project; those that are there already are left as they are.

    With WANDB_MODE=offline, nothing is known of what is there.
    """
    entity, project = _path(where).split("/")
    known = set() if _offline() else _known(entity, project)
    new = [run for run in runs if run.hash not in known]
    for run in new:
        config = {**run.params, OURS: dict(run.tags)}
        begun = _begin(entity, project, run.name, config)
        begun.summary.update(dict(run.metrics))
        begun.finish(exit_code=0 if run.status in ("ok", "excluded") else 1)
    return Sent(f"wandb:{where}", len(new), len(runs) - len(new))


def send_result(where: str, result: LoggedResult) -> Sent:
    """Write a saved result as one run: what it says as config and summary, its file beside it."""
    entity, project = _path(where).split("/")
    wandb = client("wandb", "wandb")
    config = {**result.params, OURS: {KIND: result.kind}}
    begun = _begin(entity, project, result.kind, config, job_type=result.kind)
    begun.summary.update(dict(result.metrics))
    artifact = wandb.Artifact(f"isoloss-{result.kind}", type=result.kind)
    artifact.add_file(str(result.file), name=result.file.name)
    begun.log_artifact(artifact)
    begun.finish(exit_code=0)
    return Sent(f"wandb:{where}", 1)


def _path(where: str) -> str:
    parts = where.strip("/").split("/")
    if len(parts) != 2 or not all(parts):
        raise RunsError(f"'wandb:{where}' names no project; write it like wandb:{FORM}")
    return "/".join(parts)


def _api() -> Any:
    # On a terminal that is none, the client refuses in a sentence where it would ask for a key.
    with environment({"TERM": "dumb"}, replace=True):
        return client("wandb", "wandb").Api(timeout=TIMEOUT)


def _runs(api: Any, path: str) -> list[Any]:
    """The runs with their config and summary, which newer clients else fetch run by run."""
    try:
        found = api.runs(path, order="+created_at", per_page=PAGE, lazy=False)
    except TypeError:
        found = api.runs(path, order="+created_at", per_page=PAGE)
    return list(found)


def _known(entity: str, project: str) -> set[str]:
    """The hashes of our runs that ended; none where the project is not there yet."""
    api = _api()
    try:
        found = _runs(api, f"{entity}/{project}")
    except ValueError:  # what the client says of a project that is not there
        return set()
    return {str(_tags(run.config).get(HASH)) for run in found if run.state not in OPEN}


def _facts(run: Any) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "state": _tags(run.config).get(STATUS, run.state),
        "created_at": str(run.created_at),
        "tags": " ".join(str(tag) for tag in run.tags or ()),
        # Called group there, which for isoloss are rows that are not independent.
        "run_group": getattr(run, "group", None),
        **_named(
            "config", {k: v for k, v in run.config.items() if not k.startswith("_") and k != OURS}
        ),
    }


def _summary(run: Any) -> dict[str, Any]:
    found = run.summary
    found = getattr(found, "_json_dict", found)
    return {k: v for k, v in dict(found).items() if not (k.startswith("_") and k != "_step")}


def _named(before: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values under the names of our columns; lists as texts."""
    return {
        f"{before}.{k}": str(v) if isinstance(v, list | tuple) else v for k, v in values.items()
    }


def _evaluations(run: Any, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """The metrics at every step at which all of them were logged."""
    scan = list(run.scan_history(keys=["_step", *metrics]))
    return at_steps(
        {f"summary.{name}": [(int(each["_step"]), each[name]) for each in scan] for name in metrics}
    )


def _tags(config: Mapping[str, Any]) -> dict[str, str]:
    found = config.get(OURS)
    return dict(found) if isinstance(found, Mapping) else {}


def _our_row(run: Any, tags: Mapping[str, str]) -> TrackedRow:
    return TrackedRow(run.id, row_of(run.config, _summary(run), tags, run.state not in OPEN))


def _offline() -> bool:
    return os.environ.get("WANDB_MODE") in ("offline", "dryrun")


def _begin(entity: str, project: str, name: str, config: dict[str, Any], **more: Any) -> Any:
    wandb = client("wandb", "wandb")
    # Offline the files are what is kept; else they are but a copy of what the server has.
    folder = None if _offline() else tempfile.gettempdir()
    settings = wandb.Settings(silent=True, console="off", init_timeout=float(3 * TIMEOUT))
    with environment({"TERM": "dumb"}, replace=True):
        return wandb.init(
            entity=entity, project=project, name=name, config=config, settings=settings,
            dir=folder, reinit="create_new", **more,
        )  # fmt: skip


SOURCES.register("wandb", Source(FORM, rows, send, send_result, package="wandb"))
