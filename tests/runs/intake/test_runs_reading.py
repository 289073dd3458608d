import csv
import json
import math
import subprocess
import sys

import pandas as pd
import polars as pl
import pytest

from isoloss.runs import NothingUsable, PerplexitySuspected, Runs, RunsError, ValueIgnored, read

HEADER = "params,tokens,precision,loss\n"
PLAIN = HEADER + "1.3B,26B,w4 a8,2.5\n20M,4e8,bf16,3.75\n"


@pytest.fixture
def plain(write):
    return read(write(PLAIN))


def test_csv_with_suffixes(plain):
    assert plain["params"].tolist() == [1.3e9, 2e7]
    assert plain["tokens"].tolist() == [2.6e10, 4e8]
    assert plain["precision"].tolist() == ["w4 a8", "bf16"]
    assert plain.frame().schema["loss"] == pl.Float64


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("runs.tsv", PLAIN.replace(",", "\t")),
        ("runs.csv", "\ufeff" + PLAIN.replace("\n", "\r\n\r\n")),
        ("runs.csv", HEADER + '"1,300,000,000","26,000,000,000",W4A8,2.5\n20M,4e8,bf16,3.75'),
        (
            "runs.json",
            '[{"params": "1.3B", "tokens": 26e9, "precision": "w4 a8", "loss": 2.5},'
            ' {"params": 2e7, "tokens": 4e8, "precision": "bf16", "loss": 3.75}]',
        ),
        (
            "runs.json",
            '{"params": [1.3e9, 2e7], "tokens": [2.6e10, 4e8],'
            ' "precision": ["w4 a8", "bf16"], "loss": [2.5, 3.75]}',
        ),
        (
            "runs.jsonl",
            '{"params": 1.3e9, "tokens": 26e9, "precision": "w4 a8", "loss": "2.5"}\n\n'
            '{"loss": 3.75, "params": "20M", "tokens": "400M", "precision": "bf16"}\n',
        ),
    ],
)
def test_every_format_gives_the_same_runs(plain, write, name, text):
    assert read(write(text, name)) == plain


def test_parquet_and_data_frames_give_the_same_runs(plain, tmp_path):
    frame = pl.read_csv(PLAIN.encode())
    frame.write_parquet(tmp_path / "runs.parquet")
    assert read(tmp_path / "runs.parquet") == plain
    assert read(str(tmp_path / "runs.parquet")) == plain
    assert read(frame) == read(pd.read_csv(tmp_path / "runs.csv")) == read(plain) == plain


def test_pandas_missing_values_are_unknown_in_text_and_numbers():
    frame = pd.DataFrame(
        {"params": [1, 2], "tokens": [3, None], "precision": ["w4", "w3"], "loss": [2.0, 3.0]}
    )
    frame["corpus"] = pd.Series([None, "c4"])
    table = read(frame)
    assert table["corpus"].tolist() == [None, "c4"]
    assert table["reason"][1] == (
        "column 'tokens' is empty; accepted is a finite number above 0 (the data frame, row 2)"
    )


def test_columns_are_named_by_mapping_or_by_text(write, plain):
    path = write(PLAIN.replace("params", "N").replace("loss", "val_loss"))
    assert read(path, columns={"params": "N", "loss": "val_loss"}) == plain
    assert read(path, columns=["params=N", "loss=val_loss"]) == plain


def test_a_named_column_wins_and_the_other_is_kept(write):
    table = read(
        write("params,tokens,precision,loss,val_loss\n1,2,w4,9,3\n"), columns={"loss": "val_loss"}
    )
    assert table["loss"].tolist() == [3.0]
    assert table["loss_in_file"].tolist() == [9.0]


def test_tracker_exports_by_dotted_names(write):
    rows = [
        {
            "config": {"N": 1e6, "bits": {"w": 4, "a": None}},
            "summary": {"loss": 3.0},
            "state": "finished",
        }
    ]
    rows += [
        {
            "config": {"N": 1e6, "bits": {"w": 16, "a": 8}},
            "summary": {"loss": 2.5},
            "state": "crashed",
        }
    ]
    table = read(
        write("\n".join(map(json.dumps, rows)), "wandb.jsonl"),
        columns={"params": "config.N", "loss": "summary.loss", "status": "state"},
        precision="w{config.bits.w} a{config.bits.a}",
        tokens="2M",
        corpus="c4",
    )
    assert table["precision"].tolist() == ["w4", "w:bf16 a8"]
    assert table["status"].tolist() == ["ok", "unfinished"]
    assert table["reason"][1] == "column 'state' (status) is unfinished (wandb.jsonl, row 2)"
    assert table["corpus"].tolist() == ["c4", "c4"]


