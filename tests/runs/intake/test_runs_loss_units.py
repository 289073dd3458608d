"""Losses in bits or perplexity become nats; others are kept apart, never nats by default."""

from __future__ import annotations

import math
import re

import polars as pl
import pytest

from isoloss.runs import LossConverted, Run, Runs, RunsError, TableMap, metric_of, read

ONE = {"params": [1e8], "tokens": [1e9], "precision": ["bf16"]}


def table(loss: float, **columns) -> pl.DataFrame:
    return pl.DataFrame({**ONE, "loss": [loss], **{name: [v] for name, v in columns.items()}})


@pytest.mark.parametrize(
    ("metric", "loss", "nats", "kept"),
    [
        ("bits", 4.0, 4 * math.log(2), "nats"),
        ("bits per token", 4.0, 4 * math.log(2), "nats"),
        ("BPB", 1.0, math.log(2), "nats/byte"),
        ("bits_per_character", 2.0, 2 * math.log(2), "nats/character"),
        ("bpc", 2.0, 2 * math.log(2), "nats/character"),
        ("ppl", math.e**3, 3.0, "nats"),
        ("Perplexity", math.e, 1.0, "nats"),
        ("nats per token", 3.0, 3.0, "nats"),
        ("nats/byte", 0.7, 0.7, "nats/byte"),
    ],
)
def test_a_unit_of_the_metric_is_converted(metric, loss, nats, kept):
    runs = Runs.from_frame(table(loss, metric=metric))
    assert runs["loss"][0] == pytest.approx(nats, rel=1e-12)
    assert runs["metric"][0] == kept
    again = Runs.from_frame(runs.frame())
    assert again["loss"][0] == runs["loss"][0]


def test_standard_errors_are_converted_with_their_loss():
    bits = Runs.from_frame(table(4.0, metric="bits", loss_se=0.1))
    assert bits["loss_se"][0] == pytest.approx(0.1 * math.log(2))
    ppl = Runs.from_frame(table(20.0, metric="ppl", loss_se=0.4))
    assert ppl["loss_se"][0] == pytest.approx(0.02)


@pytest.mark.parametrize("metric", ["accuracy", "mse", "elo"])
def test_a_metric_that_is_no_logarithm_is_kept_apart(metric):
    runs = Runs([Run(1e8, 1e9, "bf16", 0.4, metric=metric), Run(1e8, 1e9, "bf16", 3.0)])
    assert len(runs.usable) == 1
    assert (
        f"has '{metric}'; accepted is one of nats, excess_risk, nats/byte"
        in runs.excluded["reason"][0]
    )


def test_a_perplexity_of_one_or_less_is_left_out():
    runs = Runs(
        [Run(1e8, 1e9, "bf16", 0.8, metric="ppl"), Run(1e8, 1e9, "bf16", 9.0, metric="ppl")]
    )
    assert "has 0.8; accepted is a perplexity above 1" in runs.excluded["reason"][0]


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("val_bpc", "nats/character"),
        ("eval/bpb", "nats/byte"),
        ("bits_per_byte", "nats/byte"),
        ("val_bits_per_token", "nats"),
        ("val-ppl", "nats"),
        ("eval/perplexity", "nats"),
        ("loss (bits)", "nats"),
        ("eval/loss_bits", "nats"),
        ("nll in bits", "nats"),
        ("byte_perplexity", "nats/byte"),
        ("char ppl", "nats/character"),
    ],
)
def test_a_unit_in_the_name_of_the_loss_column_is_taken_and_said(name, metric):
    frame = table(3.0).rename({"loss": name})
    with pytest.warns(LossConverted, match=re.escape(f"column '{name}' of the data frame is ")):
        runs = read(frame, columns={"loss": name})
    assert runs["metric"][0] == metric
    assert runs["loss"][0] < 3
    assert read(frame, columns={"loss": name}, metric="nats")["loss"][0] == 3


@pytest.mark.parametrize(
    ("name", "metric"),
    [("loss_per_byte", "nats/byte"), ("val nats/char", "nats/character"), ("nll/token", "nats")],
)
def test_nats_in_the_name_of_the_loss_column_stay_nats(name, metric):
    with pytest.warns(LossConverted, match="taken as it is"):
        runs = read(table(0.7).rename({"loss": name}), columns={"loss": name})
    assert (runs["loss"][0], runs["metric"][0]) == (0.7, metric)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("eval/acc", "says that it is no loss"),
        ("mmlu_accuracy", "says that it is no loss"),
        ("F1", "says that it is no loss"),
        ("word_perplexity", "is per word, and tokens per word are not known"),
        ("bits per word", "is per word"),
    ],
)
def test_a_column_that_says_it_is_no_loss_per_token_is_refused(name, said):
    frame = table(0.7).rename({"loss": name})
    with pytest.raises(RunsError, match=said):
        read(frame, columns={"loss": name})
    assert len(read(frame, columns={"loss": name}, metric="nats").usable) == 1


@pytest.mark.parametrize(
    "name", ["loss_at_4_bits", "val_loss_4bits", "supply", "bpcx", "loss_w4bits", "accelerated"]
)
def test_other_names_say_no_unit(name):
    runs = read(table(3.0).rename({"loss": name}), columns={"loss": name})
    assert (runs["loss"][0], runs["metric"][0]) == (3.0, "nats")


