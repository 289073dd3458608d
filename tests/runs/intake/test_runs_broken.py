"""Broken input: each kind gives one sentence, or keeps the row as excluded with a reason; nothing
is lost.
"""

import math
import os
import re

import pytest

from isoloss.runs import NothingUsable, RunsError, read

HEADER = "params,tokens,precision,loss\n"
GOOD = "1M,20M,w4,3.5\n"
NUMBER = "write a finite number like 1.3B, 20M, 4k, 1e21 or 1,300,000"

ROWS = {
    "NaN loss": ("1M,20M,w4,nan", "column 'loss' has 'nan'; accepted is a finite number above 0"),
    "infinite loss": (
        "1M,20M,w4,inf",
        "column 'loss' has 'inf'; accepted is a finite number above 0",
    ),
    "zero loss": ("1M,20M,w4,0", "column 'loss' has '0'; accepted is a finite number above 0"),
    "missing loss": ("1M,20M,w4,", "column 'loss' is empty; accepted is a finite number above 0"),
    "loss in words": ("1M,20M,w4,low", f"column 'loss' has 'low'; {NUMBER}"),
    "no params": ("0,20M,w4,3", "column 'params' has '0'; accepted is a finite number above 0"),
    "negative tokens": (
        "1M,-20M,w4,3",
        "column 'tokens' has '-20M'; accepted is a finite number above 0",
    ),
    "a count beyond any": (
        "1M,1e308,w4,3",
        "column 'tokens' has '1e308'; accepted is a number from 1e-60 to 1e+60",
    ),
    "a loss next to nothing": (
        "1M,20M,w4,5e-324",
        "column 'loss' has '5e-324'; accepted is a number from 1e-60 to 1e+60",
    ),
    "unknown suffix": ("1Z,20M,w4,3", f"column 'params' has '1Z'; {NUMBER}"),
    "missing precision": (
        "1M,20M,,3",
        "column 'precision' is empty; accepted is a spelling like 'bf16' or 'w4 a8 kv:e4m3'",
    ),
}


@pytest.mark.parametrize("kind", ROWS)
def test_rows_that_cannot_be_used_are_kept_with_the_reason(write, kind):
    row, reason = ROWS[kind]
    path = write(HEADER + GOOD + row + "\n" + GOOD)
    table = read(path)
    assert table["status"].tolist() == ["ok", "excluded", "ok"]
    assert table["reason"].tolist() == [None, f"{reason} (runs.csv, row 3)", None]
    with pytest.raises(RunsError) as error:
        read(path, strict=True)
    assert str(error.value) == f"{reason} (runs.csv, row 3)"


def test_an_unknown_format_names_what_is_accepted(write):
    table = read(write(HEADER + GOOD + "1M,20M,w4 q8x,3\n"))
    assert table["precision"].tolist() == ["w4", "w4 q8x"]
    assert table["reason"][1].startswith(
        "column 'precision' cannot be used: cannot read 'q8x' in precision 'w4 q8x'"
    )
    assert table["reason"][1].endswith("(runs.csv, row 3)")


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [
        ("diverged", "diverged", "column 'status' is diverged"),
        ("Crashed", "unfinished", "column 'status' is unfinished"),
        (
            "odd",
            "excluded",
            "column 'status' has 'odd'; accepted is one of ok, diverged, unfinished, excluded",
        ),
        ("finished", "ok", None),
        (
            "",
            "excluded",
            "column 'status' is empty where other rows say 'ok': whether it finished is not known",
        ),
    ],
)
def test_runs_that_did_not_end_well_are_left_out(write, word, status, reason):
    table = read(write(f"params,tokens,precision,loss,status\n1,2,w4,3,ok\n1,2,w4,3,{word}\n"))
    assert table["status"][1] == status
    assert table["reason"][1] == (reason and f"{reason} (runs.csv, row 3)")


