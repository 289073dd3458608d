"""``isoloss arena``: laws named by the user, a saved result, and what is refused."""

import json
import os
from pathlib import Path

import pytest


def test_two_laws_on_a_table(shell, table: Path, tmp_path: Path) -> None:
    saved = tmp_path / "arena.json"
    result = shell("arena", table, "--law", "chinchilla,frantar2025", "--protocol", "largest size",
                   "-o", saved, "--plot", tmp_path / "arena.svg", "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["type"] == "arena"
    laws = {each["name"]: each["error"] for each in said["entrants"] if each["kind"] == "law"}
    assert laws["frantar2025"] < laws["chinchilla"]
    assert "largest size: frantar2025" in result.stderr
    assert json.loads(saved.read_text())["type"] == "arena"
    assert (tmp_path / "arena.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("hoffmann2022",), "error: no law can be tried on 'hoffmann2022': its runs are of one"),
        (("quest2025", "--protocol", "x"), "error: unknown protocol 'x'"),
        (("quest2025", "--law", "x"), "error: unknown law 'x'"),
        (
            ("quest2025", "--target", "x"),
            "error: targets is ['x']; give a list of 'loss' and 'gap'",
        ),
        (("quest2025", "--plot", "x.txt"), "error: cannot write 'x.txt': accepted endings"),
    ],
)
def test_what_is_refused(words: tuple[str, ...], message: str, shell) -> None:
    if not os.environ.get("ISOLOSS_DATA"):
        pytest.skip("ISOLOSS_DATA names no folder with the public tables")
    result = shell("arena", *words)
    assert result.exit_code == 1
    assert result.stderr.startswith(message), result.stderr
