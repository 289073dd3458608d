"""Workers of a sweep know the modules that their parent was told to use."""

import subprocess
import sys
from pathlib import Path

WORK = """
from isoloss.files import used
from isoloss.runs import Run

def told(watch):
    watch.add(Run(1e6, 2e7, "w4", 3.0, source=" ".join(used()), key=min(watch.missing)))
"""
SCRIPT = """
import isoloss as il
from isoloss.runs import Task, sweep

def main():
    il.use("plugins/own_things.py")
    import own_things
    tasks = [Task(f"t{k}", (f"r{k}",), own_things.told, f"t{k}") for k in range(2)]
    print(sweep(tasks, "runs.db", workers=1, show=False).runs["source"].tolist())

if __name__ == "__main__":
    main()
"""


def test_workers_use_what_their_parent_uses(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "own_things.py").write_text(WORK)
    (tmp_path / "script.py").write_text(SCRIPT)
    run = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count(str(folder / "own_things.py")) == 2, run.stdout
