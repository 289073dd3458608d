"""The command that measures on a GPU, run whole at toy size: every box gives rows, and one that
fails or runs out of time loses nothing.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmarks import on_gpu
from benchmarks.on_gpu_boxes import BOXES

BROKEN = """
import sys, threading
from benchmarks import on_gpu
from benchmarks.on_gpu_boxes import BOXES, Box

def fails(at):
    yield {"n": 1}
    raise ValueError("no such\\nthing")

def hangs(at):
    yield {"n": 2}
    threading.Event().wait()

BOXES |= {b.name: b for b in (Box("fails", "F", 20, fails), Box("hangs", "H", 1, hangs))}
sys.exit(on_gpu.main([sys.argv[1], "fails", "hangs", "--cpu"]))
"""


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )


@pytest.mark.slow
def test_every_box_runs_at_toy_size(tmp_path: Path) -> None:
    found = ran("-m", "benchmarks.on_gpu", str(tmp_path), "--cpu")
    assert found.returncode == 0, found.stdout + found.stderr
    kept = json.loads((tmp_path / "all.json").read_text())
    assert [box["box"] for box in kept] == list(BOXES)
    assert all(box["ended"] == "whole" and box["rows"] for box in kept)
    assert {row["differ"] for row in kept[1]["rows"]} == {0}
    assert all(box.title in found.stdout for box in BOXES.values())


def test_the_boxes_take_eight_minutes_at_most() -> None:
    assert sum(box.seconds for box in BOXES.values()) <= 480


@pytest.mark.slow
def test_a_box_that_fails_or_hangs_keeps_its_rows_and_the_others(tmp_path: Path) -> None:
    found = ran("-c", BROKEN, str(tmp_path))
    assert found.returncode == 1
    kept = {box["box"]: box for box in json.loads((tmp_path / "all.json").read_text())}
    assert kept["fails"]["ended"] == "ValueError: no such thing"
    assert kept["hangs"]["ended"] == "out of time"
    assert [kept[name]["rows"] for name in ("fails", "hangs")] == [[{"n": 1}], [{"n": 2}]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name the folder for the results: python -m benchmarks.on_gpu FOLDER"),
        (["there", "speed", "--cpu"], f"'speed' is no box; boxes are {', '.join(BOXES)}"),
        (["there"], "there is no GPU that torch can use here; --cpu runs every box at toy size"),
    ],
)
def test_what_is_refused(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match=f"^{message}"):
        on_gpu.main(words)
    assert not list(tmp_path.iterdir())
