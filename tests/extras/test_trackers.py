"""Runs in real trackers: each is filled by its own client, and read by isoloss.

W&B's server cannot be had: its client writes offline, and reads from a server of ours that answers
its queries of runs; histories and what was written are read from a fake client alone, in
``tests/runs/intake/test_runs_sources.py``.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from isoloss.files import load
from isoloss.laws import preset
from isoloss.runs import EndingTaken, Run, Runs, RunsError, log_result, log_runs, read

pytestmark = [
    pytest.mark.extras,
    # What the clients themselves warn of is no business of these tests.
    pytest.mark.filterwarnings("default"),
]
#: Sizes, lengths and losses of the runs that every tracker is given.
RUNS = [(1e6, 2e7, 4.0), (4e6, 2e7, 3.5), (4e6, 8e7, 3.25)]
STEPS = 4


def along(loss: float) -> list[float]:
    """Losses at each of the steps of a run that ends with this one."""
    return [loss + 0.1 * (STEPS - 1 - k) for k in range(STEPS)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow") / "mlflow.db"


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[str]:
    """A tracking server of MLflow on SQLite, of this test alone."""
    pytest.importorskip("mlflow.server")
    folder = store.parent
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = ["--backend-store-uri", f"sqlite:///{store}"]
    kept += ["--artifacts-destination", str(folder / "artifacts")]
    words = [sys.executable, "-m", "mlflow", "server", *kept, "--port", str(port)]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(
            [*words, "--workers", "1"],
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )
    try:
        until = time.monotonic() + 300
        while not answers(port):
            assert running.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.3)
        yield f"http://127.0.0.1:{port}"
    finally:
        # The server and its own workers, which are a group of their own.
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(30)


def answers(port: int) -> bool:
    from urllib.request import urlopen

    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as found:
            return bool(found.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def filled(server: str) -> str:
    """The server with an experiment of three finished runs, one that failed and one that is
    running.
    """
    from mlflow.tracking import MlflowClient

    asked = MlflowClient(tracking_uri=server)
    number = asked.create_experiment("lm")
    ends = ["FINISHED"] * 3 + ["FAILED", None]
    for (n, d, loss), end in zip([*RUNS, (8e6, 8e7, 9.0), (8e6, 1e6, 8.0)], ends, strict=True):
        run = asked.create_run(number).info.run_id
        asked.log_param(run, "n_params", f"{n:.0f}")
        for step, value in enumerate(along(loss)):
            asked.log_metric(run, "val_loss", value, step=step)
            asked.log_metric(run, "tokens_seen", d * (step + 1) / STEPS, step=step)
        asked.log_metric(run, "grad_norm", 1.0, step=0)
        if end is not None:
            asked.set_terminated(run, end)
    return server


MLFLOW = {
    "params": "params.n_params",
    "tokens": "metrics.tokens_seen",
    "loss": "metrics.val_loss",
}


def rows(runs: Runs) -> list[tuple[float, float, float]]:
    return sorted((run.params, run.tokens, round(run.loss, 9)) for run in runs.usable)


def test_mlflow_gives_the_last_value_of_each_run_and_how_it_ended(filled: str) -> None:
    runs = read(f"mlflow:{filled}#lm", columns=MLFLOW, precision="bf16")
    assert rows(runs) == sorted(RUNS)
    assert sorted(runs["status"]) == ["ok", "ok", "ok", "unfinished", "unfinished"]
    assert all(f"run {run}" in why for run, why in zip(
        runs.excluded["run_id"], runs.excluded["reason"], strict=True
    ))  # fmt: skip


def test_mlflow_gives_the_history_of_metrics_at_their_steps(filled: str) -> None:
    runs = read(
        f"mlflow:{filled}#lm", columns=MLFLOW, precision="bf16", last="run_id",
        history="val_loss,tokens_seen",
    )  # fmt: skip
    assert len(runs) == 5 * STEPS
    assert rows(runs) == sorted(RUNS)
    assert runs.understood is not None
    assert runs.understood.line.endswith("--history val_loss,tokens_seen --last run_id")


def test_runs_written_to_mlflow_read_back_as_the_same_table(server: str) -> None:
    to = f"mlflow:{server}#written"
    runs = read("isoloss2026").take(range(0, 300, 30))
    assert (log_runs(runs, to).added, log_runs(runs, to).added) == (len(runs), 0)
    again = read(to)
    assert again.hash == runs.hash
    assert again.columns == runs.columns
    assert {*again["reason"]} == {*runs["reason"]}
    from mlflow.tracking import MlflowClient

    asked = MlflowClient(tracking_uri=server)
    one = asked.search_runs([asked.get_experiment_by_name("written").experiment_id])[0].data
    assert one.params["precision"] in runs["precision"]
    assert one.metrics["loss"] in runs["loss"]
    assert one.tags["isoloss.licence"] == runs.licence["isoloss2026"]


def test_runs_with_odd_columns_and_excluded_rows_read_back(server: str) -> None:
    odd = Runs([Run("1M", "20M", "w4", 4.0, seed=0), Run("1M", "20M", "w4", float("nan"))])
    odd = odd.with_columns(**{"lr (peak) \x1b[31m": [0.1, 0.2], "note": ["a", None]})
    log_runs(odd, f"mlflow:{server}#odd")
    again = read(f"mlflow:{server}#odd")
    assert again["note"].tolist() == ["a", None]
    assert again["reason"].tolist() == odd["reason"].tolist()
    assert "lr (peak) \\x1b[31m" in again.columns


def test_a_result_is_logged_with_its_file_and_is_no_run(server: str, tmp_path: Path) -> None:
    law = preset("chinchilla")
    to = f"mlflow:{server}#results"
    log_runs(Runs([Run("1M", "20M", "w4", 4.0)]), to)
    log_result(law, to, params={"precision": "w4"}, metrics={"loss": 3.0})
    assert len(read(to)) == 1
    from mlflow.tracking import MlflowClient

    asked = MlflowClient(tracking_uri=server)
    found = asked.search_runs([asked.get_experiment_by_name("results").experiment_id])
    run = next(each.info.run_id for each in found if "isoloss.kind" in each.data.tags)
    assert load(asked.download_artifacts(run, "law.json", str(tmp_path))) == law


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("{server}#lms", "has no experiment 'lms'; did you mean 'lm'"),
        ("http://me:sesame@127.0.0.1:9#lm", "its server does not answer"),
        ("sqlite:///nothing.db#lm", "'nothing.db': it is not there"),
    ],
)
def test_mlflow_says_what_is_wrong_without_a_password(address: str, said: str, filled: str) -> None:
    with pytest.raises(RunsError) as refused:
        read(f"mlflow:{address.format(server=filled)}", columns=MLFLOW, precision="bf16")
    assert said in str(refused.value)
    assert "sesame" not in str(refused.value)


def test_mlflow_is_read_from_its_database_without_a_server(
    filled: str, store: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = read(f"mlflow:sqlite:///{store}#lm", columns=MLFLOW, precision="bf16")
    assert rows(runs) == sorted(RUNS)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_experiment_is_refused(server: str) -> None:
    from mlflow.tracking import MlflowClient

    MlflowClient(tracking_uri=server).create_experiment("empty")
    with pytest.raises(RunsError, match="#empty has no runs"):
        read(f"mlflow:{server}#empty")


def test_nested_runs_are_said_and_can_be_left_out(server: str) -> None:
    from mlflow.tracking import MlflowClient

    asked = MlflowClient(tracking_uri=server)
    number = asked.create_experiment("nested")
    above = asked.create_run(number).info.run_id
    inside = asked.create_run(number, tags={"mlflow.parentRunId": above}).info.run_id
    for run in (above, inside):
        asked.log_param(run, "n_params", "1e6")
        asked.log_metric(run, "tokens_seen", 2e7)
        asked.log_metric(run, "val_loss", 4.0)
        asked.set_terminated(run)
    with pytest.warns(match="1 runs of .* have others nested under them"):
        runs = read(f"mlflow:{server}#nested", columns=MLFLOW, precision="bf16")
    assert runs.where(children=0)["run_id"].tolist() == [inside]


@pytest.fixture
def study(tmp_path: Path) -> str:
    optuna = pytest.importorskip("optuna")
    uri = f"sqlite:///{tmp_path}/optuna.db"
    made = optuna.create_study(storage=uri, study_name="sizes")
    for n, d, loss in RUNS:
        trial = made.ask({"n_params": optuna.distributions.FloatDistribution(n, n)})
        trial.set_user_attr("tokens", d)
        for step, value in enumerate(along(loss)):
            trial.report(value, step)
        made.tell(trial, loss)
    made.tell(made.ask(), state=optuna.trial.TrialState.PRUNED)
    made.ask()
    return f"optuna:{uri}#sizes"


OPTUNA = {"params": "params_n_params", "tokens": "user_attrs_tokens", "loss": "value"}


def test_optuna_gives_trials_and_their_states(study: str) -> None:
    with pytest.warns(EndingTaken):
        runs = read(study, columns=OPTUNA, precision="bf16")
    assert rows(runs) == sorted(RUNS)
    assert runs["status"].tolist() == ["ok"] * 3 + ["unfinished"] * 2
    assert "trial 3" in runs["reason"][3]
    along = read(study, columns=OPTUNA, precision="bf16", history="value", last="number")
    # The trial that was pruned stays too, and so does the one that is under way.
    assert (len(along), rows(along)) == (3 * STEPS + 2, sorted(RUNS))
    with pytest.raises(RunsError, match="there is no study 'size'; did you mean 'sizes'"):
        read(study[:-1])


def test_a_file_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    import sqlite3

    pytest.importorskip("optuna")
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("create table mine (a)")
    before = (tmp_path / "other.db").read_bytes()
    for address in ("optuna:sqlite:///{}#a", "mlflow:sqlite:///{}#a", "trackio:{}"):
        with pytest.raises(RunsError, match=r"other\.db': it is no file of"):
            read(address.format(tmp_path / "other.db"))
    assert (tmp_path / "other.db").read_bytes() == before


def test_trackio_gives_the_runs_of_a_project(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("trackio")
    code = f"""