def test_a_row_with_two_problems_tells_both(write):
    reason = read(write(HEADER + GOOD + "0,20M,w4,nan\n"))["reason"][1]
    assert "'params' has '0'" in reason
    assert "; column 'loss' has 'nan'" in reason


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("Total,600,6,w4,9\n", "the row sums up those above and is no run (runs.csv, row 4)"),
        ("b,200,2,w4,2.9\n" * 2, "one run counts once (runs.csv, row 4) and 1 more of 4 rows"),
    ],
)
def test_strict_refuses_rows_that_are_no_run_of_their_own(write, last, said):
    path = write("run_id,params,tokens,precision,loss\na,400,4,w4,3\nb,200,2,w4,2.9\n" + last)
    assert len(read(path).usable) == 2
    with pytest.raises(RunsError, match=re.escape(said) + "$"):
        read(path, strict=True)


def test_strict_counts_the_rest(write):
    rows = "".join(ROWS[kind][0] + "\n" for kind in ROWS)
    with pytest.raises(RunsError, match=r"has 'nan'.*row 3\) and 10 more of 12 rows$"):
        read(write(HEADER + GOOD + rows), strict=True)


def test_all_broken_rows_stay_in_the_table(write):
    rows = "".join(ROWS[kind][0] + "\n" for kind in ROWS)
    with pytest.warns(
        NothingUsable, match=r"no row of runs\.csv can be used: column 'loss' has 'nan'"
    ):
        table = read(write(HEADER + rows))
    assert len(table) == len(table.excluded) == len(ROWS)
    assert math.isnan(table["loss"][0])
    assert "excluded" in str(table)


