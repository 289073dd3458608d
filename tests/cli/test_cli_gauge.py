"""``isoloss gauge``: the report and JSON of two logs, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def logs(tmp_path: Path) -> tuple[Path, Path]:
    """A run .05 above its control, with noise of .02, in JSON lines."""
    rng, paths = np.random.default_rng(0), (tmp_path / "run.jsonl", tmp_path / "control.jsonl")
    shared = 3 + rng.normal(0, 0.2, 300)
    for path, gap in zip(paths, (0.05 + rng.normal(0, 0.02, 300), np.zeros(300)), strict=True):
        rows = ({"step": i + 1, "loss": float(x)} for i, x in enumerate(shared + gap))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return paths


def test_the_report_and_its_numbers(logs, shell) -> None:
    run, control = logs
    words = ("gauge", run, "--against", control, "--expected", 0.01, "--error", 0.005)
    result = shell(*words)
    assert result.exit_code == 0
    assert "verdict: worse than rounding explains, found at" in result.stdout
    found = json.loads(shell(*words, "--batch-tokens", "1k", "--limit", 0.04, "--json").stdout)
    assert found["verdict"] == "worse than rounding explains"
    assert (found["rows"], found["seen"], found["units"]["seen"]) == (300, 3e5, "tokens")
    assert found["gap"]["low"] < 0.05 < found["gap"]["high"]
    assert found["found_share"] < 0.5
    assert found["crossing"]["limit"] == 0.04


def test_what_is_left_out_of_a_log_is_in_the_report_and_the_numbers(logs, shell) -> None:
    run, control = logs
    with run.open("a") as file:
        file.write('{"step": 251, "loss": NaN}\n{"step": 252, "loss": 3.0}\n')
    words = ("gauge", run, "--against", control)
    report, notes = shell(*words).stdout, json.loads(shell(*words, "--json").stdout)["notes"]
    assert [" ".join(each.split()[:2]) for each in notes] == ["50 rows", "1 row"]
    assert all(note in report for note in notes)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--expected", "0.01"), "error: the expected gap 0.01 has no standard error"),
        (("--column", "loss"), "error: cannot read --column 'loss'; write it like loss=train/nll"),
        (("--column", "loss=nll"), "error: run.jsonl has no column 'nll'; it has step, loss"),
        (("--fit", "kumar2024", "--params", "1M", "--precision", "w4"),
         "error: run.jsonl and control.jsonl log steps and no tokens"),
    ],
)  # fmt: skip
def test_what_is_refused(words: tuple[str, ...], message: str, logs, shell) -> None:
    run, control = logs
    result = shell("gauge", run, "--against", control, *words)
    assert result.exit_code == 1
    assert result.stderr.startswith(message)


def test_a_control_is_asked_for(logs, shell) -> None:
    assert shell("gauge", logs[0]).exit_code == 2
    missing = shell("gauge", logs[0], "--against", "no.jsonl")
    assert (missing.exit_code, "it is not there" in missing.stderr) == (1, True)
