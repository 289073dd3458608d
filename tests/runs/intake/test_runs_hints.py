"""What is proposed for columns that are missing looks like the thing, and changes no meaning."""

from __future__ import annotations

import json
import re

import pandas as pd
import polars as pl
import pytest

from isoloss.runs import NothingUsable, RunsError, read
from isoloss.runs.intake.content.hints import naming
from isoloss.runs.intake.content.words import words_of

GOOD = {"params": [1e8, 4e8], "tokens": [2e9, 1e10], "loss": [3.1, 2.7]}
SIZES, LENGTHS, LOSSES = GOOD.values()


@pytest.mark.parametrize(
    ("wanted", "columns", "said"),
    [
        (
            "params",
            {"trainer.train_params_batch": [8, 8], "parameter_count": SIZES},
            "=parameter_c",
        ),
        ("params", {"trainer.batch": [8.0, 8.0]}, "=NAME"),
        ("params", {"params.tokens": LENGTHS, "params.n_params": SIZES}, "=params.n_params"),
        ("params", {"N": [4, 8]}, "=NAME"),
        ("params", {"N": SIZES}, "=N"),
        ("params", {"model": ["gpt", "opt"], "model_size": ["125M", "1B"]}, "=model_size"),
        (
            "params",
            {"total_params": SIZES, "weight_params": SIZES},
            "params may also be weight_par",
        ),
        ("tokens", {"tokens_per_second": LENGTHS}, "one for all rows is --set tokens=30B"),
        ("tokens", {"d_model": LENGTHS, "throughput/total_tokens": LENGTHS}, "=throughput/total_t"),
        ("tokens", {"tokens (B)": [2.0, 9.0]}, "='tokens (B)*1e9'"),
        ("tokens", {"D": [64, 128]}, "=NAME"),
        ("loss", {"train/loss": LOSSES, "eval/loss": LOSSES}, "=eval/loss"),
        ("loss", {"loss_scale": [65536.0, 65536.0], "val_bpb": LOSSES}, "=val_bpb"),
        ("loss", {"loss_std": LOSSES}, "=NAME"),
        ("loss", {"lossless": LOSSES, "closs": LOSSES}, "=NAME"),
        ("precision", {"bits": [4, 16]}, "--precision 'w{bits}'"),
        ("precision", {"w_bits": [4, 16], "a_bits": [8, 16]}, "--precision 'w{w_bits} a{a_bits}'"),
        ("precision", {"ptq_bits": [4, 3]}, "--precision 'bf16 -> w{ptq_bits}'"),
        (
            "precision",
            {"dtype": ["fp16", "bf16"], "ptq_w_bits": [4, 3], "ptq_a_bits": [8, 8]},
            "--precision '{dtype} -> w{ptq_w_bits} a{ptq_a_bits}'",
        ),
        (
            "precision",
            {"w_bits": [4, 8], "post_training_bits": [4, 3]},
            "--precision 'w{w_bits} -> w{post_training_bits}'",
        ),
        ("precision", {"my dtype": ["bf16", "fp16"]}, "--column precision='my dtype'"),
        ("precision", {"config.dtype": ["bf16", "fp16"]}, "--column precision=config.dtype"),
        ("precision", {"dtype": ["big", "small"]}, "say --precision bf16"),
    ],
)
def test_what_is_proposed(wanted, columns, said):
    assert said in naming([wanted], pl.DataFrame(columns))


def test_bits_after_training_are_read_as_proposed():
    table = pl.DataFrame({**GOOD, "ptq_bits": [4.0, 16.0]})
    with pytest.raises(RunsError) as error:
        read(table)
    runs = read(table, precision=re.search("--precision '(.+)'", str(error.value))[1])
    assert [str(p) for p in runs.precisions] == ["bf16 -> w4", "bf16 -> w:bf16"]