@pytest.mark.parametrize(
    ("template", "values", "spelled"),
    [
        ("w{w}", "16", "w:bf16"),
        ("w{w}", "4.0", "w4"),
        ("w{w}", "1.58", "w1.58"),
        ("w{w} a8", "", "a8"),
        ("w{w}", "", "fp"),
        ("fp -> w{w}@gptq", "3", "fp -> w3@gptq"),
        ("w8 -> w{w}", "", "w8"),
        ("-> w{w}", "4", "fp -> w4"),
        ("{w}", "e4m3", "e4m3"),
        ("bf16", "3", "bf16"),
        ("w{w} a8", "bf16", "w:bf16 a8"),
        ("w{w}@gptq", "int4", "w4@gptq"),
    ],
)
def test_precision_templates(write, template, values, spelled):
    table = read(write(f"params,tokens,w,loss\n1,2,{values},3\n"), precision=template)
    assert table["precision"].tolist() == [spelled]


def test_template_fields_may_hold_spaces(write):
    table = read(write("params,tokens,w bits,loss\n1,2,4,3\n"), precision="w{w bits} a8")
    assert table["precision"].tolist() == ["w4 a8"]


def test_perplexity_only_when_told(write):
    path = write("params,tokens,precision,loss\n1,2,w4,20\n1,2,w4,1\n1,2,w4,bad\n")
    table = read(path, perplexity=True)
    assert table["loss"][0] == math.log(20)
    assert table["reason"][1:].tolist() == [
        "column 'loss' has 1; accepted is a perplexity above 1 (runs.csv, row 3)",
        "column 'loss' has 'bad'; write a finite number like 1.3B, 20M, 4k, 1e21 or 1,300,000 "
        "(runs.csv, row 4)",
    ]
    assert read(write("params,tokens,precision,ppl\n1,2,w4,20\n"), perplexity="ppl")["loss"][
        0
    ] == math.log(20)


def test_losses_like_perplexities_are_suspected_in_words(write):
    path = write(HEADER + "1,2,w4,20\n1,2,w4,8\n")
    with pytest.warns(
        PerplexitySuspected, match=r"1 of 2 losses of runs\.csv are above 12\.5 nats.*worst is 20"
    ):
        assert len(read(path).usable) == 2


def test_optional_numbers_that_cannot_be_read_become_unknown(write):
    path = write(
        "params,tokens,precision,loss,lr_peak\n1,2,w4,3,auto\n1,2,w4,3,1e-3\n1,2,w4,3,-1\n"
    )
    with pytest.warns(
        ValueIgnored, match=r"column 'lr_peak' has 'auto'.*row 2\) and 1 more: taken as unknown"
    ):
        table = read(path)
    assert table["lr_peak"][1] == 1e-3
    assert len(table.usable) == 3


def test_a_decimal_comma_is_not_a_thousands_mark(write):
    with pytest.warns(
        NothingUsable, match="where the comma may be decimal; write it with a point, like 3.14"
    ):
        table = read(write(HEADER + '1,2,w4,"3,141"\n'))
    assert len(table.usable) == 0


def test_constants_fill_what_is_unknown(write):
    path = write("params,tokens,precision,loss,source\n1,2,w4,3,\n1,2,w4,3,mine\n")
    assert read(path, source="mine", seed=3)["source"].tolist() == ["mine", "mine"]
    assert read(path, seed=3)["seed"].tolist() == [3.0, 3.0]


def test_other_columns_stay_and_become_numbers_where_all_are(write):
    table = read(write("params,tokens,precision,loss,width,note\n1,2,w4,3,64,5\n1,2,w4,3,,x\n"))
    assert table["width"].tolist()[0] == 64.0
    assert table["note"].tolist() == ["5", "x"]


def test_a_list_of_sources_is_their_sum(write, plain):
    both = read([write(PLAIN), plain], source="mine")
    assert len(both) == 4
    assert set(both["source"]) == {"mine"}


def test_transcribed_quest_table_by_template(data_folder):
    path = data_folder / "transcribed" / "quest_methods_30m_50m.csv"
    columns = {"params": "N_non_embedding", "tokens": "D_tokens", "loss": "c4_val_loss"}
    table = read(path, columns=columns, precision="w{w_bits} a{a_bits}@{method}")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert len(table.usable) == len(rows) == 52
    assert table["loss"].tolist() == [float(row["c4_val_loss"]) for row in rows]
    assert table["precision"][0] == "w8 a8@ste"


def test_transcribed_perplexities(data_folder):
    path = data_folder / "transcribed" / "paretoq_mobilellm.csv"
    table = read(
        path,
        columns=["params=size_nominal"],
        precision="w{w_bits}",
        perplexity="wikitext2_ppl",
        tokens="30B",
    )
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert table["loss"].tolist() == [math.log(float(row["wikitext2_ppl"])) for row in rows]
    assert set(table["precision"]) == {"w:bf16", "w1", "w1.58", "w2", "w3", "w4"}
    assert table["params"].max() == 1.5e9


def test_transcribed_repeated_data(data_folder):
    path = data_folder / "transcribed" / "datablations_c4_runs.csv"
    columns = {
        "params": "N_params",
        "tokens": "D_tokens",
        "loss": "val_loss",
        "unique_tokens": "U_unique_tokens",
    }
    table = read(path, columns=columns, precision="bf16")
    assert len(table.usable) == 229
    assert (table["tokens"] / table["unique_tokens"]).max() == 9000


