import dataclasses

import numpy as np
import pandas as pd
import polars as pl
import pytest

from isoloss.formats import Precision
from isoloss.runs import COLUMNS, Provenance, Run, Runs, RunsError, ValueIgnored, read


def test_fields_of_a_run_are_the_columns():
    assert [field.name for field in dataclasses.fields(Run)] == [column.name for column in COLUMNS]


def test_a_run_reads_suffixes_and_spellings():
    run = Run("1.3B", "26B", "W4A16", 2.5)
    assert (run.params, run.tokens, run.precision) == (1.3e9, 2.6e10, "w4 a:bf16")
    assert (
        str(run)
        == "params=1.3e+09 tokens=2.6e+10 precision=w4 a:bf16 loss=2.5 metric=nats status=ok"
    )


def test_rows_come_back_as_they_went_in(few):
    rows = list(few)
    assert len(few) == len(rows) == 4
    assert rows[0] == Run(1e6, 2e7, "w4", 4.0, source="a", seed=0, group="g1")
    assert rows[2].seed == 1


def test_usable_and_excluded_share_the_rows(few):
    assert (len(few.usable), len(few.excluded)) == (3, 1)
    (left_out,) = few.excluded
    assert left_out.status == "excluded"
    assert left_out.reason == (
        "column 'loss' has nan; accepted is a finite number above 0 (the list of runs, row 4)"
    )


def test_columns_as_arrays(few):
    assert few["params"].dtype == np.float64
    np.testing.assert_array_equal(few["seed"], [0, np.nan, 1, np.nan])
    assert few["group"].tolist() == ["g1", "g1", None, None]
    assert few["source"].dtype == object


def test_absent_canonical_columns_are_unknown_and_others_an_error(few):
    assert np.isnan(few["flops"]).all()
    assert few["corpus"].tolist() == [None] * 4
    with pytest.raises(
        RunsError, match=r"have no column 'losses'; their columns are params, tokens, precision"
    ):
        few["losses"]


def test_arrays_and_frames_are_copies(few):
    few["loss"][0] = 99.0
    few.frame().with_columns(loss=pl.lit(1.0))
    assert few["loss"][0] == 4.0


def test_precisions_are_parsed_and_unreadable_ones_refused():
    table = Runs([Run(1, 1, "w4", 1.0), Run(1, 1, "q8x", 1.0)])
    assert table.usable.precisions == [Precision.parse("w4")]
    assert "cannot read 'q8x'" in table.excluded["reason"][0]
    with pytest.raises(RunsError, match=r"q8x.*leave such rows out with runs\.usable"):
        table.precisions  # noqa: B018


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ({"source": "a"}, [0, 2, 3]),
        ({"precision": "W4A8"}, [2, 3]),
        ({"precision": ["w4", "bf16"]}, [0, 1]),
        ({"params": "4M"}, [1, 2, 3]),
        ({"params": ("2M", None)}, [1, 2, 3]),
        ({"loss": (3.25, 3.5)}, [1, 2]),
        ({"loss": lambda loss: loss > 3.4}, [0, 1]),
        ({"seed": None}, [1, 3]),
        ({"group": None, "source": "a"}, [2, 3]),
        ({"source": []}, []),
    ],
)
def test_where_chooses_by_value_list_range_and_callable(few, condition, rows):
    assert few.where(**condition).frame().equals(few.frame()[rows])


def test_where_takes_polars_expressions(few):
    assert few.where(pl.col("tokens") > 3e7, pl.col("loss") < 4, source="a")["loss"].tolist() == [
        3.25
    ]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"colour": 1}, "have no column 'colour'"),
        ({"source": ("a", "b")}, r"source=\('a', 'b'\): a tuple is a range"),
        (
            {"loss": lambda loss: loss.sum()},
            "the condition on 'loss' must return one true or false",
        ),
        ({"params": "big"}, "cannot read 'big' as a number"),
    ],
)
def test_where_refuses_what_it_cannot_mean(few, condition, message):
    with pytest.raises(RunsError, match=message):
        few.where(**condition)


def test_take_by_positions_and_by_mask(few):
    assert few.take([2, 0])["loss"].tolist() == [3.25, 4.0]
    assert few.take(few["params"] > 2e6)["loss"].tolist()[:2] == [3.5, 3.25]
    assert len(few.take([])) == 0
    with pytest.raises(RunsError, match=r"a mask of shape \(2,\) cannot choose among 4 runs"):
        few.take([True, False])


def test_with_columns_sets_arrays_and_scalars_and_checks_again(few):
    changed = few.with_columns(corpus="c4", loss=np.array([1.0, 2.0, -3.0, 4.0]))
    assert changed["corpus"].tolist() == ["c4"] * 4
    # The fourth run stays excluded; the third is new.
    assert changed["status"].tolist() == ["ok", "ok", "excluded", "excluded"]
    assert few["loss"][2] == 3.25
    with pytest.raises(RunsError, match="column 'seed' has 2 values for 4 runs"):
        few.with_columns(seed=[1, 2])


