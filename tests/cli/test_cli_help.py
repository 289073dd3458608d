"""Help that teaches, a page that is current, and a start that loads nothing heavy."""

import dataclasses
import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import isoloss as il
from isoloss.cli.arguments import FIGURES, READ, TABLES, TRACKERS
from isoloss.cli.entry import VERBS, Verb
from isoloss.cli.manual.examples import FIRST
from isoloss.cli.manual.signature import spread
from isoloss.cli.page import page

ROOT = Path(__file__).parents[2]
NAMES = [verb.name for verb in VERBS]
LINES = [each.line for examples in (FIRST, *(v.examples for v in VERBS)) for each in examples]


def test_version(shell) -> None:
    result = shell("--version")
    assert (result.exit_code, result.stdout) == (0, f"isoloss {il.__version__}\n")


def test_the_page_of_commands_is_current() -> None:
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m isoloss.cli.page > docs/commands.md"


def test_every_verb_of_the_issue_is_a_command_with_an_example(shell) -> None:
    words = (
        "runs laws formats simulate train quantise fit compare gaps predict plan disagree "
        "next-runs pays forecast score arena plot"
    )
    assert [name for name in words.split() if name not in NAMES] == []
    assert [verb.name for verb in VERBS if not verb.examples] == []
    for name in NAMES:
        *above, word = name.split()
        assert re.search(rf"│ {word} ", shell(*above, "--help").stdout), name


@pytest.mark.parametrize("verb", VERBS, ids=NAMES)
def test_help_shows_examples_and_defaults(
    verb: Verb, shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = shell(*verb.name.split(), "--help").stdout
    assert [example.line for example in verb.examples if f"$ {example.line}" not in text] == []
    assert ("[default: 0.9]" in text) == (
        verb.name
        in (
            "train",
            "fit",
            "compare",
            "gaps",
            "gauge",
            "plan",
            "next-runs",
            "pays",
            "theory sketches",
        )
    )


@pytest.mark.parametrize("verb", VERBS, ids=NAMES)
def test_every_option_is_explained(verb) -> None:
    options = [
        get_args(each.annotation)[1]
        for each in inspect.signature(spread(verb.run)).parameters.values()
    ]
    assert [option for option in options if not (option.help or "").endswith((".", "law."))] == []


def test_lists_in_a_help_are_those_of_the_rooms(shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    kinds = il.plots.kinds()
    assert f"of Plan: {', '.join(kinds['Plan'])}" in shell("plot", "--help").stdout
    for verb in ("plan", "next-runs", "disagree"):
        assert ", ".join(il.plans.MACHINES) in shell(verb, "--help").stdout
    assert tuple(il.plots.SUFFIXES) == FIGURES
    assert set(TABLES) < set(READ)
    assert {*TRACKERS} == {f"{name}:{each.form}" for name, each in il.runs.SOURCES.items()}


def test_help_lists_a_machine_and_a_law_of_ones_own_and_the_page_leaves_them_out(
    shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "2000")
    il.plans.register_machine(il.plans.Hardware("own-chip", peaks={"bf16": 1e14}))
    il.laws.register(dataclasses.replace(il.laws.preset("chinchilla"), name="own_law"))
    try:
        for verb in ("plan", "disagree", "next-runs"):
            assert "linear-bits, memory-bits, own-chip." in shell(verb, "--help").stdout
        for verb in ("fit", "compare", "train"):
            text = shell(verb, "--help").stdout
            assert [name for name in il.laws.LAWS if name not in text] == []
        assert "own-chip" not in page()
        assert "own_law" not in page()
    finally:
        il.plans.MACHINES.remove("own-chip")
        il.laws.LAWS.remove("own_law")


@pytest.mark.parametrize("line", LINES)
def test_an_example_uses_options_that_exist(line: str, shell) -> None:
    assert shell(*shlex.split(line)[1:], "--help").exit_code == 0


@pytest.mark.parametrize(
    ("words", "lists"),
    [
        (["--help"], set()),
        (["--version"], set()),
        (["gaps", "--help"], set()),
        (["fit", "--help"], {"numpy"}),  # it lists the laws
        (["nonsense"], set()),
    ],
)
def test_help_loads_nothing_heavy(words: list[str], lists: set[str]) -> None:
    code = (
        "import sys\nfrom isoloss.cli import main\n"
        f"sys.argv = ['isoloss', *{words}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('loaded', *{name.partition('.')[0] for name in sys.modules})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    loaded = set(run.stdout.rpartition("loaded ")[2].split())
    assert "typer" in loaded
    assert loaded & {"torch", "matplotlib", "numba", "scipy", "polars", "numpy", "pandas"} == lists


def test_the_module_runs_as_the_script_does() -> None:
    command = [sys.executable, "-m", "isoloss.cli", "laws", "kumar2034"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("error: unknown law 'kumar2034'")
    assert run.stderr.count("\n") == 1
