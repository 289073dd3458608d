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


def test_a_shipped_law_of_gaps_answers_by_name(shell) -> None:
    words = ("--params", "1B", "--tokens", "100B", "--precision", "w:nf4/64 a:e4m3,w:nf4/64")
    text = shell("predict", "error2026", "--gap", *words).stdout
    assert "Gap predicted by error2026" in text
    bound, told = (line.split() for line in text.splitlines() if " fp -> w:nf4" in line[:40])
    assert "least" in bound
    low, high = map(float, told[-2:])
    assert low < float(told[-3]) < high
    assert "has no term for '-> a'" in text
    said = json.loads(shell("predict", "error2026", "--gap", *words, "--json").stdout)
    assert said["points"][0]["standing"] == "at least"
    assert said["points"][0]["low"] is None
    refused = shell("predict", "error2026", *words)
    assert refused.exit_code == 1
    assert "'error2026' gives gaps and not losses; ask with gap=True (--gap)" in refused.stderr


def test_a_shipped_law_of_gaps_is_moved_by_runs(shell, tmp_path: Path) -> None:
    rows = ["bf16,2.31", "bf16 -> w4/128,2.39", "bf16 -> w3/128,2.71", "bf16 -> w:mxfp4,2.4"]
    lines = ["params,tokens,precision,loss", *(f"1.2e9,3e11,{row}" for row in rows)]
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    words = ("fit", "mine.csv", "--law", "error2026", "--target", "gap", "--update")
    text = shell(*words, "-o", "moved.json").stdout
    assert "3 gaps of your runs beside the 474 of the shipped fit" in text
    assert "moved, in sds before" in text
    said = json.loads(shell(*words, "--json").stdout)
    assert said["doubt_of_log_gap"]["after"] < said["doubt_of_log_gap"]["before"]
    asked = ("--gap", "--params", "1.2B", "--tokens", "300B", "--precision", "fp -> w4/128")
    before, after = (
        json.loads(shell("predict", law, *asked, "--json").stdout)["points"][0]["loss"]
        for law in ("error2026", "moved.json")
    )
    assert abs(after - 0.08) < abs(before - 0.08)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--law", "error2026", "--update"), "give --target gap with it"),
        (("--law", "error2026", "--target", "gap", "--update", "--holdout", "largest"),
         "leave out --holdout"),
        (("--law", "kumar2024", "--target", "gap", "--update"), "accepted are error2026"),
    ],
)  # fmt: skip
def test_updates_that_are_refused(words: tuple[str, ...], message: str, shell) -> None:
    result = shell("fit", "simulated2024", *words)
    assert result.exit_code == 1
    assert message in result.stderr


def test_formats_to_serve_in_are_ranked_by_a_shipped_law_of_gaps_and_others(shell) -> None:
    words = ("--params", "7B", "--tokens", "1T", "--serve", "w:nf4/64,w4/128", "--hardware", "h100")
    alone = shell("plan", "error2026", *words).stdout
    assert "'fp -> w:nf4': +0.0" in alone
    beside = shell("plan", "kumar2024,error2026", *words).stdout
    assert "kumar2024  error2026" in beside
    listed = shell("laws").stdout
    assert "gap: delta(-> w)" in listed
    assert "error2026" in shell("disagree", "--params", "7B", "--tokens", "1T").stdout
    refused = shell("plan", "error2026", "--train", "1e20flop", "--hardware", "h100")
    assert refused.exit_code == 1
    assert "it ranks formats to serve in (plan --serve)" in refused.stderr


def test_a_result_never_replaces_the_table_that_it_is_made_of(shell, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("params,tokens,precision,seed,loss\n1e6,1e7,fp,0,3\n1e6,1e7,w4,0,3.1\n")
    before = table.read_bytes()
    result = shell("gaps", str(table), "-o", str(table), "--force")
    assert result.exit_code == 1
    assert "mine.csv is what is read here; give the result another name" in result.stderr
    assert table.read_bytes() == before
