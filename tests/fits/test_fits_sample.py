"""What may be pooled, and which rows are held out."""

from __future__ import annotations

import numpy as np
import pytest

from isoloss.fits import RULES, FitError, as_sample, fit, rollout, split
from isoloss.runs import RunsWarning


def test_excluded_rows_do_not_enter(table):
    status = ["ok"] * len(table)
    status[3] = "diverged"
    reason = [None] * len(table)
    reason[3] = "diverged at step 12"
    assert len(as_sample(table.with_columns(status=status, reason=reason))) == len(table) - 1


def test_no_usable_row_is_one_sentence(table):
    with pytest.warns(RunsWarning, match="no row"):
        none = table.with_columns(
            status=["diverged"] * len(table), reason=["diverged"] * len(table)
        )
    with pytest.raises(FitError, match="none of the 30 runs is usable"):
        as_sample(none)


@pytest.mark.parametrize("column", ["source", "corpus", "eval_set", "tokenizer", "params_kind"])
def test_rows_that_differ_in_what_makes_a_base_are_refused(table, column):
    values = (["non_embedding", "total"] if column == "params_kind" else ["one", "two"]) * (
        len(table) // 2
    )
    with pytest.raises(FitError, match=rf"runs differ in {column} .*per='{column}'"):
        as_sample(table.with_columns(**{column: values}))


def test_per_needs_a_column(table):
    with pytest.raises(FitError, match="no column 'flavour'"):
        as_sample(table, "flavour")


def test_per_separates_sources_but_not_corpora_within_one(table):
    both = table.with_columns(source=["one", "two"] * (len(table) // 2))
    assert as_sample(both, "source").x.groups == ("one", "two")
    mixed = both.with_columns(corpus=["c4", "c4", "pile"] * (len(table) // 3))
    with pytest.raises(FitError, match="differ in corpus within source 'one'"):
        as_sample(mixed, "source")


@pytest.mark.parametrize(
    ("rule", "check"),
    [
        ("largest", lambda x, held: x.params[held].min() > x.params[~held].max()),
        (
            "longest",
            lambda x, held: (x.tokens / x.params)[held].min() > (x.tokens / x.params)[~held].max(),
        ),
        ("most_tokens", lambda x, held: x.tokens[held].min() > x.tokens[~held].max()),
        (
            "params>=1e8",
            lambda x, held: (x.params[held] >= 1e8).all() and (x.params[~held] < 1e8).all(),
        ),
        ("random", lambda x, held: held.sum() == len(held) // 5),
    ],
)
def test_hold_outs_hold_out_what_they_say(table, rule, check):
    sample = as_sample(table)
    rows = split(sample, rule)
    held = np.zeros(len(sample), dtype=bool)
    held[rows.test] = True
    assert check(sample.x, held)
    assert sorted([*rows.train, *rows.test]) == list(range(len(sample)))


def test_format_and_lowest_bits_hold_outs(quantised):
    sample = as_sample(quantised)
    for rule, name in (("lowest_bits", "w3"), ("format=a4", "a4")):
        held = split(sample, rule).test
        assert {str(sample.x.levels.items[k].precision) for k in sample.x.level[held]} == {name}


def test_own_rule_and_bad_rules(table):
    sample = as_sample(table)
    assert len(split(sample, lambda s: s.x.params > 5e8).test) == 6
    with pytest.raises(FitError, match="unknown hold-out 'biggest'; accepted are largest"):
        split(sample, "biggest")
    with pytest.raises(FitError, match="holds out 0 of 30"):
        split(sample, "format=w9")
    assert "largest" in RULES


def test_rollout_expands(table):
    sample = as_sample(table)
    steps = list(rollout(sample))
    assert [len(s.train) for s in steps] == [18, 24]
    assert all(sample.x.params[s.train].max() < sample.x.params[s.test].min() for s in steps)
    with pytest.raises(FitError, match="by is params or tokens"):
        list(rollout(sample, "bits"))


def test_too_few_runs_for_the_constants(table):
    with pytest.raises(FitError, match="5 free constants but there are 4 usable runs"):
        fit("chinchilla", table.take(np.arange(4)))