STEPPED = {"step": [1e4, 2e4], "loss": LOSSES}
MADE = {
    "batches": (
        {"params": SIZES, **STEPPED, "batch_size": [128, 128], "seq_len": [1024, 1024]},
        "step*batch_size*seq_len",
    ),
    "tokens of a step": ({"params": SIZES, **STEPPED, "batch_tokens": [2e5, 2e5]}, "batch_tokens"),
    "per param": ({"params": SIZES, "tokens_per_param": [20, 25]}, "params*tokens_per_param"),
    "D/N": ({"N": SIZES, "D/N": [20, 25]}, "N*D/N"),
    "C": ({"N": SIZES, "C": [1.2e18, 2.4e19]}, "C/N/6"),
    "flops": ({"params": SIZES, "flops": [1.2e18, 2.4e19]}, "flops/params/6"),
    "units": ({"params (M)": [100, 400], "gflops": [1.2e9, 2.4e10]}, "gflops*1e9/params (M)/1e6/6"),
}


@pytest.mark.parametrize("kind", MADE)
def test_tokens_made_of_other_columns_are_proposed_and_can_be_copied(kind):
    columns, text = MADE[kind]
    table = pl.DataFrame({**columns, "loss": LOSSES, "precision": ["bf16", "bf16"]})
    with pytest.raises(RunsError) as error:
        read(table)
    line = re.search(r"--column tokens='(.+?)'", str(error.value))[1]
    params = re.search(r"--column params='?([^;']+?)'? --column", str(error.value))
    columns = {"tokens": line} | ({"params": params[1]} if params else {})
    assert line.endswith(text)
    assert read(table, columns=columns)["tokens"][0] == pytest.approx(LENGTHS[0], rel=0.4)


@pytest.mark.parametrize(
    "columns",
    [
        {**STEPPED, "tokens_per_gpu_batch": [1 << 18] * 2},
        {**STEPPED, "eval_batch_tokens": [1 << 18] * 2},
        {**STEPPED, "per_device_train_batch_size": [8, 8], "seq_len": [1024, 1024]},
        {**STEPPED, "batch_size": [128, 128]},
        {**STEPPED, "batch_size": [1, 1], "seq_len": [1, 1]},
    ],
)
def test_a_part_of_a_batch_makes_no_tokens(columns):
    said = naming(["tokens"], pl.DataFrame({"params": SIZES, **columns}))
    assert "tokens='step*524288', with the tokens of your steps" in said
    assert "=NAME" in said


@pytest.mark.parametrize("other", [{"flops": [5e-324] * 2}, {"step": [1e300] * 2}])
def test_products_beyond_the_largest_number_make_no_tokens(other):
    odd = {"params": [5e-324, 1e-320], "batch_size": [1e300] * 2, "seq_len": [1e300] * 2, **other}
    assert "tokens=" in naming(["tokens"], pl.DataFrame(odd))


@pytest.mark.parametrize("name", ["log_params", "log10_params", "ln_params"])
def test_logarithms_are_no_counts(name):
    assert "=NAME" in naming(["params"], pl.DataFrame({name: [8.0, 8.6]}))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("evalLoss/macro_loss", ["eval", "loss", "macro", "loss"]),
        ("nParams", ["n", "params"]),
        ("trainer.train_batch_size", ["trainer", "train", "batch", "size"]),
        ("GPUHours2", ["gpu", "hours", "2"]),
    ],
)
def test_words_of_a_name(name, words):
    assert words_of(name) == words


def test_a_line_to_copy_reads_the_table():
    table = pl.DataFrame({"N": SIZES, "train_tokens_B": [2.0, 10.0], "val_loss": LOSSES})
    with pytest.raises(RunsError, match="has no columns 'params', 'tokens', 'precision' and 'lo"):
        read(table)
    columns = {"params": "N", "tokens": "train_tokens_B*1e9", "loss": "val_loss"}
    with pytest.raises(RunsError) as error:
        read(table, precision="bf16")
    assert all(f"{k}={v}" in str(error.value).replace("'", "") for k, v in columns.items())
    assert read(table, columns=columns, precision="bf16")["tokens"].tolist() == LENGTHS


