"""``isoloss quantise``: a kept model to rows on the terminal, in a file and as JSON, and what it
refuses.
"""

import json
import re
from pathlib import Path
from typing import get_type_hints

import pytest

import isoloss as il
from isoloss.cli.verbs.quantise_verb import quantise
from isoloss.lm.after.post_method import METHODS
from isoloss.lm.training.checkpoints import save_model


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    recipe = il.lm.Recipe(compiled=False, validation=32)
    for seed in (0, 1):
        done = il.lm.train_one(il.lm.model_of("4k"), "5k", recipe=recipe, seed=seed)
        save_model(folder / f"{seed}.safetensors", done.model, done.job, done.run)
    return folder


def test_a_model_is_quantised_printed_and_kept(shell, models: Path, tmp_path: Path) -> None:
    words = [
        "quantise",
        models / "0.safetensors",
        "--post",
        "w3,w3@gptq",
        "--calibration",
        32,
        "-o",
        "rows.csv",
    ]
    result = shell(*words)
    assert result.exit_code == 0, result.output
    head = result.stdout.splitlines()[2].split()
    assert head == ["precision", "loss", "gap", "KL"]
    rows = il.read(tmp_path / "rows.csv")
    assert list(rows["precision"]) == ["fp -> w3", "fp -> w3@gptq"]
    assert f"{rows['loss'][1]:.4f}" in result.stdout
    assert "saved 2 rows as rows.csv" in result.stderr
    assert "would be overwritten" in shell(*words).stderr or "--force" in shell(*words).stderr


def test_moments_are_kept_for_another_call(
    shell, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (
        "quantise",
        models / "0.safetensors",
        "--post",
        "w3@gptq",
        "--moments",
        "kept",
        "--json",
    )
    first = shell(*words)
    assert first.exit_code == 0, first.output
    assert list((tmp_path / "kept").rglob("*.safetensors"))
    monkeypatch.setattr("isoloss.lm.after.seen.calibrating.logits_of", None)  # no pass
    rows, again = (json.loads(each.stdout)["runs"][0] for each in (first, shell(*words)))
    assert rows | {"cost": 0} == again | {"cost": 0}
    (tmp_path / "file").write_text("")
    refused = shell(*words[:-2], "file")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "error: 'file' is a file; moments are kept in a folder\n",
    )


def test_a_folder_is_quantised_model_by_model(shell, models: Path) -> None:
    found = json.loads(shell("quantise", models, "--post", "w2,w8", "--json").stdout)
    assert [(row["seed"], row["precision"]) for row in found["runs"]] == [
        (0, "fp -> w2"), (0, "fp -> w8"), (1, "fp -> w2"), (1, "fp -> w8"),
    ]  # fmt: skip
    assert all(row["gap_se"] > 0 for row in found["runs"])
    assert shell("quantise", models, "--post", "w2").stdout.splitlines()[2].split()[:3] == [
        "params",
        "tokens",
        "seed",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("{}", "--post", "w4@omni"),
         "unknown method after training 'omni'; accepted are awq, gptq, gptq_sequential, hqq, "
            "rtn, smoothquant, and your own with --use or il.use (in 'fp -> w4@omni')"),
        (("{}", "--post", "g4"), "serving has no part 'g'"),
        (("{}", "--post", "w8 -> w4"), "has an arrow"),
        (("nothing", "--post", "w4"),
         "say what to measure it on and how many tokens it was trained on: --corpus texts/ and "
         "--trained-on 2T"),
        (("none.safetensors", "--post", "w4"), "cannot read the checkpoint none.safetensors"),
        (("{}", "--post", "w4", "--corpus", "none.txt"), "there is no file or folder none.txt"),
    ],
)  # fmt: skip
def test_what_quantise_refuses(shell, models: Path, words: tuple[str, ...], message: str) -> None:
    result = shell("quantise", *(word.format(models / "0.safetensors") for word in words))
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_settings_of_a_text_need_the_text(shell, models: Path) -> None:
    result = shell("quantise", models, "--post", "w4", "--context", "32")
    assert result.exit_code == 2
    assert "name the text with --corpus" in result.stderr


def test_a_rotated_model_is_said_on_the_terminal_and_in_the_rows(shell, models: Path) -> None:
    words = ("quantise", models / "0.safetensors", "--post", "w3", "--rotate")
    assert "the residual stream is rotated first" in shell(*words).stdout
    (row,) = json.loads(shell(*words, "--json").stdout)["runs"]
    assert (row["rotated"], row["method"]) == (True, "rtn, rotated")


def test_the_help_names_every_method() -> None:
    text = get_type_hints(quantise, include_extras=True)["post"].__metadata__[0].help
    shipped = [name for name in METHODS if METHODS.is_shipped(METHODS.home(name))]
    assert {f"@{name}" for name in shipped} == set(re.findall(r"@\w+", text))


def test_settings_of_a_text_are_not_those_of_a_model_with_its_own(shell) -> None:
    for option, value in (("--context", "64"), ("--tokenizer", "bytes")):
        result = shell("quantise", "owner/name", "--post", "w4", "--corpus", "t", option, value)
        assert result.exit_code == 2
        said = " ".join(result.stderr.replace("│", " ").split())
        assert "has its own tokens, in windows of 256" in said
