"""What is too much, not there or interrupted ends in one sentence; what a terminal would obey is
shown.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import isoloss as il
from isoloss.__main__ import Keyboard
from isoloss.cli.output import show_json
from isoloss.cli.refusing import extra_of, in_one_sentence, sentence
from isoloss.runs.sweeps.progress import Progress

SRC = Path(il.__file__).parents[1]
ESCAPES = "a\x1b]0;x\x07\x1b[31m\u202eb\x9bc"
WRITTEN = "a\\x1b]0;x\\x07\\x1b[31m\\u202eb\\x9bc"

BEYOND = {
    "overflow": (OverflowError("math range error"), "a number is out of the range of computing"),
    "division": (ZeroDivisionError("division by zero"), "(division by zero); check the sizes"),
    "recursion": (RecursionError("maximum depth"), "what was given is nested too deep"),
    "memory": (MemoryError(), "memory is full; ask for less at once"),
    "memory of an array": (
        MemoryError("Unable to allocate 8.0 TiB"),
        "memory is full (Unable to allocate 8.0 TiB); ask for less",
    ),
    "extra": (
        ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"),
        "this needs the package torch, which cannot be loaded; pip install 'isoloss[lm]'",
    ),
    "package": (
        ModuleNotFoundError("No module named 'yaml'", name="yaml"),
        "this needs the package yaml, which cannot be loaded; pip install yaml",
    ),
    "said by a room": (
        ModuleNotFoundError("sampling needs numba; pip install 'isoloss[sample]'"),
        "sampling needs numba; pip install 'isoloss[sample]'",
    ),
}


def raising(problem: BaseException) -> None:
    def command() -> None:
        raise problem

    in_one_sentence(command)()


@pytest.mark.parametrize("kind", BEYOND)
def test_what_python_raises_is_one_sentence(kind: str, capsys) -> None:
    problem, said = BEYOND[kind]
    with pytest.raises(Exception, match="1"):
        raising(problem)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert said in line


@pytest.mark.parametrize(
    "defect",
    [
        ModuleNotFoundError("No module named 'isoloss.gone'", name="isoloss.gone"),
        ImportError("cannot import name 'x' from 'numpy'", name="numpy"),
    ],
)
def test_a_module_of_ours_that_is_not_there_is_a_defect(defect: ImportError) -> None:
    with pytest.raises(type(defect)):
        raising(defect)


def test_the_extra_of_a_package() -> None:
    wanted = ("torch", "numba", "transformers", "yaml")
    assert [extra_of(name) for name in wanted] == ["lm", "sample", "hub", None]


@pytest.mark.parametrize("text", ["'" + "x" * 5000 + "' is no file", "no " + "x" * 5000])
def test_a_message_quotes_at_most_200_characters(text: str) -> None:
    said = sentence(text)
    assert said == text.replace("x" * 5000, "x" * 100 + "..." + "x" * 100)


def test_what_stands_between_two_quotations_is_whole() -> None:
    said = f"no columns 'a' and 'b'; the table's are {'c, ' * 100}; say --precision 'w{{bits}}'"
    assert sentence(said) == said


def test_what_a_terminal_would_obey_is_written_out(shell, capsys) -> None:
    rows = f"1e7,1e9,bf16,3.1,{ESCAPES}\n2e7,1e9,{ESCAPES},3.0,mine\n"
    Path("t.csv").write_text(f"params,tokens,precision,loss,source\n{rows}")
    for words in (("runs", "t.csv"), ("runs", "t.csv", "--excluded"), ("runs", "t.csv", "--json"),
                  ("runs", ESCAPES), ("fit", "t.csv", "--law", ESCAPES)):  # fmt: skip
        result = shell(*words)
        assert (result.stdout + result.stderr).replace("\n", "").isprintable(), words
    show_json("runs", {"name": ESCAPES})
    printed = capsys.readouterr().out
    assert printed.replace("\n", "").isprintable()
    assert json.loads(printed)["name"] == ESCAPES
    assert WRITTEN in shell("runs", "t.csv", "--excluded").stdout
    with Progress(True) as progress:
        progress.say(f"{ESCAPES} failed")
    assert capsys.readouterr().err == f"{WRITTEN} failed\n"


def started(*words: str, path: Path = SRC, **more) -> subprocess.Popen[str]:
    """``isoloss`` in a process of its own; path: where modules are looked for first."""
    environment = os.environ | {"PYTHONPATH": f"{path}:{SRC}"}
    return subprocess.Popen(
        [sys.executable, "-m", "isoloss", *words], env=environment, text=True, **more
    )


def test_a_closed_stdout_is_no_success() -> None:
    words = [sys.executable, "-m", "isoloss", "laws"]
    closed = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *words],
        env=os.environ | {"PYTHONPATH": str(SRC)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    said = "error: stdout is closed, so no result can be told; send it to a file\n"
    assert (closed.returncode, closed.stderr) == (1, said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_stdout_is_no_success() -> None:
    with open("/dev/full", "w") as full:
        process = started("laws", stdout=full, stderr=subprocess.PIPE)
        said = process.communicate()[1]
    assert (process.returncode, said) == (1, "error: No space left on device\n")


SLOW = "import time\nprint('begun', flush=True)\ntime.sleep(60)\n"


@pytest.mark.parametrize("when", ["while a module of its user is imported", "before a command is"])
def test_an_interrupt_is_one_sentence(tmp_path: Path, when: str) -> None:
    slow = tmp_path / ("slow.py" if "user" in when else "typer.py")
    slow.write_text(SLOW)
    words = ("--use", str(slow), "laws") if "user" in when else ("laws",)
    process = started(*words, path=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1].strip().splitlines()
    assert said == ["stopped: interrupted; what was finished and saved is whole"]
    assert process.returncode == 130


KEYS = {
    "while the first is being put in order": """
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.raise_signal(signal.SIGINT)
""",
    "where Python raises nothing": """
    class Callback:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)
    Callback()
    threading.Event().wait(30)
    print("not heard")
""",
}


@pytest.mark.parametrize("when", KEYS)
def test_a_second_interrupt_breaks_nothing_off_and_none_is_lost(tmp_path: Path, when: str) -> None:
    code = (
        f"import signal, threading, isoloss.cli, isoloss.__main__ as front\ndef run():{KEYS[when]}"
    )
    code += "isoloss.cli.main = run\nfront.main()\n"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = "stopped: interrupted; what was finished and saved is whole"
    assert (done.stdout, done.stderr.strip(), done.returncode) == ("", said, 130)


def test_the_fifth_interrupt_ends_what_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("os._exit", ended.append)
    keyboard = Keyboard()
    with pytest.raises(KeyboardInterrupt):
        keyboard(signal.SIGINT, None)
    for _ in range(3):
        keyboard(signal.SIGINT, None)
    assert ended == []
    keyboard(signal.SIGINT, None)
    assert ended == [130]
