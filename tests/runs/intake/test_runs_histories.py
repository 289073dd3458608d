"""Files of one run: evaluations of a Hugging Face Trainer, a history, a summary."""

from __future__ import annotations

import json

import pytest

from isoloss.runs import RunsError, TrajectoriesFound, read

HOW = {"params": "125M", "precision": "bf16"}


def state(tokens: bool = True, evaluated: bool = True) -> str:
    log = []
    for step in (100, 200, 300):
        seen = {"num_input_tokens_seen": step * 10**6} if tokens else {}
        log.append({"loss": 5.0 - step / 1000, "step": step, "epoch": step / 1e3, **seen})
        if evaluated:
            log.append({"eval_loss": 4.0 - step / 1000, "eval_runtime": 2.0, "step": step, **seen})
    log.append({"train_runtime": 9.0, "train_loss": 4.4, "step": 300})
    return json.dumps({"best_metric": None, "global_step": 300, "log_history": log})


@pytest.fixture
def put(tmp_path):
    def to(name: str, text: str):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return to


def test_evaluations_of_a_trainer_are_the_rows_and_not_its_training_losses(put):
    path = put("a/checkpoint-300/trainer_state.json", state())
    with pytest.warns(TrajectoriesFound, match="3 rows of a/checkpoint-300/.* along one run"):
        runs = read(path, **HOW)
    assert runs["loss"].tolist() == [3.9, 3.8, 3.7]
    assert runs["tokens"].tolist() == [1e8, 2e8, 3e8]
    assert "loss from eval_loss, tokens from num_input_tokens_seen" in str(runs.understood)
    last = read(path, last="run", **HOW)
    assert last.usable["tokens"].tolist() == [3e8]
    assert last.excluded["reason"][0].endswith("(a/checkpoint-300/trainer_state.json, row 2)")


def test_tokens_that_a_trainer_did_not_count_are_its_steps_times_those_of_a_step(put):
    path = put("a/trainer_state.json", state(tokens=False))
    with pytest.raises(RunsError, match=r"no column looks like tokens: step x tokens a step is"):
        read(path, **HOW)
    runs = read(path, columns={"tokens": "step*524288"}, last="run", **HOW)
    assert runs.usable["tokens"].tolist() == [300 * 524288]


def test_a_training_loss_is_taken_by_name_only_and_an_empty_log_is_refused(put):
    path = put("a/trainer_state.json", state(evaluated=False))
    with pytest.raises(RunsError, match=r"no column 'loss'.*--column loss=train_loss"):
        read(path, **HOW)
    runs = read(path, columns={"loss": "train_loss"}, last="run", **HOW)
    assert runs.usable["loss"].tolist() == [4.7]
    with pytest.raises(RunsError, match=r"a/trainer_state\.json has no loss in its log_history"):
        read(put("a/trainer_state.json", '{"log_history": [{"step": 3}, 4]}'), **HOW)


def test_several_trainers_are_told_apart_by_their_folders(put):
    paths = [put(f"{run}/trainer_state.json", state()) for run in ("a", "b")]
    runs = read(paths, last="run", **HOW)
    assert set(runs["source"]) == {"a/trainer_state.json", "b/trainer_state.json"}
    assert set(runs["run"]) == {"a/trainer_state.json", "b/trainer_state.json"}
    pooled = read(paths, last="run", source="mine", **HOW)
    assert set(pooled["source"]) == {"mine"}


@pytest.mark.parametrize("name", ["history.csv", "history.jsonl"])
def test_a_history_without_a_name_of_its_run_is_one_run(put, name):
    rows = [{"_step": k, "_runtime": k, "tokens": k * 1e9, "loss": 4 - k / 9} for k in (1, 2, 3)]
    lines = "\n".join(map(json.dumps, rows))
    table = "\n".join(",".join(map(str, row)) for row in [rows[0], *(r.values() for r in rows)])
    path = put(name, lines if name.endswith("jsonl") else table)
    with pytest.warns(TrajectoriesFound, match="along one run, which column 'run' names"):
        read(path, **HOW)
    assert read(path, last="run", **HOW).usable["tokens"].tolist() == [3e9]


def test_the_summary_of_one_run_is_one_row(put):
    summary = {"_step": 9, "eval/loss": 3.25, "_wandb": {"runtime": 5}, "best": [1, 2]}
    path = put("wandb/run-1/files/wandb-summary.json", json.dumps(summary))
    runs = read(path, columns={"loss": "eval/loss"}, tokens="2.5B", **HOW)
    assert (len(runs), runs["loss"][0], runs["tokens"][0]) == (1, 3.25, 2.5e9)
    assert runs.understood.source == "run-1/wandb-summary.json"


def test_values_of_a_configuration_with_descriptions_are_their_values(put):
    row = {"config": {"n": {"value": 2e8, "desc": None}}, "loss": 3.5, "tokens": 1e9}
    path = put("api.jsonl", json.dumps(row))
    runs = read(path, columns={"params": "config.n"}, precision="bf16")
    assert runs["params"].tolist() == [2e8]


@pytest.mark.parametrize("first", ["Step", "trainer/global_step", "Relative Time (Process)"])
def test_an_export_of_a_chart_without_bounds_says_what_to_export_instead(put, first):
    path = put("chart.csv", f"{first},gpt-a - eval/loss,gpt-b - eval/loss\n1,3.5,3.4\n")
    with pytest.raises(RunsError, match=r"one column a run \(2 of 'eval/loss', the first of run"):
        read(path)