OBJECTS = [{"loss": 3.1, "_step": 5, "x": {"y": 1}}, {"loss": float("nan")}, {}]
READ = {"params": "config.n", "loss": "summary.loss"}


def cells(how) -> dict[str, list]:
    return {
        "summary": [how(each) for each in OBJECTS],
        "config": [how({"n": 1e8}) for _ in OBJECTS],
        "tokens": [1e9, 2e9, 3e9],
    }


@pytest.mark.parametrize("how", [dict, str, json.dumps])
def test_cells_that_hold_objects_are_columns_with_dotted_names(how, tmp_path):
    frame = pd.DataFrame(cells(how))
    frame.to_csv(tmp_path / "api.csv")
    for source in (frame, tmp_path / "api.csv"):
        runs = read(source, columns=READ, precision="bf16")
        assert runs["params"].tolist() == [1e8] * 3
        assert runs["status"].tolist() == ["ok", "excluded", "excluded"]
        assert runs["summary.x.y"][0] == 1


def test_structs_decimals_and_categories_of_a_parquet_file_are_read(tmp_path):
    frame = pl.DataFrame(
        {
            "config": [{"n": 1e8}, {"n": 2e8}],
            "tokens": pl.Series(["1e9", "2e9"]).cast(pl.Float64).cast(pl.Decimal(20, 2)),
            "loss": [3.0, 2.9],
            "precision": pl.Series(["bf16", "w4"], dtype=pl.Categorical),
        }
    )
    frame.write_parquet(tmp_path / "runs.parquet")
    runs = read(tmp_path / "runs.parquet", columns={"params": "config.n"})
    assert (runs["tokens"].tolist(), runs["precision"].tolist()) == ([1e9, 2e9], ["bf16", "w4"])


def test_texts_that_only_begin_as_objects_stay_texts_and_names_are_not_taken_twice():
    table = pl.DataFrame(GOOD | {"precision": ["bf16"] * 2, "note": ["{x}", "{'a': open('f')}"]})
    assert read(table)["note"].tolist() == ["{x}", "{'a': open('f')}"]
    table = table.with_columns(pl.Series("note", ['{"b": 1}', "{}"]), pl.Series("note.b", [7, 8]))
    runs = read(table)
    assert runs["note.b"].tolist() == [7, 8]
    assert runs["note.b_in_cell"][0] == 1


def test_a_frame_with_a_column_twice_is_one_sentence():
    frame = pd.concat([pd.DataFrame(GOOD), pd.DataFrame({"loss": [3, 4]})], axis=1)
    with pytest.raises(RunsError, match=r"data frame.*'loss'|data frame.*more than") as error:
        read(frame, precision="bf16")
    assert "\n" not in str(error.value)


def test_columns_may_be_called_by_numbers_and_bits_are_no_precision():
    frame = pd.DataFrame(GOOD | {0: [1, 2], "precision": [4, 16]})
    with pytest.warns(NothingUsable, match=r"of bits is read with --precision 'w\{precision\}'"):
        assert read(frame)["0"].tolist() == [1, 2]


def test_an_export_of_a_chart_says_what_to_export_instead(tmp_path):
    path = tmp_path / "chart.csv"
    path.write_text("Step,m1 - val/loss,m1 - val/loss__MIN,m1 - val/loss__MAX\n1,3,3,3\n")
    with pytest.raises(RunsError, match=r"the export of a chart, one column a run .*'val/loss'"):
        read(path)


def test_a_message_lists_the_first_of_many_columns():
    table = pl.DataFrame({f"c{k}" + "x" * 100 * (k == 3): [1.0] for k in range(500)})
    with pytest.raises(RunsError, match=r"its columns are c0, c1, c2, c3x+\.\.\., .* and 460 more"):
        read(table)
