"""Folders of tasks: a key is a plain name, and only folders that a sweep made are removed."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isoloss.runs import Run, StoreError, Task, sweep
from isoloss.runs.sweeps.folders import folder_of, make_folder, remove_folder


@pytest.mark.parametrize(
    "key", ["", ".", "..", "/abs", "a/b", "..\\a", "a\0b", "a" * 300, "nul", 3]
)
def test_a_key_that_is_no_name_is_refused_before_any_work(key, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"the task key .* cannot name a file") as caught:
        Task(key, ("row",), print, "label")
    assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match=r"the task key .* cannot name a file"):
        remove_folder(tmp_path / "runs.db", key)
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_stood_there_before_is_kept(tmp_path: Path) -> None:
    def work(watch) -> None:
        (watch.folder / "checkpoint").write_text("x")
        watch.add(Run(1e6, 2e7, "w4", 3.0, key=min(watch.missing)))

    store = tmp_path / "runs.db"
    mine = folder_of(store, "mine") / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    tasks = [Task(key, (f"row-{key}",), work, key) for key in ("mine", "ours")]
    with ThreadPoolExecutor(1) as pool:
        assert sweep(tasks, store, executor=pool, show=False).done == 2
    assert mine.read_text() == "mine"
    assert [each.name for each in folder_of(store, "ours").parent.iterdir()] == ["mine"]


def test_a_link_in_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    store, other = tmp_path / "runs.db", tmp_path / "other.db"
    there = make_folder(other, "task")
    link = folder_of(store, "task")
    link.parent.mkdir()
    link.symlink_to(there)
    remove_folder(store, "task")
    assert there.is_dir()
    remove_folder(other, "task")
    assert not there.exists()


def resuming(watch) -> None:
    """Work that fails after its first half, of which it leaves a checkpoint."""
    state = watch.folder / "state"
    if not state.exists():
        state.write_text("half")
        raise ValueError("the lights went out")
    watch.add(Run(1e6, 2e7, "w4", 3.0, key=min(watch.missing)))


@pytest.mark.parametrize("moved", [False, True], ids=["begun by its name", "moved since"])
def test_a_store_behind_a_link_keeps_its_checkpoints(tmp_path: Path, moved: bool) -> None:
    """Begun by one path and resumed by another, the work goes on from where it was."""
    (tmp_path / "disk").mkdir()
    there, link = tmp_path / "disk" / "big.db", tmp_path / "runs.db"
    first = link if moved else there
    tasks = [Task("t", ("row",), resuming, "t")]
    with ThreadPoolExecutor(1) as pool:
        assert sweep(tasks, first, executor=pool, show=False).failures
        if moved:
            link.rename(there)
        link.symlink_to(there)
        found = sweep(tasks, link, executor=pool, show=False)
    assert (found.done, found.failures) == (1, ())
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["disk", "disk/big.db", "runs.db"]
