"""Fixtures for the tests of runs: the folder of public data, a small table, and a file to write it
to.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from isoloss.runs import Run, Runs


@pytest.fixture
def data_folder() -> Path:
    folder = os.environ.get("ISOLOSS_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ISOLOSS_DATA names no folder with the public tables")
    return Path(folder)


@pytest.fixture
def few() -> Runs:
    return Runs(
        [
            Run("1M", "20M", "w4", 4.0, source="a", seed=0, group="g1"),
            Run("4M", "20M", "bf16", 3.5, source="b", group="g1"),
            Run("4M", "80M", "w4 a8", 3.25, source="a", seed=1),
            Run("4M", "80M", "w4 a8", float("nan"), source="a"),
        ]
    )


@pytest.fixture
def write(tmp_path):
    def to(text: str, name: str = "runs.csv") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return to


@pytest.fixture
def own_mounts():
    """Runs Python code in a folder, where it may mount what it likes without being seen; returns
    what it printed.
    """
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*alone, "true"], capture_output=True).returncode
    ):
        pytest.skip("this machine lets nobody have mounts of their own")

    def run(code: str, folder: Path) -> str:
        words = [*alone, sys.executable, "-c", code]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
