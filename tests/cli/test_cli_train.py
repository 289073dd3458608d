"""``isoloss train``: what it prints, keeps and draws, that it goes on, and what it refuses."""

import json
from pathlib import Path

import polars as pl
import pytest

import isoloss as il

LINE = (
    "train",
    "--params",
    "4k,8k",
    "--tokens",
    "8k,16k",
    "--precision",
    "fp,w3",
    "--seeds",
    "2",
    "--sequences",
    "4",
)
FITS = ("--law", "chinchilla", "--plot", "fit.svg", "--force")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("train")


def test_a_sweep_ends_in_a_table_a_fit_and_a_figure(
    folder: Path, shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    result = shell(*LINE, "--post", "w3,w4", "--store", "runs.db", "-o", "runs.parquet", *FITS)
    assert result.exit_code == 0, result.stderr
    frame = pl.read_parquet("runs.parquet")
    assert len(frame) == 2 * 2 * 2 * 2 * 3
    assert frame["parent"].null_count() == 16
    assert "Usable runs by precision" in result.stdout
    assert "chinchilla" in result.stdout
    assert Path("fit.svg").read_text().startswith("<?xml")


def test_the_same_line_again_does_nothing(
    folder: Path, shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    result = shell(*LINE, "--post", "w3,w4", "--store", "runs.db", "--json")
    assert result.exit_code == 0
    assert "nothing to do: all " in result.stderr
    assert json.loads(result.stdout)["type"] == "runs"
    dry = shell(*LINE, "--post", "w3,w4", "--store", "runs.db", "--dry-run")
    assert dry.stdout.startswith("grid of 16 cells (2 x 2 x 2 x 2)")
    assert "nothing to do: all 48 rows of 16 tasks are in runs.db" in dry.stdout
    more = shell(*LINE, "--post", "w3,w4,w6", "--store", "runs.db", "--dry-run")
    assert "64, 48 there" in more.stdout


def test_where_rows_are_missing_the_exit_code_says_so(
    shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = il.train
    monkeypatch.setattr(
        il, "train", lambda grid, **how: train(dict(grid.axes) | {"seed": 0}, **how)
    )
    result = shell(
        "train",
        "--params",
        "4k",
        "--tokens",
        "8k",
        "--sequences",
        "4",
        "--seeds",
        "2",
        "--workers",
        "1",
    )
    assert result.exit_code == 1
    assert "Usable runs by precision" in result.stdout  # what is there is shown


def test_a_cell_is_trained_from_the_command_line(shell) -> None:
    line = (
        "train",
        "--params",
        "4k",
        "--tokens",
        "8k",
        "--sequences",
        "4",
        "--precision",
        "fp,w3",
        "--cells",
    )
    assert shell(*line, "--dtype", "bfloat16", "--workers", "1").exit_code == 0
    assert "nothing to do: all 2 rows of 1 task" in shell(*line, "--dtype", "bfloat16").stderr
    assert "has learned steps" in shell(*line[:-2], "fp,w3@lsq", "--cells").stderr
    absent = shell(*line, "--device", "tpu9")
    assert (
        absent.exit_code,
        absent.stderr.startswith("error: cannot train on device 'tpu9': "),
    ) == (1, True)


def test_a_run_on_one_rank_is_trained_from_the_command_line(shell) -> None:
    line = ("train", "--params", "4k", "--tokens", "8k", "--sequences", "4", "--precision", "w3 a3")
    ranks = (*line, "--parallel", "fsdp", "--store", "ranks.db")
    result = shell(*ranks, "--micro-batches", "2", "-o", "ranks.csv")
    assert result.exit_code == 0, result.stderr
    row = pl.read_csv("ranks.csv").row(0, named=True)
    assert (row["parallel"], row["micro_batches"], row["ranks"]) == ("fsdp", 2, 1)
    assert "1 row of 1 task" in shell(*ranks, "--micro-batches", "2", "--dry-run").stdout
    assert "give --parallel ddp" in shell(*line, "--micro-batches", "2").stderr
    assert "or train with --parallel ddp" in shell(*ranks, "--post", "w3").stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--tokens", "1k", "--tokens-per-param", "20"), 2,
         "give one of --tokens and --tokens-per-param"),
        ((), 2, "give one of --tokens and --tokens-per-param"),
        (("--tokens", "1k", "--tokenizer", "bytes"), 1,
         "error: --tokenizer is of a text, which the synthetic language is not; name one with "
         "--corpus\n"),
        (("--tokens", "1k", "--precision", "w4 l8"), 1,
         "error: the model has no part 'l' ('w4 l8'); it has w a kv k v q g\n"),
        (("--tokens", "1k", "--schedule", "linear"), 1,
         "error: unknown schedule 'linear'; accepted are cosine, wsd, constant\n"),
        (("--tokens", "1k", "--post", "w3@omni"), 1,
         "error: unknown method after training 'omni'; accepted are awq, gptq, gptq_sequential, "
         "hqq, rtn, smoothquant, and your own with --use or il.use (in 'fp -> w3@omni')\n"),
        (("--tokens", "1k", "--corpus", "nowhere.txt"), 1,
         "error: there is no file or folder nowhere.txt; give one, or hub:NAME"),
        (("--tokens", "1k", "--law", "kumar2042"), 1,
         "error: unknown law 'kumar2042'; did you mean 'kumar2024'"),
        (("--tokens", "10"), 1,
         "error: 10 tokens are less than half a batch of 1024; ask for more\n"),
        (("--tokens", "1k", "--store", "absent/runs.db"), 1, "error: "),
        (("--tokens", "1k", "--store", "runs.txt"), 1,
         "error: cannot keep runs in 'runs.txt': accepted endings are .db, .sqlite\n"),
    ],
)  # fmt: skip
def test_what_is_refused(
    words: tuple[str, ...],
    code: int,
    message: str,
    shell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = shell("train", "--params", "4k", *words)
    assert result.exit_code == code
    assert message in result.stderr.replace("│\n│ ", "")
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