def test_split_keeps_every_row_under_its_value(few):
    parts = few.split()
    assert {value: len(part) for value, part in parts.items()} == {"a": 3, "b": 1}
    assert {value: len(part) for value, part in few.split("seed").items()} == {
        0.0: 1,
        None: 2,
        1.0: 1,
    }


def test_adding_joins_columns_and_fills_with_unknown(few):
    other = Runs([Run(1e9, 2e10, "bf16", 2.5, corpus="c4")]).with_columns(width=512)
    both = few + other
    assert len(both) == 5
    assert both["corpus"].tolist() == [None] * 4 + ["c4"]
    assert both.columns[-1] == "width"


def test_columns_of_different_type_meet_as_text(few):
    both = few.with_columns(note=1) + few.with_columns(note="b")
    assert both["note"].tolist() == ["1"] * 4 + ["b"] * 4


def test_different_metrics_never_mix(few):
    risk = Runs([Run(10, 100, "d:int6", 0.1, metric="excess_risk")])
    with pytest.raises(
        RunsError, match="runs whose loss is excess_risk and nats cannot be in one table"
    ):
        few + risk


def test_hash_is_of_the_content_and_not_its_order(few):
    again = few.take([3, 1, 0, 2])
    assert again.hash == few.hash
    assert again != few
    assert few.with_columns(corpus=None).hash == few.hash
    assert few.with_columns(loss=[4.0, 3.5, 3.25001, 1]).hash != few.hash
    assert len(few.hash) == 64


def test_provenance_travels_with_the_rows_it_covers(few):
    table = Runs(few, {"a": Provenance("MIT", "A et al. 2024"), "c": Provenance("BSD", "C")})
    assert table.licence == {"a": "MIT"}
    assert (table + few).where(source="a").citation == {"a": "A et al. 2024"}
    assert table.where(source="b").licence == {}
    assert read(table).licence == {"a": "MIT"}


@pytest.mark.parametrize("kind", [pl.DataFrame, pd.DataFrame, lambda d: pl.DataFrame(d).lazy()])
def test_any_data_frame_is_read(kind):
    frame = kind(
        {
            "params": [1e6, 2e6],
            "tokens": [3, 4],
            "precision": ["w4", None],
            "loss": [2.0, 3.0],
            "corpus": [None, "c4"],
        }
    )
    table = Runs.from_frame(frame)
    assert table["tokens"].tolist() == [3.0, 4.0]
    assert table["status"].tolist() == ["ok", "excluded"]
    assert table["corpus"].tolist() == [None, "c4"]


def test_optional_values_that_cannot_be_used_become_unknown_with_a_warning():
    with pytest.warns(
        ValueIgnored, match=r"column 'lr_peak' has -1; accepted is a finite number above 0"
    ):
        table = Runs([Run(1, 1, "bf16", 1.0, lr_peak=-1.0)])
    assert np.isnan(table["lr_peak"]).all()
    assert table["status"].tolist() == ["ok"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("params_kind", "all"),
        ("kernels", "fast"),
        ("loss_se", -0.01),
        ("metric", "accuracy"),
        ("unique_tokens", 0.0),
        ("status", "odd"),
    ],
)
def test_a_value_that_changes_what_a_row_means_excludes_it(column, value):
    table = Runs([Run(1, 1, "bf16", 1.0, **{column: value}), Run(1, 1, "bf16", 1.0)])
    assert table["status"].tolist() == ["excluded", "ok"]
    assert f"column '{column}' has" in table["reason"][0]


def test_an_empty_table_has_no_rows_and_prints():
    table = Runs()
    assert len(table) == 0
    assert str(table).startswith("runs  0, 0 usable")


def test_printing_shows_the_facts_and_the_first_rows(few):
    text = str(
        Runs(few, {"a": Provenance("MIT", "A et al. 2024", "https://a.org", "0123456789abcdef")})
    )
    assert text.splitlines()[0] == "runs          4, 3 usable, 1 excluded"
    assert "excluded      1 x column 'loss' has nan; accepted is a finite number above 0" in text
    assert "params        1M to 4M (2 values)" in text
    assert "tokens/param  5 to 20" in text
    assert "loss          3.25 to 4 nats per token" in text
    assert "source        a (3), b (1)" in text
    assert "from          a: A et al. 2024 (MIT), https://a.org at 0123456789ab" in text
    assert "4M      80M     w4 a8      nan   -     -      a       excluded" in text


def test_notebook_tables_are_escaped(few):
    page = few.with_columns(corpus="<b>")._repr_html_()
    assert "&lt;b&gt;" in page
    assert page.count("<table>") == page.count("</table>") == 2
    assert page.count("<tr>") > 4


def test_a_slice_is_a_table_of_those_rows(few):
    rows = few.usable
    assert list(few[1:3]) == list(rows)[1:3]
    assert list(rows[::-1]) == list(rows)[::-1]
    none = few[:0]
    assert (len(none), none.columns, none.provenance) == (0, few.columns, few.provenance)
    assert "0" in str(none)


@pytest.mark.parametrize("index", [0, None, (1, 2)])
def test_what_is_no_column_and_no_slice_is_refused(few, index):
    with pytest.raises(RunsError, match=r"is no column; give the name of one, a slice as runs\["):
        few[index]
