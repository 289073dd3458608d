"""``isoloss gaps``: the report, JSON and figure, and tables that hold no pairs."""

import json
from pathlib import Path

import pytest


def test_gaps_of_a_table(shell, tmp_path: Path) -> None:
    drawn = tmp_path / "gaps.svg"
    result = shell("gaps", "simulated2024", "--where", "precision=bf16,w3,w4", "--plot", drawn)
    assert result.exit_code == 0
    assert "What a precision costs in training" in result.stdout
    assert "Cell by cell" in result.stdout
    assert drawn.read_text().startswith("<?xml")
    said = json.loads(
        shell("gaps", "simulated2024", "--where", "precision=bf16,w3", "--json").stdout
    )
    assert said["type"] == "gaps"
    (only,) = said["precisions"]
    assert (only["precision"], only["cells"], only["pairs"]) == ("w3", 18, 18)
    assert only["error"] is None
    assert len(said["cells"]) == 18


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--where", "precision=w3,w4"),
         "error: no run has a partner at full precision or bf16 that shares its params"),
        (("--plot", "gaps.txt"),
         "error: cannot write 'gaps.txt': accepted endings are .svg, .png, .pdf\n"),
    ],
)  # fmt: skip
def test_what_is_refused(words: tuple[str, ...], message: str, shell) -> None:
    result = shell("gaps", "simulated2024", *words)
    assert result.exit_code == 1
    assert result.stderr.startswith(message)
