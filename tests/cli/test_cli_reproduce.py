"""``isoloss reproduce``: one claim, rows of the list, pages, figures, and what it refuses."""

import json
from pathlib import Path

import pytest

import isoloss as il

ONE = ("reproduce", "kumar2024", "figure 6 left")


def test_without_words_it_says_what_there_is_and_how_to_ask(shell) -> None:
    text = shell("reproduce").stdout
    assert [name for name in il.papers.papers() if name not in text] == []
    assert "isoloss reproduce --all -o report" in text
    assert "kumar2024" in json.loads(shell("reproduce", "--json").stdout)["papers"]


def test_one_claim_has_its_figures_its_verdict_and_its_command(shell) -> None:
    result = shell(*ONE)
    assert result.exit_code == 0
    assert result.stdout.startswith("kumar2024, figure 6 left: holds\n")
    assert "INT4 3.171 3.1705 to 3.1715 3.17097" in " ".join(result.stdout.split())
    assert 'isoloss reproduce kumar2024 "figure 6 left"' in result.stdout


def test_json_has_every_figure_with_its_range(shell) -> None:
    said = json.loads(shell(*ONE, "--json").stdout)
    (only,) = said["claims"]
    assert (only["verdict"], said["seed"], said["shares"]["holds"]) == ("holds", 0, 1.0)
    assert only["figures"][0]["theirs"] == 3.171
    assert set(said["versions"]) >= {"isoloss", "numpy", "scipy", "python"}


def test_claims_are_listed_by_paper_and_by_row(shell) -> None:
    assert "figure 6 left" in shell("reproduce", "kumar2024", "--list").stdout
    listed = json.loads(shell("reproduce", "K6", "--list", "--json").stdout)["claims"]
    assert {"figure 6 left"} <= {each["name"] for each in listed}
    assert all("K6" in each["rows"] for each in listed)


def test_a_claim_is_drawn_and_written_as_a_page(shell, tmp_path: Path) -> None:
    result = shell(*ONE, "-o", "report", "--plot", "claim.svg")
    assert result.stderr == "wrote report/index.html\ndrew claim.svg\n"
    assert (tmp_path / "claim.svg").read_text().startswith("<?xml")
    assert "figure 6 left" in (tmp_path / "report" / "index.html").read_text()
    again = shell(*ONE, "-o", "report")
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr == (
        "error: 'report/index.html' exists; give another name or --force to replace it\n"
    )
    assert shell(*ONE, "-o", "report", "--force").exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("kumar2025",), "no paper is called 'kumar2025'; did you mean 'kumar2024'"),
        (("kumar2024", "figure 6"), "no claim of kumar2024 is called 'figure 6'; those that"),
        (("kumar2024", "--all"), "--all is every claim; give it without 'kumar2024'\n"),
        (("-o", "x"), "-o without a claim would do nothing; name a paper, a row or a claim, or"),
        (("--plot", "x.svg", "--seed", 3), "--plot and --seed without a claim would do nothing"),
        (("K6", "--list", "-o", "x"), "--list computes nothing, so -o would do nothing; leave one"),
        (("",), "a paper or claim is ''; 'isoloss reproduce --list' has every one"),
        (("K6", "-o", ""), "-o is ''; accepted is the name of a file or folder"),
        (("K6", "--plot="), "--plot is ''; accepted is the name of a file or folder"),
        (("K99",), "no claim answers a row 'K99'; the nearest of K1 to K8 are K6, K7, K8;"),
        (("--all", "--plot", "x.svg"), "--plot draws one claim; name one, or give -o for a page"),
        ((*ONE[1:], "-o", "x.txt"), "cannot write 'x.txt': accepted are .html, .htm, or a folder"),
        ((*ONE[1:], "-o", "no/x"), "cannot write 'no/x': there is no folder 'no'"),
    ],
)  # fmt: skip
def test_what_is_refused(words: tuple[str, ...], message: str, shell) -> None:
    result = shell("reproduce", *words)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {message}")


def test_rows_are_understood_together_and_in_any_case(shell) -> None:
    listed = json.loads(shell("reproduce", "q5", "F6", "--list", "--json").stdout)["claims"]
    assert all({"Q5", "F6"} & set(each["rows"]) for each in listed)
    assert {row for each in listed for row in each["rows"]} >= {"Q5", "F6"}