FILES = {
    "empty": ("", "runs.csv", {}, "runs.csv is empty; a table of runs needs a header and rows"),
    "only a header": (HEADER, "runs.csv", {}, "runs.csv has columns but no rows"),
    "no loss column": (
        "params,tokens,precision,val_loss\n1,2,w4,3\n",
        "runs.csv",
        {},
        "runs.csv has no column 'loss'; its columns are params, tokens, precision, val_loss; "
        "name it with --column loss=val_loss",
    ),
    "no precision column": (
        "params,tokens,loss\n1,2,3\n",
        "runs.csv",
        {},
        "runs.csv has no column 'precision'; its columns are params, tokens, loss; "
        "say --precision bf16, or build it like --precision 'w{{w_bits}} a{{a_bits}}'",
    ),
    "a column twice": (
        "params,tokens,precision,loss,loss\n1,2,w4,3,3\n",
        "runs.csv",
        {},
        "runs.csv has the column 'loss' more than once; give each column its own name",
    ),
    "a short row": (
        HEADER + GOOD + "1M,20M\n",
        "runs.csv",
        {},
        "runs.csv, row 3 has 2 values where the header has 4 columns",
    ),
    "an open quote": (
        HEADER + '1M,20M,"w4,3',
        "runs.csv",
        {},
        "cannot read runs.csv, row 2: unexpected end of data",
    ),
    "two separators": (
        "params;x,loss\n1;2,3\n",
        "runs.csv",
        {},
        "runs.csv may be read as 2 columns separated by ',' (params;x, loss) or 2 columns "
        "separated by ';' (params, x,loss): say which with a first line such as sep=,",
    ),
    "an unknown ending": (
        HEADER,
        "runs.xls",
        {},
        "cannot read '{path}': accepted endings are .csv, .tsv, .xlsx, .json, .jsonl, .gz, "
        ".bz2, .xz, .zst, .parquet, .db, .sqlite",
    ),
    "no JSON": (
        "{oops",
        "runs.json",
        {},
        "cannot read runs.json as JSON: Expecting property name enclosed in",
    ),
    "JSON that is no table": (
        "3",
        "runs.json",
        {},
        "cannot read runs.json: accepted is a list of rows or an object of equally long columns",
    ),
    "JSON columns of different length": (
        '{"params": [1], "loss": [1, 2]}',
        "runs.json",
        {},
        "cannot read runs.json: accepted is a list of rows or an object of equally long columns",
    ),
    "JSON columns of different rows": (
        '{"params": {"0": 1, "1": 2}, "loss": {"0": 3, "2": 4}}',
        "runs.json",
        {},
        "cannot read runs.json: accepted is a list of rows or an object of equally long columns",
    ),
    "a line that is no row": (
        '{"loss": 1}\n7\n',
        "runs.jsonl",
        {},
        "runs.jsonl, row 2 is 7, not an object of column names and values",
    ),
    "no Parquet": ("PAR0", "runs.parquet", {}, "cannot read runs.parquet as Parquet: "),
    "a named column that is not there": (
        HEADER + GOOD,
        "runs.csv",
        {"columns": {"loss": "eval"}},
        "runs.csv has no column 'eval' to take loss from; its columns are params, tokens, "
        "precision, loss",
    ),
    "a name that is no column": (
        HEADER + GOOD,
        "runs.csv",
        {"columns": ["tokns=tokens"]},
        "runs have no column 'tokns'; did you mean 'tokens'",
    ),
    "one column for two": (
        HEADER + GOOD,
        "runs.csv",
        {"columns": {"params": "tokens", "tokens": "tokens"}},
        "column 'tokens' is named as both params and tokens",
    ),
    "two columns for one": (
        HEADER + GOOD,
        "runs.csv",
        {"columns": ["loss=loss", "loss=tokens"]},
        "two columns, 'loss' and 'tokens', are named as loss",
    ),
    "two columns for the loss": (
        HEADER + GOOD,
        "runs.csv",
        {"columns": {"loss": "loss"}, "perplexity": "tokens"},
        "two columns, 'loss' and 'tokens', are named as loss",
    ),
    "a column name without a sign": (
        HEADER + GOOD,
        "runs.csv",
        {"columns": "loss"},
        "cannot read the column name 'loss'; write it like loss=val_loss",
    ),
    "a template without its column": (
        HEADER + GOOD,
        "runs.csv",
        {"precision": "w{bits}"},
        "precision 'w{{bits}}': runs.csv has no column 'bits'; its columns are params, tokens, ",
    ),
    "a template that is open": (
        HEADER + GOOD,
        "runs.csv",
        {"precision": "w{bits"},
        "cannot read the precision 'w{{bits'; write it like 'w{{w_bits}} a{{a_bits}}'",
    ),
    "a template with empty braces": (
        HEADER + GOOD,
        "runs.csv",
        {"precision": "w{}"},
        "precision 'w{{}}' has empty braces; write a column's name in them",
    ),
    "two precisions": (
        HEADER + GOOD,
        "runs.csv",
        {"precision": "bf16"},
        "runs.csv has a column 'precision' of its own, and precision='bf16' is given too",
    ),
    "an unknown constant": (
        HEADER + GOOD,
        "runs.csv",
        {"corpos": "c4"},
        "runs have no column 'corpos'; did you mean 'corpus'",
    ),
    "a constant against the file": (
        "params,tokens,precision,loss,seed\n1,2,w4,3,1\n",
        "runs.csv",
        {"seed": 2},
        "runs.csv says seed is '1' where seed=2 is given for every row",
    ),
    "a constant and a column": (
        HEADER + GOOD,
        "runs.csv",
        {"columns": {"loss": "loss"}, "loss": 3},
        "'loss' is given twice: as the column 'loss' and as the constant 3",
    ),
}


def test_columns_of_rows_are_put_in_one_order(write):
    text = (
        '{"params": {"a": 1e8, "b": 2e8}, "tokens": {"b": 2e9, "a": 1e9}, '
        '"loss": {"a": 3.5, "b": 3.4}, "precision": {"b": "w4", "a": "bf16"}}'
    )
    runs = read(write(text, "runs.json"))
    assert runs["tokens"].tolist() == [1e9, 2e9]
    assert [str(each) for each in runs.precisions] == ["bf16", "w4"]


def test_a_table_that_is_given_twice_is_refused(write, tmp_path):
    path = write(HEADER + GOOD)
    with pytest.raises(RunsError, match=r"runs\.csv' is given twice; name each table once"):
        read([path, f"{tmp_path}/../{tmp_path.name}/runs.csv"])
    with pytest.raises(RunsError, match="'quest2025' is given twice"):
        read(["quest2025", "quest2025"])
    runs = read(path)
    assert len(read([runs, runs])) == 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_text_as_spreadsheets_save_it_is_read(tmp_path, encoding):
    path = tmp_path / "runs.tsv"
    path.write_bytes((HEADER + GOOD).replace(",", "\t").encode(encoding))
    assert read(path)["loss"].tolist() == [3.5]
    path.write_bytes("params".encode("utf-16") + b"\x00\xd8")
    with pytest.raises(RunsError, match=r"byte \d+ is not UTF-16 text"):
        read(path)


