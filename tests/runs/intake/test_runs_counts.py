"""Counts in thousands, millions or billions are said before anything is made of them."""

from __future__ import annotations

import re

import polars as pl
import pytest

from isoloss.runs import OddCounts, RunsError, read
from isoloss.runs.intake.content.magnitudes import factor_in_name

PARAMS = (1.5e8, 4e8, 1.2e9)
TOKENS = (3e9, 1.1e10, 6e10)


def frame(params: float = 1.0, tokens: float = 1.0) -> pl.DataFrame:
    """Nine runs with params and tokens in these units."""
    cells = [(p, t) for p in PARAMS for t in TOKENS]
    return pl.DataFrame(
        {
            "params": [p / params for p, _ in cells],
            "tokens": [t / tokens for _, t in cells],
            "precision": ["bf16"] * 9,
            "loss": [1.7 + 400 / p**0.34 + 400 / t**0.28 for p, t in cells],
        }
    )


def line(message: str) -> list[str]:
    """The columns of the first line to copy of a message."""
    return re.findall(r"--column (\w+='[^']+'|\w+=\S+)", message)


@pytest.mark.parametrize(
    ("params", "tokens"), [(1, 1e9), (1e6, 1), (1e9, 1), (1, 1e6), (1e6, 1e9), (1e9, 1e12)]
)
def test_counts_in_another_unit_are_refused_with_the_line_that_reads_them(params, tokens):
    table = frame(params, tokens)
    with pytest.raises(RunsError, match="which no language model has: if ") as error:
        read(table)
    wanted = sum(unit != 1 for unit in (params, tokens))
    lines = [each.replace("'", "") for each in line(str(error.value))]
    assert read(table, columns=lines[:wanted])["tokens"].tolist() == pytest.approx(
        frame()["tokens"].to_list()
    )
    as_they_stand = read_odd(table, lines[wanted:])
    assert as_they_stand["tokens"].tolist() == table["tokens"].to_list()


def read_odd(table, columns):
    with pytest.warns(OddCounts):
        return read(table, columns=columns)


@pytest.mark.parametrize(
    ("name", "unit", "words"),
    [
        ("train_tokens_B", 1e9, "billions"),
        ("data.tokens (B)", 1e9, "billions"),
        ("tokens in millions", 1e6, "millions"),
        ("TokensBillion", 1e9, "billions"),
    ],
)
def test_a_unit_in_a_name_is_refused_with_both_readings(name, unit, words):
    table = frame(1, unit).rename({"tokens": name})
    with pytest.raises(RunsError, match=f"and its name says {words}: read it with") as error:
        read(table, columns={"tokens": name})
    first, second = (each.replace("'", "") for each in line(str(error.value)))
    assert read(table, columns=[first])["tokens"].max() == pytest.approx(6e10)
    assert second == f"tokens={name}*1"


@pytest.mark.parametrize(
    ("name", "column", "factor"),
    [
        ("params_M", "params", 1e6),
        ("D (T)", "tokens", 1e12),
        ("B", "tokens", None),
        ("n_params", "params", None),
        ("total_gflops", "flops", 1e9),
        ("PFLOPs", "flops", 1e15),
        ("total_flops", "flops", None),
        ("tokens", "tokens", None),
        ("Bytes", "tokens", None),
        ("billion_tokens", "tokens", 1e9),
    ],
)
def test_units_in_names_are_whole_words(name, column, factor):
    assert factor_in_name(name, column) == factor


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([f"{t / 1e9:g}B" for _ in PARAMS for t in TOKENS], "tokens_B"),
        ([f"{t / 1e9:g} billion tokens" for _ in PARAMS for t in TOKENS], "tokens_B"),
        ([t for _ in PARAMS for t in TOKENS], "tokens_B"),  # which times 1e9 are none
    ],
)
def test_cells_that_say_their_unit_are_read_as_they_are(values, name):
    table = frame().with_columns(pl.Series("tokens", values)).rename({"tokens": name})
    assert read(table, columns={"tokens": name})["tokens"].max() == 6e10


def test_flops_in_another_unit_are_said_with_their_factor():
    flops = 6 * pl.col("params") * pl.col("tokens")
    table = frame().with_columns(gflops=flops / 1e9, flops=flops / 1e12)
    with pytest.raises(RunsError, match=r"its name says billions: .*flops='gflops\*1e9'"):
        read(table, columns={"flops": "gflops"})
    with pytest.warns(OddCounts, match=r"is 1e-12 times 6 x .* --column flops='flops\*1e12'"):
        read(table)
    assert len(read(table, columns={"flops": "gflops*1e9"})) == 9


def test_more_params_than_tokens_and_few_tokens_a_param_are_odd():
    with pytest.warns(OddCounts, match="7 of 9 runs of the data frame have more params than tok"):
        read(frame(1e-2))
    with pytest.warns(
        OddCounts, match="has 0.0275 tokens per param in the median, where runs"
    ) as w:
        read(frame(1e-3))
    assert "--column tokens='tokens*1e3' reads tokens in thousands" in str(w[0].message)
    with pytest.warns(OddCounts, match=r"has 2.75e\+05 tokens per param in the median") as w:
        read(frame(tokens=1e-4))
    assert str(w[0].message).endswith("--column params='params*1e3' reads params in thousands")


