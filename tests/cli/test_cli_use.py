"""Modules of a user's own on the command line, and arguments that nothing can be named."""

import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = """
import matplotlib.figure
from isoloss.laws import Law
from isoloss.plots import Figure, draws

@draws(Law, "name", "what the law is called")
def name_figure(law):
    canvas = matplotlib.figure.Figure()
    canvas.suptitle(law.name)
    return Figure(canvas, "name", "")
"""


def isoloss(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "isoloss.cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["plugin.py", "plugin"])
def test_a_module_is_used_by_the_command(name: str, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    asked = ("plot", "kumar2024", "--kind", "name", "-o", f"{name}.svg")
    refused = isoloss(*asked, folder=tmp_path)
    assert "cannot plot kind 'name' of a Law; kinds are law, factors, gap, loss\n" in refused.stderr
    drawn = isoloss("--use", name, *asked, folder=tmp_path)
    assert (drawn.returncode, drawn.stderr) == (0, f"drew {name}.svg\n")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent", "error: cannot use module 'absent': ModuleNotFoundError: No module named "),
        ("absent.py", "error: cannot use module 'absent.py': FileNotFoundError: there is no file "),
        ("broken.py", "error: cannot use module 'broken.py': ZeroDivisionError: "),
    ],
)
def test_a_module_that_cannot_be_used_is_one_sentence(name: str, said: str, shell) -> None:
    Path("broken.py").write_text("1 / 0\n", encoding="utf-8")
    result = shell("--use", name, "laws")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(said)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs", "quest2025", "-o", "{long}.csv"], "File name too long"),
        (["runs", "quest2025", "-o", "folder.csv", "--force"], "'folder.csv': it is a folder"),
        (["plot", "kumar2024", "-o", "folder.svg", "--force"], "'folder.svg': it is a folder"),
        (["runs", "quest2025", "-o", "no/a\x1b.csv"], r"cannot write 'no/a\x1b.csv'"),
        (["runs", "{long}"], "{long}"),
        (["runs", "a\x1b[31m\nb"], r"a\x1b[31m"),
        (["formats", "int4\x07"], r"int4\x07"),
        (["laws", "kumar\x1b"], r"kumar\x1b"),
        (["predict", "kumar2024", "--params", "1\x1bB", "--tokens", "1B"], r"1\x1bB"),
    ],
)
def test_a_name_that_nothing_can_have_is_one_sentence(words: list[str], said: str, shell) -> None:
    for ending in (".csv", ".svg"):
        Path(f"folder{ending}").mkdir()
    result = shell(*(word.replace("{long}", "a" * 300) for word in words))
    assert (result.exit_code, result.stdout) == (1, "")
    assert said.replace("{long}", "a" * 80) in result.stderr
    assert result.stderr.startswith("error: ")
    assert [each for each in result.stderr[:-1] if not each.isprintable()] == []