def test_a_loss_of_zero_is_excluded_and_not_guessed_at(data_folder):
    path = data_folder / "transcribed" / "datablations_all_names.csv"
    loss = "val_loss_0_means_unfinished"
    table = read(path, columns={"loss": loss}, precision="bf16", params="1B", tokens="1B")
    zeros = [
        i + 2
        for i, row in enumerate(csv.DictReader(path.read_text().splitlines()))
        if float(row[loss]) == 0
    ]
    assert len(table) == 316
    assert set(table.excluded["status"]) == {"excluded"}
    assert table.excluded["reason"].tolist() == [
        f"column '{loss}' (loss) has '0'; accepted is a finite number above 0 ({path.name}, row "
        f"{row})"
        for row in zeros
    ]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "tsv", "json", "jsonl"])
def test_saved_runs_read_back_the_same(few, tmp_path, suffix):
    path = few.save(tmp_path / f"few.{suffix}")
    again = read(path)
    assert again.usable == few.usable
    assert again["status"].tolist() == few["status"].tolist()
    assert again["reason"].tolist() == few["reason"].tolist()
    with pytest.raises(
        RunsError,
        match=r"few\.\w+' exists; give another name or force=True \(--force\) to replace it",
    ):
        few.save(path)
    assert few.usable.save(path, force=True) == path
    assert len(read(path)) == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("few.xlsx", "accepted endings are .parquet, .csv"),
        ("no/few.csv", "cannot write '.*few.csv': "),
    ],
)
def test_saving_where_it_cannot_be_is_one_sentence(few, tmp_path, name, message):
    with pytest.raises(RunsError, match=message):
        few.save(tmp_path / name)


def test_runs_of_a_saved_public_table_know_their_licence(data_folder, tmp_path):
    path = read("quest2025").save(tmp_path / "copy.csv")
    assert read(path).licence == {"quest2025": "MIT"}
    assert read(path).hash == read("quest2025").hash
    assert isinstance(read(path), Runs)


FULL = """
import subprocess, sys
from pathlib import Path
import numpy as np
import isoloss.runs as runs
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)], check=True)
rng = np.random.default_rng(0)
few = runs.Runs([runs.Run(1e6, 1e9, "w4", 3.0)])
many = few.take(np.zeros(60_000, int)).with_columns(loss=rng.uniform(2, 3, 60_000))
for name in sys.argv[2:]:
    path = few.save(folder / name)
    before = path.read_bytes()
    try:
        many.save(path, force=True)
        print("no error")
    except runs.RunsError as error:
        text, same = str(error), path.read_bytes() == before
        print(len(text.splitlines()), "No space left" in text, same)
    path.unlink()
print(list(folder.iterdir()))
"""


def test_a_full_disk_leaves_the_table_that_was_there(tmp_path):
    names = ["a.parquet", "a.csv", "a.tsv", "a.json", "a.jsonl"]
    run = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", FULL, str(tmp_path), *names],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in run.stderr or "mount" in run.stderr:
        pytest.skip("this system lets no user mount a file system")
    assert run.stdout.splitlines() == ["1 True True"] * 5 + ["[]"], run.stderr


@pytest.mark.parametrize(
    ("cells", "usable"),
    [
        (["1e9", " 2.5e9 ", "+3", "4.", ".5", "1_000"], [1e9, 2.5e9, 3, 4, 0.5, 1000]),
        (["1,000", "", None, "nan", "inf", "-2", "7k", "0"], [1000, 7e3]),
        ([1, 2**60, 3, None, 0, -5], [1, 2.0**60, 3]),
        ([1.5, float("nan"), float("inf"), None, 5e-324, 1.7e308, 1e-60], [1.5, 1e-60]),
        ([True, False], []),
        ([[1], [2]], []),
    ],
)
@pytest.mark.filterwarnings("ignore::isoloss.runs.NothingUsable")
def test_a_column_of_plain_and_other_numbers_is_read_cell_by_cell(cells, usable):
    alike = {"params": 1e8, "loss": 3.0, "precision": "bf16", "metric": "excess_risk"}
    table = pl.DataFrame({name: [value] * len(cells) for name, value in alike.items()})
    found = read(table.with_columns(pl.Series("tokens", cells, strict=False)))
    assert found.usable["tokens"].tolist() == usable
    assert len(found) == len(cells)


@pytest.mark.parametrize(
    ("columns", "name"), [({}, "precision"), ({"precision": "n bits"}, "n bits")]
)
def test_a_column_of_bits_as_the_precision_is_said_with_its_template(columns, name):
    table = pl.DataFrame({name: [4, 8, 16], "params": 1e8, "tokens": [2e9, 4e9, 8e9], "loss": 3.1})
    with pytest.warns(NothingUsable, match=f"--precision 'w{{{name}}}'"):
        read(table, columns=columns)
    assert len(read(table, precision=f"w{{{name}}}").usable) == 3


def test_a_list_of_losses_is_no_decimal_comma():
    table = pl.DataFrame(
        {"params": ["1e8"], "tokens": ["2e9"], "precision": "w4", "loss": "[3, 2]"}
    )
    with pytest.warns(NothingUsable, match=r"has '\[3, 2\]'; write a finite number"):
        read(table)
