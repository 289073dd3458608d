"""Workers of a sweep know the modules that their parent was told to use."""

import subprocess
import sys
from pathlib import Path

import pytest

WORK = """
from isoloss.files import used
from isoloss.runs import Run

def told(watch):
    watch.add(Run(1e6, 2e7, "w4", 3.0, source=" ".join(used()), key=min(watch.missing)))
"""
SCRIPT = """
import pathlib, sys
import isoloss as il
from isoloss.runs import Task, sweep

def main():
    il.use("plugins/own_things.py")
    import own_things
    tasks = [Task(f"t{k}", (f"r{k}",), own_things.told, f"t{k}") for k in range(2)]
    if "gone" in sys.argv:
        pathlib.Path("plugins/own_things.py").unlink()
    print(sweep(tasks, "runs.db", workers=1, show=False).runs["source"].tolist())

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("gone", [False, True])
def test_workers_use_what_their_parent_uses(tmp_path: Path, gone: bool) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "own_things.py").write_text(WORK)
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py", *(["gone"] if gone else [])]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    path = str(folder / "own_things.py")
    if gone:
        why = f"a worker cannot use module '{path}': FileNotFoundError: there is no file '{path}'"
        assert run.stderr.splitlines()[-1].endswith(f"{why} (0 of 2 tasks are in runs.db)")
    else:
        assert run.returncode == 0, run.stderr
        assert run.stdout.count(path) == 2, run.stdout
