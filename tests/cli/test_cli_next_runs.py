"""``isoloss next-runs``: its report, its table, its JSON, and one sentence for each question
without an answer.
"""

import json
from pathlib import Path

import pytest

ASK = (
    "--train",
    "1e20flop",
    "--hardware",
    "h100",
    "--target",
    "1e22flop",
    "--target-precision",
    "bf16",
)


def test_the_report_says_what_to_train_and_what_it_brings(shell, saved_fit: Path) -> None:
    text = shell("next-runs", saved_fit, *ASK).stdout
    assert "to learn: the params of a plan for 1e+22 FLOPs (bf16) of compute in 'bf16'" in text
    assert "expected after these" in text
    assert "after a regular grid of" in text
    assert "What to train" in text


def test_json_and_the_table_hold_the_same_runs(shell, saved_fit: Path, tmp_path: Path) -> None:
    ends = ("--params", "20M,400M", "--tokens", "1B,20B", "--max-runs", 6, "--max-seeds", 2)
    result = shell("next-runs", saved_fit, *ASK, *ends, "--json", "-o", "runs.csv")
    found = json.loads(result.stdout)
    assert found["type"] == "next_runs"
    assert found["width"]["after"] < found["width"]["now"]
    assert sum(r["seeds"] for r in found["runs"]) == 6
    assert all(2e7 <= r["params"] <= 4e8 and 1e9 <= r["tokens"] <= 2e10 for r in found["runs"])
    lines = (tmp_path / "runs.csv").read_text().splitlines()
    assert lines[0] == "params,tokens,precision,seed,flops"
    assert len(lines) == 7
    assert result.stderr == "wrote runs.csv\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--train", "1e12", "--hardware", "h100", "--target", "1e22"),
         "1e+12 FLOPs pay for no run: the cheapest"),
        (("--hardware", "h100", "--target", "1e22"), "the budget pays for no run; give train"),
        (("--hours", "3h", "--hardware", "h100", "--target", "1e22"),
         "hours need the number of devices"),
        (("--train", "1e20", "--hardware", "h100", "--target", "a lot"),
         "cannot read 'a lot' as train"),
        ((*ASK, "--precision", "w5"), "w5"),
        ((*ASK, "-o", "runs.doc"), "cannot write 'runs.doc'"),
    ],
)  # fmt: skip
def test_a_question_without_an_answer_is_one_sentence(words, said, shell, saved_fit: Path) -> None:
    result = shell("next-runs", saved_fit, *words)
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_only_a_fit_has_next_runs(shell, saved_comparison: Path) -> None:
    result = shell("next-runs", saved_comparison, *ASK)
    assert result.exit_code == 1
    assert "holds a comparison; next runs are chosen for one fit" in result.stderr


def test_a_range_has_two_ends(shell, saved_fit: Path) -> None:
    result = shell("next-runs", saved_fit, *ASK, "--params", "1M")
    assert result.exit_code == 2
    assert "'1M' has 1 values; give least and most" in result.stderr


def test_before_the_first_run_a_question_is_asked_of_published_laws(shell, tmp_path: Path) -> None:
    asked = ("--question", "exponent of w4/64 a4/64", "--train", "1e19flop", "--hardware", "h100")
    result = shell("next-runs", "chen2025", *asked, "--max-runs", 20, "-o", "first.csv", "--json")
    found = json.loads(result.stdout)
    assert found["type"] == "first_runs"
    assert sum(r["seeds"] for r in found["runs"]) <= 20
    assert len((tmp_path / "first.csv").read_text().splitlines()) - 1 == sum(
        r["seeds"] for r in found["runs"]
    )
    text = shell("next-runs", "chen2025", *asked).stdout
    assert "to learn: the sign of the token exponent" in text
    assert "Other designs of the same cost" in text


def test_a_target_or_a_question_is_needed(shell) -> None:
    result = shell("next-runs", "published", "--train", "1e19flop", "--hardware", "h100")
    assert "--target is missing" in result.stderr


def test_near_enough_and_the_machine_may_be_told(shell) -> None:
    asked = ("--question", "params", "--within", 1.5, "--target", "1e21flop")
    text = shell("next-runs", "epoch2024", *asked, "--train", "8 h100 for 3 hours").stdout
    assert "where a factor of 1.5 is asked" in text
    assert "hardware: h100" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("published", "--question", "exponent of w4", "--target", "1e22", "--hardware", "h100"),
         "an exponent is asked for at no compute"),
        (("published", "--question", "params", "--target", "1e22"), "hardware is None"),
        (("chen2025", "--within", 2, "--target", "1e22", "--hardware", "h100"), "--within is how"),
    ],
)  # fmt: skip
def test_options_that_a_question_does_not_use_are_refused(words, said: str, shell) -> None:
    result = shell("next-runs", *words, "--train", "1e19flop")
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
