"""What may be pooled in one fit."""

from __future__ import annotations

import numpy as np
import pytest

from isoloss.fits import FitError, as_sample, fit
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


def test_too_few_runs_for_the_constants(table):
    with pytest.raises(FitError, match="5 free constants but there are 4 usable runs"):
        fit("chinchilla", table.take(np.arange(4)))
