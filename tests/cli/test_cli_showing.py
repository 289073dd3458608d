"""How results and progress look: on a terminal, in a pipe, and as JSON."""

import io
import json
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from isoloss.cli.manual.signature import spread
from isoloss.cli.output.showing import show, show_json
from isoloss.cli.output.spinner import counted, naming, waiting
from isoloss.fits import Section, text

PARTS = [
    Section(
        "Constants",
        ("one line of facts",),
        ("", "value", "meaning"),
        (("eff[w4]", "0.7", "effective over nominal params, w4"), ("A", "4e+02", "size")),
    ),
    Section("Warnings", ("none",)),
]


def terminal(width: int = 60) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_plain_text_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(PARTS)
    assert capsys.readouterr().out == text(PARTS) + "\n"


@pytest.mark.parametrize("width", [30, 40, 80])
def test_tables_keep_within_the_terminal(width: int) -> None:
    console = terminal(width)
    show(PARTS, console)
    lines = printed(console).splitlines()
    assert max(len(line) for line in lines) <= width
    words = " ".join(printed(console).split())
    assert "eff[w4] 0.7 effective" in words
    assert words.endswith("Warnings none")


def test_numbers_are_aligned_on_their_right_end() -> None:
    console = terminal(80)
    show(PARTS, console)
    first, second = (
        line for line in printed(console).splitlines() if "0.7" in line or "4e+02" in line
    )
    assert first.index("0.7") + len("0.7") == second.index("4e+02") + len("4e+02")


def test_json_has_null_for_what_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    show_json(
        "test",
        {
            "a": np.array([1.0, np.nan]),
            "b": float("inf"),
            "c": (np.float64(2), np.int64(3)),
            "d": {1: None},
        },
    )
    out, err = capsys.readouterr()
    assert json.loads(out)["a"] == [1.0, None]
    assert json.loads(out) == {
        "isoloss": json.loads(out)["isoloss"],
        "type": "test",
        "a": [1.0, None],
        "b": None,
        "c": [2.0, 3],
        "d": {"1": None},
    }
    assert err == ""


def test_a_bar_counts_on_a_terminal_and_nowhere_else() -> None:
    console, pipe = terminal(), Console(file=io.StringIO())
    for each in (console, pipe):
        with counted("fitting", 20, each) as tick:
            tick(5)
            tick(15)
        with waiting("reading", each):
            pass
        with naming("reproduce", each) as tell:
            tell(3, 7, "kumar2024 figure 9")
    assert "fitting" in printed(console)
    assert "reproduce kumar2024 figure 9" in printed(console)
    assert "3/7" in printed(console)
    assert "20/20" in printed(console)
    assert "reading" in printed(console)
    assert printed(pipe) == ""


@dataclass(frozen=True)
class Size:
    width: Annotated[int, typer.Option("--width", help="Width.")] = 3
    names: Annotated[list[str] | None, typer.Option("--name", help="Names.")] = None


def measure(
    *,
    thing: Annotated[str, typer.Argument()],
    size: Size,
    loud: Annotated[bool, typer.Option("--loud")] = False,
) -> None:
    """Measure a thing."""
    typer.echo(f"{thing} {size} {loud}")


def test_a_dataclass_of_options_stands_for_its_fields() -> None:
    app = typer.Typer()
    app.command()(spread(measure))
    result = CliRunner().invoke(app, ["box", "--name", "a", "--name", "b", "--loud"])
    assert result.stdout == "box Size(width=3, names=['a', 'b']) True\n"
    assert CliRunner().invoke(app, ["box", "--width", "wide"]).exit_code == 2
    assert spread(measure).__doc__ == "Measure a thing."
