"""``isoloss pays``: the report, JSON, files and a figure."""

import json
from pathlib import Path

import pytest

RATES = "recipe,ratio\nw4,1.3\nw8,1.1\n"


@pytest.fixture
def rates(tmp_path: Path) -> Path:
    path = tmp_path / "rates.csv"
    path.write_text(RATES, encoding="utf-8")
    return path


def test_a_table_with_rates(shell, table: Path, rates: Path, tmp_path: Path) -> None:
    saved, drawn = tmp_path / "pays.json", tmp_path / "pays.svg"
    words = ("pays", table, "--rates", rates, "--params", "1e8", "--noise", "0.02")
    result = shell(*words, "-o", saved, "--plot", drawn)
    assert result.exit_code == 0, result.output
    assert "At equal hours" in result.stdout
    assert "0.02 nats, assumed" in result.stdout
    assert drawn.read_text().startswith("<?xml")
    assert json.loads(saved.read_text())["type"] == "payoffs"
    said = json.loads(shell(*words, "--json").stdout)
    assert [each["recipe"] for each in said["payoffs"]] == ["w8", "w4"]
    assert {each["verdict"] for each in said["payoffs"]} <= {"pays", "does not pay", "undecided"}
    again = shell("plot", saved, "-o", tmp_path / "again.svg")
    assert again.exit_code == 0
    assert (tmp_path / "again.svg").read_bytes() == drawn.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "error: recipes were run at 20M, 50M, 100M, 200M params; give one of these"),
        (("--params", "1e8", "--law", "nolaw"), "error: unknown law 'nolaw'"),
        (("--params", "1e8", "--at", "soon"), "error: at is 'soon': cannot read"),
        (("--plot", "x.txt"), "error: cannot write 'x.txt': accepted endings are .svg"),
    ],
)
def test_what_is_refused(words: tuple[str, ...], message: str, shell, table, rates) -> None:
    result = shell("pays", table, "--rates", rates, *words)
    assert result.exit_code == 1
    assert result.stderr.startswith(message), result.stderr