def test_a_ratio_that_no_unit_mends_is_said_alone():
    asked = {"params": "params*1e12*1e9", "tokens": "tokens*1"}
    with pytest.warns(OddCounts, match="params or tokens in another unit") as warned:
        read(frame(), columns=asked)
    assert str(warned[0].message).endswith("are params or tokens in another unit?")


def test_one_count_among_others_in_a_unit_is_no_second_unit():
    tokens = [t / 1e9 for t in frame()["tokens"][:8]] + [6e10]
    with pytest.raises(RunsError, match="which no language model has") as error:
        read(frame().with_columns(pl.Series("tokens", tokens)))
    assert "as two units do" not in str(error.value)
    tokens[7] = 6e10
    with pytest.raises(RunsError, match=r"in 7 rows and 6e.10 in 2, as two units do"):
        read(frame().with_columns(pl.Series("tokens", tokens)))


@pytest.mark.parametrize(
    ("column", "factor", "said"),
    [
        ("params", 1e-6, "params 400"),
        ("tokens", 1e9, "tokens"),
        ("loss", 3.6, "loss"),
        ("loss", 2.7, "loss 7.541"),
    ],
)
def test_one_row_far_from_all_others_is_named(column, factor, said):
    table = frame()
    values = table[column].to_list()
    values[4] *= factor
    with pytest.warns(OddCounts, match=rf"one row has {said}.*row 5\): is it in another unit\?"):
        runs = read(table.with_columns(pl.Series(column, values)))
    assert len(runs.usable) == 9


def test_a_cell_that_says_its_unit_is_not_scaled_again():
    cells = ["0.15", "0.3B", "4e-1", "0.6 billion"] + ["1.2"] * 5
    table = frame().drop("params").with_columns(pl.Series("N (B)", cells))
    runs = read(table, columns={"params": "N (B)*1e9"})
    assert runs["status"].tolist() == ["ok", "excluded", "ok", "excluded"] + ["ok"] * 5
    assert runs.usable["params"][:2].tolist() == [1.5e8, 4e8]
    assert (
        "column 'N (B)*1e9' (params) has '0.3B', which says its own unit, and is taken times 1e9 "
        "too; write all cells in one unit" in runs.excluded["reason"][0]
    )
    # Tokens of so many a param are no unit.
    whole = frame().drop("tokens").with_columns(pl.Series("params", ["150M"] * 9))
    assert read(whole, columns={"tokens": "params*20"})["tokens"].tolist() == [3e9] * 9


def test_numbers_that_stand_first_in_an_expression_are_taken_together():
    runs = read(frame(), columns={"params": "6/4*params", "tokens": "3*2*tokens"})
    assert runs["params"].tolist() == pytest.approx([1.5 * n for n in frame()["params"]])
    assert runs["tokens"].tolist() == pytest.approx([6 * d for d in frame()["tokens"]])


def test_a_bare_number_beside_cells_that_say_their_unit_costs_its_row():
    table = frame().with_columns(pl.Series("params", ["150M", "300", "4e8"] + ["1.2B"] * 6))
    runs = read(table)
    assert runs["status"].tolist() == ["ok", "excluded"] + ["ok"] * 7
    assert "has '300' where other cells say their unit, as '150M'" in runs["reason"][1]
    small = ["1k", "500"] + ["2k"] * 7
    assert len(read(table.with_columns(pl.Series("params", small)), metric="excess_risk")) == 9


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("step*batch (k)*1000", [3e9, 4e9]),
        ("total/4*2", [1e9, 2e9]),
        ("a/b", [5.0, 7.0]),
        ("a/b*2", [10.0, 14.0]),
        ("b/step", [1e6, 1e6]),
    ],
)
def test_a_column_may_be_a_product_or_quotient_of_others(text, tokens):
    table = pl.DataFrame(
        {
            "params": [1e8, 1e8], "loss": [3.0, 2.9], "precision": ["bf16"] * 2,
            "step": [1e3, "2,000"][:1] * 2, "batch (k)": [3e3, 4e3], "total": ["2B", "4B"],
            "a/b": [5.0, 7.0], "b": [1e9, 1e9],
        }
    )  # fmt: skip
    assert read(table, columns={"tokens": text})["tokens"].tolist() == pytest.approx(tokens)


def test_a_product_with_a_cell_that_is_no_number_costs_its_row():
    table = frame(1, 1e9).with_columns(pl.Series("tokens", ["3", "x", '{"a": 1}', *"111111"]))
    runs = read(table, columns={"tokens": "tokens*1e9"})
    assert "column 'tokens*1e9' (tokens) has 'x'" in runs["reason"][1]
    assert "has '{" in runs["reason"][2]
    assert len(runs.usable) == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tokns*1e9", r"no column 'tokns\*1e9' to take tokens from.*did you mean 'tokens'"),
        ("2*3", "holds no column; a value for every row is given by its name"),
        ("tokens*", r"has no column 'tokens\*'"),
    ],
)
def test_an_expression_that_is_none_is_refused(text, message):
    with pytest.raises(RunsError, match=message):
        read(frame(), columns={"tokens": text})