@pytest.mark.parametrize("columns", [{}, {"metric": "ppl"}])
def test_perplexity_is_converted_once(columns):
    frame = table(20.0, **columns).rename({"loss": "ppl"})
    runs = read(frame, perplexity="ppl")
    assert runs["loss"][0] == pytest.approx(math.log(20))
    assert runs["metric"][0] == "nats"


@pytest.mark.parametrize(
    ("name", "columns", "metric"),
    [
        ("ppl", {"loss_se": 0.5}, "nats"),
        ("loss", {"metric": "nats/byte", "loss_se": 0.5}, "nats/byte"),
        ("loss", {"metric": "ppl/byte", "loss_se": 0.5}, "nats/byte"),
        ("byte_ppl", {"loss_se": 0.5}, "nats/byte"),
        ("char_perplexity", {"loss_se": 0.5}, "nats/character"),
    ],
)
def test_perplexity_that_was_said_converts_errors_and_keeps_what_it_is_per(name, columns, metric):
    runs = read(table(20.0, **columns).rename({"loss": name}), perplexity=name)
    assert (runs["loss"][0], runs["metric"][0]) == (math.log(20), metric)
    assert runs["loss_se"][0] == pytest.approx(0.5 / 20)


def test_perplexity_against_another_unit_is_refused():
    runs = read(pl.concat([table(20.0, metric="bits"), table(20.0, metric="")]), perplexity=True)
    assert runs.usable["loss"].tolist() == [math.log(20)]
    assert (
        "has 'bits', and the loss is read as perplexity (--perplexity)"
        in (runs.excluded["reason"][0])
    )
    for name, said in (("word_ppl", "is per word"), ("val_bpb", "says bits per byte, and perpl")):
        frame = table(20.0).rename({"loss": name})
        with pytest.raises(RunsError, match=said):
            read(frame, perplexity=name)
        assert read(frame, perplexity=name, metric="nats")["loss"][0] == math.log(20)


def test_nats_per_byte_and_per_token_never_mix():
    one = Runs.from_frame(table(3.0))
    other = Runs.from_frame(table(0.9, metric="bpb"))
    with pytest.raises(RunsError, match="nats and nats/byte cannot be in one table"):
        one + other
    assert metric_of("nats/byte").amount("0.1") == "0.1 nats"
    assert metric_of("nats/byte").per_run == "nats per byte"


def test_files_in_two_units_are_refused_with_what_to_type(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(3.0).write_csv("a.csv")
    table(0.9, metric="bpb").write_csv("b c.csv")
    with pytest.raises(RunsError, match=r"nats \(a.csv\) and nats/byte \(b c.csv\) cannot") as said:
        read(["a.csv", "b c.csv"])
    assert "isoloss runs 'b c.csv' ... --set metric=nats --map how.json" in str(said.value)
    assert str(said.value).endswith("--map 'b c.csv'=how.json")
    table(0.9).write_csv("b c.csv")
    how = TableMap(constants={"metric": "nats"})
    assert len(read(["a.csv", "b c.csv"], map={"b c.csv": how})) == 2
    with pytest.raises(
        RunsError, match=r"nats and nats/byte cannot be in one table: fit them apart$"
    ):
        read([Runs.from_frame(table(3.0)), Runs.from_frame(table(0.9, metric="bpb"))])


def test_a_column_of_units_is_the_metric_whatever_its_name():
    frame = pl.concat([table(4.0, unit="bits"), table(3.0, unit="nats"), table(9.0, unit="ppl")])
    with pytest.warns(LossConverted, match="column 'unit' of the data frame is read as the unit"):
        runs = read(frame)
    assert runs["loss"].tolist() == pytest.approx([4 * math.log(2), 3.0, math.log(9)])
    assert read(frame, metric="nats")["loss"].tolist() == [4.0, 3.0, 9.0]
    with pytest.raises(RunsError, match="'unit' and 'kind' of the data frame both hold units"):
        read(frame.with_columns(kind=pl.lit("bpb")))


@pytest.mark.parametrize("words", [["bits", "acc"], ["", None], [4.0, 8.0]])
def test_a_column_of_other_words_is_no_metric(words):
    frame = pl.concat([table(3.0), table(3.1)]).with_columns(pl.Series("unit", words))
    assert set(read(frame)["metric"]) == {"nats"}


@pytest.mark.filterwarnings("ignore::isoloss.runs.RunsWarning")
@pytest.mark.parametrize(("known", "kept"), [("nats", "ok"), ("bits", "excluded"), ("bpb", "excl")])
def test_a_loss_of_which_no_unit_is_said_is_in_nats_beside_nats_only(known, kept):
    table = pl.DataFrame({"params": [1e8, 2e8], "tokens": [2e9, 3e9], "loss": [3.0, 2.9]})
    runs = read(table.with_columns(metric=pl.Series([known, ""])), precision="bf16")
    assert runs["status"][0] == "ok"
    assert runs["status"][1].startswith(kept)
    said = f"column 'metric' is empty where other rows say '{known}'"
    assert (said in str(runs["reason"][1])) == (known != "nats")
