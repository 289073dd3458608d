"""Trackers as tables: addresses, what each gives, what is refused, and what is written back.

Clients are fakes of the shapes that the real ones have; ``tests/extras/test_trackers.py`` asks the
real ones.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import pytest
from fake_trackers import FakeMlflow, FakeWandb

from isoloss.laws import preset
from isoloss.runs import (
    SOURCES,
    Run,
    Runs,
    RunsError,
    Source,
    TrackedRow,
    check_sendable,
    log_result,
    log_runs,
    read,
)
from isoloss.runs.intake.sources import without_secrets
from isoloss.runs.intake.sources.histories import at_steps

MLFLOW = {"params": "params.n", "tokens": "metrics.tokens", "loss": "metrics.val_loss"}
WANDB = {"params": "config.model.n", "tokens": "summary.tokens", "loss": "summary.eval/loss"}


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> FakeMlflow:
    fake = FakeMlflow()
    for name, module in fake.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    return fake


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> FakeWandb:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake.modules()["wandb"])
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return fake


def test_mlflow_gives_every_page_and_how_runs_ended(mlflow: FakeMlflow) -> None:
    for status in ("FINISHED", "FINISHED", "FAILED", "KILLED", "RUNNING"):
        mlflow.add("lm", status, n="1.5M", tokens=2e7, val_loss=4.0)
    runs = read("mlflow:http://h:5000#lm", columns=MLFLOW, precision="w4")
    assert mlflow.pages == [0, 2, 4]
    assert runs["params"].tolist() == [1.5e6] * 5
    assert runs["status"].tolist() == ["ok"] * 2 + ["unfinished"] * 3
    assert "(mlflow:http://h:5000#lm, run r2)" in runs["reason"][2]


def test_the_history_of_metrics_is_a_row_for_each_step_of_all(mlflow: FakeMlflow) -> None:
    run = mlflow.add("lm", n="1M")
    run.steps = {"val_loss": {0: 5.0, 10: 4.0, 20: 3.5}, "tokens": {10: 1e6, 15: 2e6, 20: 3e6}}
    runs = read(
        "mlflow:http://h#lm", columns=MLFLOW, precision="w4", history="val_loss, tokens"
    )  # fmt: skip
    assert [runs[name].tolist() for name in ("step", "loss")] == [[10, 20], [4.0, 3.5]]
    assert runs.understood is not None
    assert "--history 'val_loss, tokens'" in runs.understood.line
    again = read("mlflow:http://h#lm", map=runs.understood.map)
    assert again == runs
    with pytest.raises(RunsError, match="has no runs with 'acc'"):
        read("mlflow:http://h#lm", history="acc")


def test_a_step_that_was_logged_twice_has_its_later_value() -> None:
    assert at_steps({"a": [(1, 5.0), (0, 6.0), (1, 4.0)]}) == [
        {"step": 0, "a": 6.0},
        {"step": 1, "a": 4.0},
    ]
    assert at_steps({}) == []


def test_nested_runs_are_said(mlflow: FakeMlflow) -> None:
    above = mlflow.add("lm", n="1M", tokens=2e7, val_loss=4.0)
    inside = mlflow.add("lm", n="1M", tokens=2e7, val_loss=4.0)
    inside.data.tags["mlflow.parentRunId"] = above.info.run_id
    with pytest.warns(match="1 runs of mlflow:http://h#lm have others nested"):
        runs = read("mlflow:http://h#lm", columns=MLFLOW, precision="w4")
    assert runs.where(children=0)["run_id"].tolist() == ["r1"]


def test_wandb_gives_config_summary_and_state(wandb: FakeWandb) -> None:
    config = {"model": {"n": 1e6}, "sizes": [1, 2], "_wandb": {"v": 1}, "bad\x1b[31m": 1}
    for state in ("finished", "crashed", "running", "killed"):
        wandb.add("me/lm", config, **{"tokens": 2e7, "eval/loss": 4.0}).state = state
    with pytest.warns(match="column 'state' of wandb:me/lm is read as the ending"):
        runs = read("wandb:me/lm", columns=WANDB, precision="w4")
    assert runs["status"].tolist() == ["ok", *["unfinished"] * 3]
    assert runs["config.sizes"].tolist() == ["[1, 2]"] * 4
    assert {"config.bad\\x1b[31m", "run_group", "summary._step"} <= {*runs.columns}
    assert not [name for name in runs.columns if name.startswith(("config._", "summary._r"))]


def test_wandb_gives_the_history_of_a_run(wandb: FakeWandb) -> None:
    run = wandb.add("me/lm", {"model": {"n": 1e6}})
    run.history = [
        {"_step": 0, "eval/loss": 5.0},
        {"_step": 1, "eval/loss": 4.5, "tokens": 1e6},
        {"_step": 2, "eval/loss": 4.0, "tokens": 2e6},
    ]
    runs = read("wandb:me/lm", columns=WANDB, precision="w4", history="eval/loss,tokens", last="id")
    assert runs["status"].tolist() == ["excluded", "ok"]
    assert runs["tokens"].tolist() == [1e6, 2e6]


@pytest.mark.parametrize("to", ["mlflow:http://h#lm", "wandb:me/lm"])
def test_what_is_written_reads_back_as_the_same_table(
    to: str, mlflow: FakeMlflow, wandb: FakeWandb, few: Runs
) -> None:
    odd = few.with_columns(**{"lr (peak)": [0.1, None, 0.3, 0.4], "note": [None, "a", "b", "c"]})
    twice = odd + odd.take([0])
    assert str(log_runs(twice, to)) == f"logged 5 runs to {to}"
    assert str(log_runs(twice, to)) == f"logged 0 runs to {to}, 5 were there already"
    again = read(to)
    assert again == twice
    assert again.understood is None or again.understood.is_plain


def test_many_further_columns_are_kept_whole(mlflow: FakeMlflow, few: Runs) -> None:
    wide = few.with_columns(**{f"column_{k}": [f"{k}" + "x" * 40] * 4 for k in range(300)})
    log_runs(wide, "mlflow:http://h#lm")
    tags = mlflow.experiments["lm"]["r0"].data.tags
    assert max(map(len, tags.values())) <= 4000
    assert read("mlflow:http://h#lm") == wide
    tags["isoloss.more.1"] = "{"
    with pytest.raises(RunsError, match=r"the tags isoloss\.more\.0 and following"):
        read("mlflow:http://h#lm")


def test_settings_are_params_the_loss_a_metric_and_the_rest_tags(mlflow: FakeMlflow) -> None:
    own = read("isoloss2026").take([0])
    log_runs(own, "mlflow:http://h#lm")
    run = mlflow.experiments["lm"]["r0"]
    assert float(run.data.params["params"]) == own["params"][0]
    assert run.data.params["precision"] == own["precision"][0]
    assert run.data.metrics["loss"] == own["loss"][0]
    assert run.data.tags["isoloss.licence"] == own.licence["isoloss2026"]
    assert run.info.status == "FINISHED"


def test_what_was_cut_short_is_finished_by_saying_it_again(mlflow: FakeMlflow, few: Runs) -> None:
    log_runs(few, "mlflow:http://h#lm")
    run = mlflow.experiments["lm"]["r1"]
    run.info.status, run.data.metrics = "RUNNING", {}
    assert read("mlflow:http://h#lm")["status"].tolist()[1] == "unfinished"
    assert log_runs(few, "mlflow:http://h#lm").added == 1
    assert read("mlflow:http://h#lm") == few


def test_among_runs_of_others_ours_have_the_names_of_the_tracker(
    mlflow: FakeMlflow, few: Runs
) -> None:
    log_runs(few, "mlflow:http://h#lm")
    mlflow.add("lm", n="1M", tokens=2e7, val_loss=4.0)
    columns = {"params": "params.params", "tokens": "params.tokens", "loss": "metrics.loss"}
    columns |= {"precision": "params.precision", "metric": "params.metric"}
    runs = read("mlflow:http://h#lm", columns=columns)
    assert runs["status"].tolist() == ["excluded", "ok", "ok", "ok", "excluded"]
    assert runs["loss"].tolist()[1:4] == few["loss"].tolist()[:3]
    assert not [name for name in runs.columns if "isoloss" in name]


def test_a_result_is_logged_with_its_file_and_is_no_run(mlflow: FakeMlflow, few: Runs) -> None:
    log_runs(few, "mlflow:http://h#lm")
    log_result(preset("chinchilla"), "mlflow:http://h#lm", metrics={"loss": 3.0})
    assert json.loads(mlflow.files["r4"])["type"] == "law"
    assert mlflow.experiments["lm"]["r4"].data.metrics == {"loss": 3.0}
    assert read("mlflow:http://h#lm") == few
    with pytest.raises(RunsError, match="cannot log a int; logged are"):
        log_result(3, "mlflow:http://h#lm")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("mlflow:http://h", "names no experiment; write it like mlflow:URI#experiment"),
        ("mlflow:#lm", "needs MLFLOW_TRACKING_URI, which is not set"),
        ("mlflow:http://h#lms", "has no experiment 'lms'; did you mean 'lm'"),
        ("mlflow:http://h#gone", "experiment 'gone' was deleted"),
        ("mlflow:http://h#empty", "mlflow:http://h#empty has no runs"),
        ("mlflow:sqlite:///no.db#lm", "cannot read 'no.db': it is not there"),
        ("mlflow:runs#lm", "there is no such folder of MLflow"),
        ("wandb:lm", "names no project; write it like wandb:entity/project"),
        ("wandb:me/ml", "cannot read wandb:me/ml: ValueError: Could not find project me/ml"),
        ("wandb:", "'wandb:' names nothing; write it like wandb:entity/project"),
        ("optuna:study", "names no study; write it like optuna:sqlite:///FILE#study"),
        ("optuna:sqlite:///no.db#s", "cannot read 'no.db': it is not there"),
        ("optuna:sqlite+pysqlite:///no.db#s", "cannot read 'no.db': it is not there"),
        ("tensorboard:no", "cannot read 'no': there is no such folder"),
        ("tensorboard:.", "'.' holds no event files of TensorBoard"),
        ("trackio:no.db", "cannot read 'no.db': it is not there"),
        ("trackio:lm", "Trackio has no project 'lm' in"),
        ("neptune:me/lm", "is neither a file nor a public table; trackers are mlflow:URI#exp"),
        ("neptune://me:sesame@h/lm", "'neptune://...@h/lm' is neither"),
    ],
)
def test_an_address_that_names_nothing_is_one_sentence(
    word: str, message: str, mlflow: FakeMlflow, wandb: FakeWandb, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    mlflow.add("lm", n="1M")
    mlflow.experiments |= {"empty": {}, "gone": {}}
    with pytest.raises(RunsError) as refused:
        read(word)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []  # nothing is made by reading


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("http://me:sesame@h/api: refused"), "its server does not answer (http"),
        (TimeoutError(), "its server does not answer"),
        (RuntimeError("Max retries exceeded with url: /a?token=sesame"), "server does not answer"),
        (RuntimeError("error code 403 != 200\nfor key sesame"), "there is no permission"),
        (RuntimeError("login first: Bearer sesame"), "there is no permission"),
        (KeyError("odd"), "KeyError: 'odd'"),
        (ModuleNotFoundError("x", name="sqlalchemy"), "its client needs the package sqlalchemy"),
    ],
)
def test_what_a_client_raises_is_one_sentence_without_credentials(
    error: Exception, said: str, mlflow: FakeMlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "sesame")
    mlflow.fails = error
    for call in (read, lambda to: log_runs(Runs([Run("1M", "1M", "w4", 1.0)]), to)):
        with pytest.raises(RunsError) as refused:
            call("mlflow:http://me:sesame@h#lm")
        assert said in str(refused.value)
        assert "sesame" not in str(refused.value)
        assert refused.value.__cause__ is None
        assert "\n" not in str(refused.value)


def test_a_database_of_mlflow_needs_all_of_it(mlflow: FakeMlflow, monkeypatch) -> None:
    home = SOURCES.home("mlflow")  # loads all, in their order
    monkeypatch.setattr(f"{home}.find_spec", lambda name: None)
    with pytest.raises(RunsError, match="without its server needs the package mlflow"):
        read("mlflow:postgresql://me:sesame@h/db#lm")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mlflow:http://h:5000#lm", "mlflow:http://h:5000#lm"),
        ("optuna:postgresql://me:p@ss@h/db#s", "optuna:postgresql://...@h/db#s"),
        ("x?api_key=abc&y=1", "x?api_key=...&y=1"),
        ("Authorization: Bearer abcdefgh", "Authorization: Bearer ..."),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
    ],
)
def test_credentials_are_never_shown(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    ("word", "package"),
    [
        ("mlflow:http://h#lm", "mlflow"),
        ("wandb:me/lm", "wandb"),
        ("optuna:mysql://h/db#s", "optuna"),
        ("tensorboard:.", "tensorboard"),
    ],
)
def test_a_client_that_is_not_installed_is_named_with_its_extra(
    word: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events.out.tfevents.1").touch()
    for name in [each for each in sys.modules if each.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    expected = f"this needs the package {package}: pip install 'isoloss[{package}]'"
    for call in (read, *([check_sendable] if SOURCES[package].send else [])):
        with pytest.raises(RunsError) as refused:
            call(word)
        assert str(refused.value) == expected


def test_what_is_no_tracker_takes_no_history_and_no_runs(few: Runs) -> None:
    with pytest.raises(RunsError, match="history is for trackers: mlflow:URI#experiment, optuna"):
        read("runs.csv", history="loss")
    with pytest.raises(RunsError, match="'isoloss2026' is a public table; history is for trackers"):
        read("isoloss2026", history="loss")
    with pytest.raises(RunsError, match="cannot write to trackio:lm; accepted are mlflow:URI#exp"):
        log_runs(few, "trackio:lm")
    with pytest.raises(RunsError, match=r"'runs.csv' names no tracker; mlflow:URI#experiment"):
        log_runs(few, "runs.csv")


@pytest.fixture(params=["run_id", "run_name"])
def trackio(request, tmp_path: Path) -> Path:
    """A file of Trackio as it is now, and as it was when a run was known by its name."""
    key = "run_id text, " if request.param == "run_id" else ""
    mine = ("'a1', ", "'b2', ") if key else ("", "")
    with sqlite3.connect(tmp_path / "lm.db") as made:
        made.execute(f"create table metrics (id integer primary key, {key}run_name, step, metrics)")
        made.execute(f"create table configs (id integer primary key, {key}run_name, config)")
        for k, n in enumerate((1e6, 2e6)):
            config = json.dumps({"n": n, "_Created": "today"})
            made.execute(f"insert into configs values ({k}, {mine[k]} 'r{k}', '{config}')")
            for step in range(3):
                metrics = json.dumps({"loss": 4.0 - step, "tokens": 1e6 * (1 + step)})
                values = f"{10 * k + step}, {mine[k]} 'r{k}', {step}, '{metrics}'"
                made.execute(f"insert into metrics values ({values})")
    return tmp_path / "lm.db"


def test_trackio_is_read_from_its_file(trackio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"params": "config.n", "tokens": "metrics.tokens", "loss": "metrics.loss"}
    monkeypatch.setenv("TRACKIO_DIR", str(trackio.parent))
    runs = read("trackio:lm", columns=columns, precision="w4")
    assert [run.params for run in runs] == [1e6, 2e6]
    assert [runs[name].tolist() for name in ("loss", "step")] == [[2.0] * 2, [2.0] * 2]
    assert "config._Created" not in runs.columns
    along = read(
        f"trackio:{trackio}", columns=columns, precision="w4", history="loss,tokens", last="name"
    )
    assert (len(along), len(along.usable)) == (6, 2)
    with pytest.raises(RunsError, match=r"no project 'ln' in .*; there are lm"):
        read("trackio:ln")


@pytest.mark.parametrize(
    ("table", "cell"), [("metrics", "{broken"), ("metrics", "[1]"), ("configs", "null")]
)
def test_a_broken_row_of_trackio_is_named(trackio: Path, table: str, cell: str) -> None:
    column = "config" if table == "configs" else table
    with sqlite3.connect(trackio) as made:
        made.execute(f"update {table} set {column} = ? where id = 1", (cell,))
    with pytest.raises(RunsError, match=r"lm.db': run '(r0|r1|b2)' has a row '.*', which is no J"):
        read(f"trackio:{trackio}")


def test_a_run_without_the_metrics_of_a_history_stays_and_is_excluded(trackio: Path) -> None:
    with sqlite3.connect(trackio) as made:
        made.execute("update metrics set metrics = '{\"tokens\": 1}' where run_name = 'r1'")
    columns = {"params": "config.n", "tokens": "metrics.tokens", "loss": "metrics.loss"}
    runs = read(f"trackio:{trackio}", columns=columns, precision="w4", history="loss,tokens")
    assert runs.usable["step"].tolist() == [0, 1, 2]
    assert len(runs) == 4
    assert "column 'metrics.loss' (loss) is empty" in runs.excluded["reason"][0]
    with pytest.raises(RunsError, match=r"has no runs with 'acc'"):
        read(f"trackio:{trackio}", columns=columns, precision="w4", history="acc")


@pytest.mark.parametrize("found", [[TrackedRow("one", {"params": 1e6, "x": {"y": 2}})], ["row"]])
def test_a_source_of_ones_own_is_an_address_like_others(found: list[object]) -> None:
    before = SOURCES.state()
    try:
        SOURCES.register("mine", Source("PLACE", lambda where, history: found))
        if found == ["row"]:
            with pytest.raises(RunsError, match=r"the source 'mine' of .* gave a str; it gives r"):
                read("mine:here")
        else:
            runs = read("mine:here", tokens=2e7, precision="w4", loss=3.0)
            assert (runs["params"][0], runs["x.y"][0]) == (1e6, 2.0)
    finally:
        SOURCES.restore(before)