@pytest.mark.parametrize("kind", FILES)
def test_files_that_cannot_be_read_give_one_sentence(write, kind):
    text, name, how, message = FILES[kind]
    path = write(text, name)
    with pytest.raises(RunsError) as error:
        read(path, **how)
    said = str(error.value)
    assert said.startswith(message.format(path=path))
    assert "\n" not in said


def test_files_that_are_not_text_or_not_there(tmp_path):
    (tmp_path / "runs.csv").write_bytes(b"params,loss\n\xff\xfe,1\n")
    with pytest.raises(RunsError, match=r"cannot read runs\.csv: byte 12 is not UTF-8 text"):
        read(tmp_path / "runs.csv")
    with pytest.raises(RunsError, match=r"cannot read '.*missing\.csv': it is not there"):
        read(tmp_path / "missing.csv")
    with pytest.raises(RunsError, match="it is a folder"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("quest2052", "'quest2052' is neither a file nor a public table; did you mean 'quest2025'"),
        (
            "zzz",
            "'zzz' is neither a file nor a public table; public tables are quest2025, hoffmann2022",
        ),
        (
            3,
            "cannot read runs from an object of type int; give a file, a data frame or the name of "
            "a table",
        ),
        ([], "no source to read; give a file, a data frame or the name of a table"),
    ],
)
def test_what_is_no_source_is_refused(source, message):
    with pytest.raises(RunsError) as error:
        read(source)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("digits", [401, 5001])
@pytest.mark.filterwarnings("ignore::isoloss.runs.RunsWarning")
def test_a_whole_number_of_hundreds_of_digits_costs_its_row_alone(tmp_path, digits):
    path = tmp_path / "long.jsonl"
    row = '{"params": %s, "tokens": 1e9, "loss": 3.0, "precision": "fp"}\n'
    path.write_text(row % ("9" * digits) + row % "1e7")
    found = read(path)
    assert [run.params for run in found.usable] == [1e7]
    assert "params" in str(next(run.reason for run in found if run.reason))


@pytest.mark.parametrize("option", ["last", "precision", "history"])
@pytest.mark.parametrize("given", ["", " "])
def test_an_option_that_says_nothing_is_refused(option, given):
    with pytest.raises(RunsError, match=rf"{option} is '{given}' \(--{option}\); say it, or leave"):
        read("quest2025", **{option: given})


def test_what_is_no_file_is_said(tmp_path):
    link, pipe = tmp_path / "link.csv", tmp_path / "pipe.csv"
    link.symlink_to(tmp_path / "gone.csv")
    os.mkfifo(pipe)
    with pytest.raises(RunsError, match="it is a link to what is not there"):
        read(link)
    with pytest.raises(RunsError, match="it is a pipe or device; keep what comes from it as a f"):
        read(pipe)


KINDS = {
    "workbook": (b"PK\x03\x04\x14\x00", "it is an Excel workbook"),
    "gzip": (b"\x1f\x8b\x08\x00", "it is compressed; put .gz"),
    "parquet": (b"PAR1\x15\x04", "give it the ending .parquet"),
    "store": (b"SQLite format 3\x00", "a store of isoloss the ending .db"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid x\n", "with git lfs pull"),
    "page": (b"\xef\xbb\xbf\n<!DOCTYPE html><html>\n", "it is a web page"),
    "conflict": (b"<<<<<<< HEAD\nparams,tokens\n", "it is in conflict"),
    "blanks": (b"params tokens  loss\n1 2 3\n", "separated by blanks"),
    "no names": (b"7e7,1.4e9,3.7\n1e8,2e9,3.5\n", "has no row of names, its first row holds num"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_table_is_said_as_what_it_is(kind, tmp_path):
    content, said = KINDS[kind]
    path = tmp_path / "runs.csv"
    path.write_bytes(content)
    with pytest.raises(RunsError, match=said):
        read(path)
