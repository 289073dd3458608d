"""One writer: whole or not at all, nothing replaced unless told to, nothing left behind."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isoloss.files import FilesError, check_target, parts, write


def _full(path: Path) -> None:
    path.write_bytes(b"half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@pytest.mark.parametrize("content", [b"new", "new", lambda path: path.write_text("new")])
def test_bytes_text_and_functions_are_written(content, tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", content)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_file_is_kept_unless_told_to(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "old")
    with pytest.raises(FilesError, match=r"a' exists; give another name or force=True \(--force\)"):
        write(path, "new")
    assert path.read_text() == "old"
    assert write(path, "new", force=True).read_text() == "new"


def test_a_file_that_came_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a"

    def slow(part: Path) -> None:
        part.write_text("ours")
        path.write_text("theirs")

    with pytest.raises(FilesError, match="a' exists"):
        write(path, slow)
    assert (path.read_text(), os.listdir(tmp_path)) == ("theirs", ["a"])


@pytest.mark.parametrize("failure", [_full, lambda _: 1 / 0])
def test_a_failed_write_leaves_what_was_there(failure, tmp_path: Path) -> None:
    path = write(tmp_path / "a", "old")
    other = tmp_path / ".isoloss-0.part"
    other.write_text("of another process")
    with pytest.raises((FilesError, ZeroDivisionError)):
        write(path, failure, force=True)
    assert path.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == [other.name, "a"]


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match=r"cannot write '.*a': No space left on device") as caught:
        write(tmp_path / "a", _full)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


FULL = """
import subprocess, sys
from pathlib import Path
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)], check=True)
from isoloss.files import FilesError, write
path = write(folder / "fit.json", "good")
try:
    write(path, bytes(1 << 20), force=True)
except FilesError as error:
    print(error)
print(path.read_text(), [each.name for each in folder.iterdir()])
"""


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    run = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", FULL, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in run.stderr or "mount" in run.stderr:
        pytest.skip("this system lets no user mount a file system")
    reason, rest = run.stdout.splitlines()
    assert "No space left on device" in reason
    assert rest == "good ['fit.json']"


def test_a_link_is_followed_and_rights_stay(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "old")
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    write(link, "new", force=True)
    assert link.is_symlink()
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)


def test_a_device_is_written_through() -> None:
    assert write("/dev/null", "gone", force=True).exists()
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "it is a folder"),
        ("no/such/a.json", "there is no folder"),
        ("a" * 300 + ".json", "cannot write"),
        ("a\0.json", "cannot write"),
        ("a.txt", "accepted endings are .json"),
    ],
)
def test_a_target_that_cannot_be_is_refused_before_any_work(name, message, tmp_path: Path) -> None:
    endings = (".json",) if name else ()
    with pytest.raises(FilesError, match=message) as caught:
        check_target(tmp_path / name, endings=endings)
    assert "\0" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


LEFT = """
import os, signal, sys
from pathlib import Path
from isoloss.files import write
def killed(part):
    part.write_text("half")
    print(part.name, flush=True)
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
write(Path(sys.argv[1]) / "a", killed, force=True)
"""


@pytest.mark.parametrize("fate", ["killed", "alive"])
@pytest.mark.skipif(sys.platform == "win32", reason="no file is locked there")
def test_the_next_write_removes_what_a_killed_one_left_and_nothing_else(
    fate, tmp_path: Path
) -> None:
    write(tmp_path / "a", "old")
    others = {f".isoloss-{'0' * 8}-{'0' * 16}.part", ".isoloss-0.part", "b.part"}
    for name in others:  # of another machine, of an older isoloss, of somebody else
        (tmp_path / name).write_text("theirs")
    words = [sys.executable, "-c", LEFT, str(tmp_path), fate]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        part = writer.stdout.readline().strip()
        if fate == "killed":
            writer.wait()
        assert set(os.listdir(tmp_path)) == {"a", part, *others}
        write(tmp_path / "b", "new")
        left = {part} if fate == "alive" else set()
        assert set(os.listdir(tmp_path)) == {"a", "b", *left, *others}
        writer.communicate()
    assert (tmp_path / "a").read_text() == ("old" if fate == "killed" else "half")


def test_a_file_that_another_process_takes_for_left_over_is_made_anew(
    monkeypatch, tmp_path
) -> None:
    answers = iter((False, True, True))
    monkeypatch.setattr(parts, "_locked", lambda _: next(answers))
    taken = []
    write(tmp_path / "a", lambda part: taken.append(part) or part.write_text("new"))
    assert (tmp_path / "a").read_text() == "new"
    assert len(taken) == 1
