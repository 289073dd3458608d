"""TensorBoard: one run a folder of event files, its scalars and hyperparameters.

``tensorboard:FOLDER``. A folder that holds hyperparameters alone and stands inside that of a run,
as ``SummaryWriter.add_hparams`` of torch makes it, belongs to that run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from isoloss.files import shown
from isoloss.runs.intake.sources.asking import client
from isoloss.runs.intake.sources.histories import at_steps
from isoloss.runs.intake.sources.source import SOURCES, Source, TrackedRow
from isoloss.runs.problems import RunsError

FORM = "FOLDER"
EVENTS = "*tfevents*"
_PACKAGE = "tensorboard.plugins.hparams"
#: What session ends are called there, and for us.
STATES = {1: "success", 2: "failure", 3: "running"}


@dataclass(frozen=True)
class _Folder:
    """What the event files of one folder hold."""

    path: Path
    scalars: Mapping[str, list[tuple[int, float]]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    state: str | None = None


def rows(where: str, history: Sequence[str]) -> list[TrackedRow]:
    """The runs below a folder, by the names of their folders."""
    top = Path(where).expanduser()
    if not top.is_dir():
        raise RunsError(f"cannot read {shown(top)}: there is no such folder")
    folders = sorted({each.parent for each in top.rglob(EVENTS) if each.is_file()})
    if not folders:
        raise RunsError(f"{shown(top)} holds no event files of TensorBoard ({EVENTS})")
    out = []
    for found in _united([_read(each) for each in folders]):
        name = str(found.path.relative_to(top)) if found.path != top else top.resolve().name
        facts = {"run": name, "state": found.state}
        facts |= {f"hparams.{k}": v for k, v in found.settings.items()}
        for each in _steps(found, history) if history else [_last(found)]:
            out.append(TrackedRow(name, facts | each))
    return out


def _read(folder: Path) -> _Folder:
    processing = client(
        "tensorboard.backend.event_processing.plugin_event_accumulator", "tensorboard"
    )
    as_array = client("tensorboard.util.tensor_util", "tensorboard").make_ndarray
    # All of the scalars, and not a sample.
    events = processing.EventAccumulator(
        str(folder), size_guidance={"tensors": 0}, tensor_size_guidance={"scalars": 0}
    )
    events.Reload()
    settings, state = _session(_of_plugin(events, "hparams"))
    scalars = {
        tag: [(int(e.step), float(as_array(e.tensor_proto).item())) for e in events.Tensors(tag)]
        for tag in _of_plugin(events, "scalars")
    }
    return _Folder(folder, scalars, settings, state)


def _of_plugin(events: Any, plugin: str) -> Mapping[str, bytes]:
    try:
        found: Mapping[str, bytes] = events.PluginTagToContent(plugin)
    except KeyError:
        return {}
    return found


def _session(content: Mapping[str, bytes]) -> tuple[dict[str, Any], str | None]:
    """Hyperparameters of a run, and how it ended where that is said."""
    if not content:
        return {}, None
    metadata = client(f"{_PACKAGE}.metadata", "tensorboard")
    settings: dict[str, Any] = {}
    state = None
    if begun := content.get(metadata.SESSION_START_INFO_TAG):
        info = metadata.parse_session_start_info_plugin_data(begun)
        settings = {name: _value(value) for name, value in info.hparams.items()}
    if ended := content.get(metadata.SESSION_END_INFO_TAG):
        state = STATES.get(metadata.parse_session_end_info_plugin_data(ended).status)
    return settings, state


def _value(value: Any) -> Any:
    """A number, text or truth of a protobuf value."""
    kind = value.WhichOneof("kind")
    return None if kind in (None, "null_value") else getattr(value, kind)


def _united(folders: Sequence[_Folder]) -> list[_Folder]:
    """The runs: a folder of hyperparameters inside a run without any is part of that run."""
    runs: dict[Path, _Folder] = {}
    for each in folders:  # by name, so that a folder comes before what is in it
        above = runs.get(each.path.parent)
        if above is None or not each.settings or above.settings:
            runs[each.path] = each
            continue
        runs[above.path] = replace(
            above,
            scalars={**each.scalars, **above.scalars},
            settings=each.settings,
            state=above.state or each.state,
        )
    return list(runs.values())


def _last(found: _Folder) -> dict[str, Any]:
    """The last value of every scalar, and the last step."""
    # Of a step that was logged twice, by a run that was resumed, the later value.
    lasts = {f"scalars.{k}": max(v[::-1], key=_step)[1] for k, v in found.scalars.items() if v}
    steps = [step for values in found.scalars.values() for step, _ in values]
    return {"step": max(steps, default=None), **lasts}


def _step(pair: tuple[int, float]) -> int:
    return pair[0]


def _steps(found: _Folder, metrics: Sequence[str]) -> list[dict[str, Any]]:
    return at_steps({f"scalars.{name}": found.scalars.get(name, []) for name in metrics})


SOURCES.register("tensorboard", Source(FORM, rows))
