"""What stands in a file around its table: separators, comments, rows of names, rows of sums."""

from __future__ import annotations

import json

import pytest

from isoloss.runs import RunsError, read

HEADER = "params,tokens,precision,loss\n"
ROW = "1M,20M,w4,3.5\n"


@pytest.mark.parametrize("sign", [";", "\t", "|"])
@pytest.mark.parametrize("name", ["runs.csv", "runs.tsv"])
def test_the_separator_is_the_one_of_the_header_whatever_the_ending(write, sign, name):
    runs = read(write((HEADER + ROW).replace(",", sign), name))
    assert (runs["params"][0], runs["loss"][0]) == (1e6, 3.5)
    usual = "\t" if name.endswith("tsv") else ","
    assert runs.understood.is_plain == (sign == usual)


@pytest.mark.parametrize(
    ("rows", "params", "losses"),
    [
        ("1,3B;26B;w4;3,75\n2;4e9;w4;3\n", [1.3e9, 2], [3.75, 3]),
        ("1.300.000;26B;w4;3,5\n", [1.3e6], [3.5]),
        ("1.300;26B;w4;0,125\n", [1300], [0.125]),
        ("1,300,000;26B;w4;3\n", [1.3e6], [3]),
        ("1,300;26B;w4;3.5\n", [1300], [3.5]),
        ("1.3B;26B;w4;3.125\n", [1.3e9], [3.125]),
    ],
)
@pytest.mark.filterwarnings("ignore::isoloss.runs.RunsWarning")
def test_a_decimal_comma_is_told_from_a_mark_of_thousands_by_all_cells(write, rows, params, losses):
    runs = read(write("params;tokens;precision;loss\n" + rows))
    assert (runs["params"].tolist(), runs["loss"].tolist()) == (params, losses)


def test_a_decimal_comma_is_said_and_a_cell_that_is_no_number_costs_its_row_alone(write):
    runs = read(write("params;tokens;precision;loss\n1M;2M;w4;3,5\n2M;3M;w4;low\n2M;9M;w4;3,1\n"))
    said = dict(runs.understood.facts)["file"]
    assert said == "values separated by ';'; decimals with a comma"
    assert said in str(runs.understood)
    assert runs.usable["loss"].tolist() == [3.5, 3.1]
    assert "column 'loss' has 'low'" in runs["reason"][1]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            "1,300;2,600;w4;3\n",
            "runs.csv has '1,300' in column 'params', which may be read with a decimal comma or "
            "with a mark of thousands, and no other cell says which: write decimals with a point",
        ),
        (
            "1M;2M;w4;3,5\n1M;3M;w4;3.4\n",
            "runs.csv has '3,5' in column 'loss', where the comma is decimal, and '3.4' in column "
            "'loss', where it is not: write all decimals with a point",
        ),
    ],
)
def test_a_comma_that_may_be_both_is_refused_with_both_readings(write, rows, said):
    with pytest.raises(RunsError) as error:
        read(write("params;tokens;precision;loss\n" + rows))
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("sep=;\n" + (HEADER + "0,2,w4,3\n").replace(",", ";"), 3),
        ("# made by us, once\n# again\n" + HEADER + "0,2,w4,3\n", 4),
        ("# params,tokens,precision,loss\n0,2,w4,3\n", 2),
        ("#,params,tokens,precision,loss\n1,0,2,w4,3\n", 2),
        (HEADER + "# half of it\n0,2,w4,3\n", 3),
        ("params;tokens;precision;loss, all\n0;2;w4;3\n", 2),
    ],
)
@pytest.mark.filterwarnings("ignore::isoloss.runs.RunsWarning")
def test_comments_and_lines_before_the_table_leave_rows_their_places(write, text, row):
    columns = {"loss": "loss, all"} if "all" in text else None
    reason = f"column 'params' has '0'; accepted is a finite number above 0 (runs.csv, row {row})"
    assert read(write(text), columns=columns)["reason"].tolist() == [reason]


def test_comments_left_out_are_said(write):
    runs = read(write("# one\n" + HEADER + "# two\n" + ROW))
    assert dict(runs.understood.facts)["file"] == "2 lines that begin with # left out"


@pytest.mark.parametrize(
    "text",
    [
        HEADER + "count,billions,spelling,nats\n" + ROW + ROW,
        "config,config,config,summary\nparams,tokens,precision,loss\n" + ROW,
    ],
)
def test_a_second_row_of_names_or_units_is_refused(write, text):
    with pytest.raises(RunsError, match=r"runs.csv, row 2 holds no number \('.*one row of names"):
        read(write(text))


def test_a_first_run_without_numbers_is_no_row_of_names(write):
    runs = read(write("name,params,tokens,precision,loss\na,1M,crashed,w4,failed\nb," + ROW))
    assert runs["status"].tolist() == ["excluded", "ok"]


@pytest.mark.parametrize("word", ["Total", "mean", "Grand total:", "Summe"])
def test_rows_that_sum_up_those_above_are_no_runs(write, word):
    text = "Name," + HEADER + "a," + ROW + "b," + ROW + f"{word}," + ROW
    runs = read(write(text))
    assert runs["status"].tolist() == ["ok", "ok", "excluded"]
    assert runs["reason"][2] == (
        f"column 'Name' says '{word}': the row sums up those above and is no run (runs.csv, row 4)"
    )


def test_words_of_sums_above_other_rows_are_names(write):
    text = "Name," + HEADER + "total," + ROW + "b," + ROW
    assert len(read(write(text)).usable) == 2
    assert len(read(write(text.replace("b,", "mean,"))).usable) == 2


def test_json_of_rows_by_their_names_is_read_as_rows(tmp_path):
    rows = [{"N_params": 1e8, "tokens": 2e9, "loss": 3.0}, {"N_params": 2e8, "tokens": 4e9}]
    path = tmp_path / "runs.json"
    for own, more in (("run", {}), ("row", {"run": 7})):
        path.write_text(json.dumps({"a": rows[0] | more, "b": rows[1]}))
        runs = read(path, columns={"params": "N_params"}, precision="bf16")
        assert (runs["params"].tolist(), runs[own].tolist()) == ([1e8, 2e8], ["a", "b"])
        assert "column 'loss' is empty" in runs.excluded["reason"][0]
        note = f"rows by their names, which column {own} holds"
        assert dict(runs.understood.facts)["file"] == note
    # As pandas writes columns: names of rows may be any, those of columns tell.
    columns = {"N_params": {"a": 1e8, "b": 2e8}, "tokens": {"a": 2e9, "b": 4e9}}
    path.write_text(json.dumps(columns | {"loss": {"b": 2.0, "a": 3.0}}))
    runs = read(path, columns={"params": "N_params"}, precision="bf16")
    assert runs["loss"].tolist() == [3.0, 2.0]