import trackio
for n, d, loss in {RUNS}:
    trackio.init(project="lm", name=f"n{{n:.0f}}-{{d:.0f}}", config={{"n_params": n}})
    for step in range({STEPS}):
        value = loss + 0.1 * ({STEPS} - 1 - step)
        trackio.log({{"val_loss": value, "tokens": d * (step + 1) / {STEPS}}}, step=step)
    trackio.finish()
"""
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)
    columns = {"params": "config.n_params", "tokens": "metrics.tokens", "loss": "metrics.val_loss"}
    assert rows(read("trackio:lm", columns=columns, precision="bf16")) == sorted(RUNS)
    along = read(
        "trackio:lm", columns=columns, precision="bf16", history="val_loss,tokens", last="run_id"
    )
    assert (len(along), rows(along)) == (3 * STEPS, sorted(RUNS))


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Event files of three runs, one with its hyperparameters in a folder of their own, as torch
    writes them.
    """
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for k, (n, d, loss) in enumerate(RUNS):
        scalars = EventFileWriter(str(tmp_path / f"run{k}"))
        for step, value in enumerate(along(loss)):
            values = {"val/loss": value, "tokens": d * (step + 1) / STEPS}
            each = [Summary.Value(tag=tag, simple_value=v) for tag, v in values.items()]
            scalars.add_event(Event(step=step, summary=Summary(value=each)))
        inside = EventFileWriter(str(tmp_path / f"run{k}" / "1700000000.0")) if k else scalars
        begun, ended = HParamsPluginData(), HParamsPluginData()
        begun.session_start_info.hparams["n_params"].number_value = n
        ended.session_end_info.status = 1
        tags = {metadata.SESSION_START_INFO_TAG: begun, metadata.SESSION_END_INFO_TAG: ended}
        for tag, held in tags.items():
            about = metadata.create_summary_metadata(held)
            empty = Summary.Value(tag=tag, tensor=metadata.NULL_TENSOR, metadata=about)
            inside.add_event(Event(summary=Summary(value=[empty])))
        scalars.close()
        inside.close()
    return tmp_path