def test_a_loss_computed_from_another_unit_must_say_what_it_gives():
    table = frame().rename({"loss": "val_bpc"})
    how = {"loss": "val_bpc*0.6931"}
    with pytest.raises(RunsError, match=r"computed from bits per character: say what it gives"):
        read(table, columns=how)
    assert set(read(table, columns=how, metric="nats/character")["metric"]) == {"nats/character"}


def test_the_unit_that_is_proposed_lands_where_runs_are():
    with pytest.warns(OddCounts, match=r"'tokens\*1e3' reads tokens in thousands"):
        read(frame(1.0, 1e3))


@pytest.mark.parametrize("factor", [1e6, 1e9])
def test_unique_tokens_in_another_unit_are_refused_with_both_readings(factor):
    table = frame().with_columns(unique_tokens=pl.col("tokens") / 2 / factor)
    with pytest.raises(RunsError, match="epochs in the median, which no run has") as refused:
        read(table)
    (first, second) = line(str(refused.value))
    name, _, text = first.partition("=")
    whole = read(table, columns={name: text.strip("'")})
    assert whole["unique_tokens"] == pytest.approx((frame()["tokens"] / 2).to_list())
    assert second == "unique_tokens='unique_tokens*1'"


def sizes() -> pl.DataFrame:
    return frame().drop("tokens").unique("params")


@pytest.mark.parametrize(
    ("value", "tokens"),
    [("366 billion tokens", 366e9), ("2.5 billion", 2.5e9), ("366B tok", 366e9), (366e9, 366e9)],
)
def test_a_count_for_all_rows_may_say_what_it_counts(value, tokens):
    assert set(read(sizes(), tokens=value)["tokens"]) == {tokens}
    assert set(read(sizes().with_columns(tokens=pl.lit(tokens)), tokens=value)["tokens"]) == {
        tokens
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("366", "tokens=366 for all rows of the data frame is no count that a language model has: "
         "write its unit, as 366M, or, where it is the count as it stands, tokens='366 tokens'"),
        (2.5, "tokens=2.5 for all rows .* as 2.5B, or, .* tokens='2.5 tokens'"),
        ("1e20", "tokens=1e.20 for all rows .* write the count, or, where"),
        ("366 apples", "cannot read '366 apples' as a number"),
    ],
)  # fmt: skip
def test_a_bare_number_for_all_rows_that_is_no_count_is_refused_with_both_readings(value, said):
    with pytest.raises(RunsError, match=said):
        read(sizes(), tokens=value)


def test_a_small_count_for_all_rows_that_says_its_unit_stands():
    with pytest.warns(OddCounts):
        assert set(read(sizes(), tokens="366 tokens")["tokens"]) == {366.0}


@pytest.mark.filterwarnings("ignore::isoloss.runs.OddCounts")
@pytest.mark.parametrize("column", ["params", "tokens"])
@pytest.mark.parametrize("others", [2, 4, 7])
def test_two_units_in_one_column_are_refused(column, others):
    table = frame()
    values = [v / 1e9 if row < others else v for row, v in enumerate(table[column])]
    table = table.with_columns(pl.Series(column, values))
    with pytest.raises(
        RunsError, match=rf"{column}' .* in {others} rows and .*, as two u"
    ) as error:
        read(table)
    assert line(str(error.value)) == [f"{column}='{column}*1'"]
    assert len(read(table, columns={column: f"{column}*1"}).usable) == 9


def test_small_counts_that_others_follow_on_are_one_unit():
    tokens = pl.Series([10.0 ** (k / 2) for k in range(6, 15)])
    assert len(read(frame().with_columns(tokens=tokens, params=pl.lit(2e4))).usable) == 9


@pytest.mark.parametrize("name", ["log_tokens", "log10(tokens)", "config.lnTokens"])
def test_a_name_that_says_logarithms_is_refused_where_the_values_are(name):
    table = frame().with_columns(pl.col("tokens").log10().alias(name))
    with pytest.raises(RunsError, match="its name says logarithms: write the counts") as error:
        read(table, columns={"tokens": name})
    assert line(str(error.value)) == [f"tokens='{name}*1'"]
    whole = frame().rename({"tokens": name})
    assert len(read(whole, columns={"tokens": name}).usable) == 9


@pytest.mark.parametrize("tokens", [0.02, 0.5])
def test_params_and_tokens_that_may_be_swapped_are_said_with_the_line(tokens):
    table = frame().with_columns(tokens=pl.col("params") * tokens * (1 + pl.col("loss") / 100))
    with pytest.warns(OddCounts, match="reads them the other way round") as said:
        read(table)
    columns = [each.replace("'", "") for each in line(str(said[0].message))][-2:]
    assert read(table, columns=columns)["params"].tolist() == table["tokens"].to_list()
