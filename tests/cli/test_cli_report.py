"""``isoloss report``, and results that are written as a page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from isoloss.files import load
from isoloss.runs import read

Shell = Callable[..., Result]


def test_a_report_of_saved_results_and_laws(saved_fit: Path, shell: Shell) -> None:
    done = shell("report", saved_fit, "chinchilla", "-o", "page.html")
    assert done.exit_code == 0, done.output
    html = Path("page.html").read_text(encoding="utf-8")
    assert load(saved_fit).facts.hash in html
    assert "chinchilla: " in html
    again = shell("report", saved_fit, "-o", "page.html")
    assert again.exit_code == 1
    assert "--force" in again.output


PLAN = ("plan", "kumar2024", "--train", "1e18flop", "--hardware", "linear-bits", "--draws", 5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*PLAN, "--precision", "bf16,w6 a6 kv6"), "What each law alone would do"),
        (("disagree", "--params", "7B", "--tokens", "2T"), "What 4 bits cost"),
    ],
)
def test_a_result_is_written_as_a_page_by_its_ending(
    words: tuple[object, ...], said: str, shell: Shell
) -> None:
    done = shell(*words, "-o", "page.html")
    assert done.exit_code == 0, done.output
    assert said in Path("page.html").read_text(encoding="utf-8")


def test_gaps_are_written_as_a_page(table: Path, shell: Shell) -> None:
    done = shell("gaps", table, "-o", "gaps.html")
    assert done.exit_code == 0, done.output
    assert "What a precision costs in training" in Path("gaps.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["page.pdf", "page"])
def test_another_ending_is_refused_before_the_work(name: str, shell: Shell) -> None:
    done = shell("report", "nothing.json", "-o", name)
    assert done.exit_code == 1
    assert ".html" in done.output


def test_a_result_given_twice_is_refused(shell: Shell) -> None:
    done = shell("report", "kumar2024", "kumar2024", "-o", "laws.html")
    assert done.exit_code == 1
    assert "kumar2024 is given twice; name each result once" in done.stderr
    assert not Path("laws.html").exists()


def test_a_password_of_a_tracker_is_on_no_page(
    shell: Shell, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = read(table)
    monkeypatch.setattr("isoloss.cli.verbs.report_verb.named_thing", lambda *_: runs)
    done = shell("report", "mlflow:http://ann:hunter2@host#exp", "-o", "page.html")
    assert done.exit_code == 0, done.output
    html = Path("page.html").read_text(encoding="utf-8")
    assert "//...@host" in html
    assert "hunter2" not in html