def test_tensorboard_gives_a_run_a_folder(events: Path) -> None:
    columns = {"params": "hparams.n_params", "tokens": "scalars.tokens", "loss": "scalars.val/loss"}
    runs = read(f"tensorboard:{events}", columns=columns, precision="bf16")
    near = [(n, d, pytest.approx(loss)) for n, d, loss in sorted(RUNS)]  # floats of 32 bits
    assert rows(runs) == near
    assert runs["run"].tolist() == ["run0", "run1", "run2"]
    along = read(
        f"tensorboard:{events}", columns=columns, precision="bf16", last="run",
        history="val/loss, tokens",
    )  # fmt: skip
    assert (len(along), rows(along)) == (3 * STEPS, near)
    with pytest.raises(RunsError, match="has no runs with 'acc'"):
        read(f"tensorboard:{events}", history="acc")


def test_wandb_writes_offline(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    log_runs(Runs([Run("1M", "20M", "w4 a8", 4.0), Run("4M", "20M", "fp", 3.5)]), "wandb:me/lm")
    written = sorted((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(written) == 2
    held = b"".join(path.read_bytes() for path in written)
    assert b"isoloss.row" in held
    assert b"w4 a8" in held


class Answers(BaseHTTPRequestHandler):
    """What W&B's server says to the queries of its client: who is asking, and the runs of me/lm."""

    def log_message(self, *said: object) -> None:
        pass

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = json.loads(sent) if sent.startswith(b"{") else {"query": ""}
        status = 403 if (asked.get("variables") or {}).get("project") == "secret" else 200
        text = json.dumps({"data": self.data(asked)}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def data(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "runs(" not in asked["query"]:
            user = {"id": "1", "username": "me", "entity": "me", "flags": "{}", "admin": False}
            return {"viewer": {**user, "teams": {"edges": []}}}
        if asked["variables"]["project"] != "lm":
            return {"project": None}
        # A page for each run, as the client follows them.
        k = int(asked["variables"]["cursor"] or 0)
        edge = {"node": self.node(k), "cursor": str(k + 1)}
        page = {"endCursor": str(k + 1), "hasNextPage": k + 1 < len(RUNS)}
        runs = {"edges": [edge], "pageInfo": page}
        return {"project": {"internalId": "1", "runCount": 3, "readOnly": False, "runs": runs}}

    def node(self, k: int) -> dict[str, Any]:
        n, d, loss = RUNS[k]
        config = {"model": {"value": {"n_params": n}}, "_wandb": {"value": {"v": 1}}}
        own = {
            "name": f"id{k}", "displayName": "brisk", "tags": ["a"], "group": "g",
            "state": "finished" if k < 2 else "crashed", "createdAt": "2026-11-01T00:00:00",
            "config": json.dumps(config),
            "summaryMetrics": json.dumps({"eval/loss": loss, "tokens": d, "_step": 3}),
        }  # fmt: skip
        none = ("sweepName", "jobType", "commit", "heartbeatAt", "description", "notes")
        user = {"name": "me", "username": "me"}
        own |= {"id": "x", "readOnly": False, "systemMetrics": "{}", "user": user}
        return own | dict.fromkeys(none)


@pytest.fixture
def wandb_server(monkeypatch) -> Iterator[None]:
    pytest.importorskip("wandb")
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        yield
        server.shutdown()


def test_wandb_gives_the_runs_of_every_page(wandb_server: None) -> None:
    columns = {"params": "config.model.n_params", "tokens": "summary.tokens"}
    columns |= {"loss": "summary.eval/loss"}
    with pytest.warns(EndingTaken):
        runs = read("wandb:me/lm", columns=columns, precision="bf16")
    assert rows(runs) == sorted(RUNS[:2])
    assert runs["status"].tolist() == ["ok", "ok", "unfinished"]
    assert runs["id"].tolist() == ["id0", "id1", "id2"]


@pytest.mark.parametrize(
    ("project", "said"),
    [("ml", "Could not find project ml"), ("secret", "there is no permission")],
)
def test_wandb_says_what_is_wrong(project: str, said: str, wandb_server: None) -> None:
    with pytest.raises(RunsError, match=f"cannot read wandb:me/{project}: ") as refused:
        read(f"wandb:me/{project}")
    assert said in str(refused.value)
    assert "0000" not in str(refused.value)


def test_a_command_loads_no_client_unless_it_is_asked(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("params,tokens,precision,loss\n1M,20M,w4,4.0\n")
    clients = "{'mlflow', 'wandb', 'optuna', 'tensorboard', 'trackio', 'sqlalchemy', 'pandas'}"
    code = (
        "import sys\nfrom isoloss.cli import main\nsys.argv = ['isoloss', 'runs', 'mine.csv']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('loaded', {clients} & {{name.partition('.')[0] for name in sys.modules}})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert run.stdout.endswith("loaded set()\n")


def test_wandb_without_a_key_is_one_sentence(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(RunsError, match="cannot read wandb:me/lm: ") as refused:
        read("wandb:me/lm")
    assert "\n" not in str(refused.value)
