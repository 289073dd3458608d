"""Clients of trackers as far as isoloss asks them: objects of the shapes that MLflow's and W&B's
have, kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any


class Page(list[Any]):
    """Runs of one page, and the token of the next."""

    token: str | None = None


@dataclass
class FakeMlflow:
    """A client with its server: experiments by name, each with runs."""

    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    pages: list[int] = field(default_factory=list)
    fails: Exception | None = None
    files: dict[str, str] = field(default_factory=dict)

    def modules(self) -> dict[str, ModuleType]:
        tracking, entities = ModuleType("mlflow.tracking"), ModuleType("mlflow.entities")
        tracking.MlflowClient = self.client  # type: ignore[attr-defined]
        entities.Param = entities.Metric = lambda *given: given  # type: ignore[attr-defined]
        top = ModuleType("mlflow")
        return {"mlflow": top, "mlflow.tracking": tracking, "mlflow.entities": entities}

    def client(self, tracking_uri: str) -> FakeMlflow:
        if self.fails is not None:
            raise self.fails
        return self

    def get_experiment_by_name(self, name: str) -> Any:
        there = name in self.experiments
        stage = "deleted" if name == "gone" else "active"
        return SimpleNamespace(experiment_id=name, lifecycle_stage=stage) if there else None

    def search_experiments(self, max_results: int) -> list[Any]:
        return [SimpleNamespace(name=name) for name in self.experiments]

    def create_experiment(self, name: str) -> str:
        self.experiments[name] = {}
        return name

    def search_runs(
        self, ids: list[str], max_results: int, order_by: list[str], page_token: str | None
    ) -> Page:
        self.pages.append(int(page_token or 0))
        runs = [*self.experiments[ids[0]].values()]
        start, end = self.pages[-1], self.pages[-1] + 2
        page = Page(sorted(runs, key=lambda run: run.info.start_time)[start:end])
        page.token = str(end) if end < len(runs) else None
        return page

    def create_run(
        self, experiment: str, start_time: int = 0, tags: Any = None, run_name: str | None = None
    ) -> Any:
        name = f"r{len(self.experiments[experiment])}"
        info = SimpleNamespace(run_id=name, status="RUNNING", start_time=start_time, end_time=None)
        data = SimpleNamespace(params={}, metrics={}, tags=dict(tags or {}))
        run = SimpleNamespace(info=info, data=data, steps={})
        self.experiments[experiment][name] = run
        return run

    def _run(self, name: str) -> Any:
        return next(runs[name] for runs in self.experiments.values() if name in runs)

    def log_batch(self, name: str, params: list[Any], metrics: list[Any]) -> None:
        data = self._run(name).data
        data.params |= dict(params)
        data.metrics |= {key: value for key, value, _, _ in metrics}

    def set_terminated(self, name: str, status: str) -> None:
        self._run(name).info.status = status

    def log_artifact(self, name: str, path: str) -> None:
        self.files[name] = Path(path).read_text()

    def get_metric_history(self, name: str, metric: str) -> list[Any]:
        steps = self._run(name).steps.get(metric, {})
        return [SimpleNamespace(step=step, value=value) for step, value in steps.items()]

    def add(self, experiment: str, status: str = "FINISHED", **columns: Any) -> Any:
        """A run with params and metrics by the type of a value, text or number."""
        self.experiments.setdefault(experiment, {})
        run = self.create_run(experiment, len(self.experiments[experiment]))
        run.info.status = status
        run.data.params |= {k: v for k, v in columns.items() if isinstance(v, str)}
        run.data.metrics |= {k: v for k, v in columns.items() if not isinstance(v, str)}
        return run


@dataclass
class FakeWandb:
    """A client with its server: projects by path, each with runs."""

    projects: dict[str, list[Any]] = field(default_factory=dict)
    fails: Exception | None = None

    def modules(self) -> dict[str, ModuleType]:
        module = ModuleType("wandb")
        module.Api = self.api  # type: ignore[attr-defined]
        module.init = self.init  # type: ignore[attr-defined]
        module.Settings = SimpleNamespace  # type: ignore[attr-defined]
        return {"wandb": module}

    def api(self, timeout: int) -> FakeWandb:
        if self.fails is not None:
            raise self.fails
        return self

    def runs(self, path: str, order: str, per_page: int, lazy: bool = True) -> Iterator[Any]:
        if path not in self.projects:
            raise ValueError(f"Could not find project {path}")
        return iter(self.projects[path])

    def add(self, path: str, config: Mapping[str, Any], **summary: Any) -> Any:
        runs = self.projects.setdefault(path, [])
        run = SimpleNamespace(
            id=f"id{len(runs)}", name="brisk-fog", state="finished", created_at="2026-11-01",
            tags=["sweep"], group="g", config=dict(config), history=[],
            summary=SimpleNamespace(_json_dict={**summary, "_step": 3, "_runtime": 9}),
        )  # fmt: skip
        run.scan_history = lambda keys: [each for each in run.history if {*keys} <= {*each}]
        runs.append(run)
        return run

    def init(self, entity: str, project: str, config: Any, name: str, **more: Any) -> Any:
        run = self.add(f"{entity}/{project}", config)
        run.summary = {}
        run.state = "running"

        def finish(exit_code: int) -> None:
            run.state = "failed" if exit_code else "finished"

        run.finish = finish
        return run
