"""``isoloss forecast`` and ``isoloss score``: frozen, scored, and refused where it was changed."""

import json
from pathlib import Path


def test_frozen_then_scored(shell, saved_fit: Path, table: Path, tmp_path: Path) -> None:
    words = (
        "forecast",
        saved_fit,
        "--params",
        "1e8,2e8",
        "--tokens",
        "5B,10B",
        "--precision",
        "w4,bf16",
    )
    first = shell(*words, "-o", "a.json", "--note", "first")
    assert first.exit_code == 0, first.output
    value = json.loads(Path("a.json").read_text())["value"]["Forecast"]
    assert f"publish its hash elsewhere: {value['hash']}" in first.stderr
    assert value["hash"] in first.stdout
    again = shell(*words, "-o", "a.json")
    sentence = "error: 'a.json' exists and a forecast replaces no file; give another name\n"
    assert (again.exit_code, again.stderr) == (1, sentence)
    nowhere = shell(*words, "-o", "ledger/a.json")
    assert nowhere.stderr == "error: cannot write 'ledger/a.json': there is no folder 'ledger'\n"
    second = shell(*words, "-o", "b.json", "--json")
    assert json.loads(second.stdout)["previous"] == value["hash"]
    told = shell("score", ".", table, "--plot", "score.svg", "-o", "score.out.json")
    assert told.exit_code == 0, told.output
    assert "16 of 16 points were run" in told.stdout
    assert Path("score.svg").read_text().startswith("<?xml")
    said = json.loads(shell("score", "a.json", table, "--json").stdout)
    assert said["type"] == "score"
    assert len(said["forecasts"][0]["points"]) == 8
    assert 0 <= said["coverage"] <= 1
    assert said["distinct"] == 8
    assert said["left_out"] == {}
    folder = json.loads(shell("score", ".", table, "--json").stdout)
    assert (folder["distinct"], len(folder["forecasts"])) == (8, 2)


def test_a_changed_forecast_is_refused(shell, saved_fit: Path, table: Path) -> None:
    shell("forecast", saved_fit, "--params", "1e8", "--tokens", "5B", "--precision", "w4",
          "-o", "a.json")  # fmt: skip
    path = Path("a.json")
    path.write_text(path.read_text().replace('"made": "20', '"made": "19'))
    for asked in ("a.json", "."):
        result = shell("score", asked, table)
        assert result.exit_code == 1
        assert "it was changed after it was frozen" in result.stderr
        assert result.stderr.count("\n") == 1


def test_a_law_alone_is_refused(shell) -> None:
    result = shell("forecast", "chinchilla", "--params", "1B", "--tokens", "5B", "-o", "a.json")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: cannot freeze a forecast of a Law; give a fit")
    assert not Path("a.json").exists()
