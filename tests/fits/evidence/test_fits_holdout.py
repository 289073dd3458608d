"""Hold-outs: which rows each rule holds out, and rules of a user's own."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from isoloss.cli.verbs.fit_verbs import HOLDOUT
from isoloss.fits import RULES, FitError, Rule, as_sample, compare, fit, rollout, split
from isoloss.fits.evidence.holdout import splits
from isoloss.runs import Runs


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


@pytest.mark.parametrize(
    ("counts", "held"),
    [((9, 1), 1), ((10, 1), 11), ((8, 1, 1), 1), ((17, 2, 1), 3), ((5, 5), 5)],
)
def test_the_largest_values_are_held_out_until_a_tenth_of_the_rows_are(counts, held):
    """Rows of each size, small to large: a tenth is enough, and all rows of a value go together."""
    sizes = np.repeat(1e7 * 2.0 ** np.arange(len(counts)), counts)
    columns = {"params": sizes, "tokens": 1e9 + 1e6 * np.arange(len(sizes)), "loss": 3.0}
    sample = as_sample(Runs.from_frame(pl.DataFrame({**columns, "precision": "bf16"})))
    mask = RULES["largest"].held(sample, "", 0)
    assert (mask.sum(), mask[::-1][:held].all()) == (held, True)


def test_every_rule_by_its_rows(table):
    sample = as_sample(table)
    n, d = sample.x.params, sample.x.tokens
    assert split(sample, "tokens>=1e9").test.tolist() == np.flatnonzero(d >= 1e9).tolist()
    assert (
        split(sample, f"params>={n.max():.17g}").test.tolist()
        == np.flatnonzero(n == n.max()).tolist()
    )
    assert split(sample, "longest").test.tolist() == np.flatnonzero(d / n > 499).tolist()
    other = [split(sample, "random", seed).test.tolist() for seed in (0, 0, 1)]
    assert (other[0] == other[1], other[1] == other[2], len(other[0])) == (True, False, 6)
    with pytest.raises(FitError, match=r"needs the column 'group'; runs have params"):
        split(sample, "group=a")
    assert [len(each.test) for each in rollout(sample, "tokens", 1)][:2] == [1, 1]
    assert next(rollout(sample)).rule == f"params {np.unique(n)[3]:.3g} from below"


def test_splits_are_one_or_those_of_a_rollout_and_a_random_fifth_is_a_run_at_least(table):
    sample = as_sample(table)
    assert [len(each.test) for each in splits(sample, "largest")] == [6]
    assert [len(each.test) for each in splits(sample, lambda s: s.x.params > 5e8)] == [6]
    assert [len(each.test) for each in splits(sample, "rollout=params")] == [6, 6]
    few = sample.take(np.flatnonzero(sample.x.params < 2e8))
    with pytest.raises(FitError, match="'rollout=params' needs at least four different values"):
        splits(few, "rollout=params")
    assert [RULES["random"].held(sample.take(np.arange(n)), "", 0).sum() for n in (4, 9)] == [1, 1]


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


def test_rollout_expands(table):
    sample = as_sample(table)
    steps = list(rollout(sample))
    assert [len(s.train) for s in steps] == [18, 24]
    assert all(sample.x.params[s.train].max() < sample.x.params[s.test].min() for s in steps)
    with pytest.raises(FitError, match="by is params or tokens"):
        list(rollout(sample, "bits"))


def test_a_rule_of_ones_own_is_spelled_in_every_verb(table):
    def every(sample, value, seed):
        return np.arange(len(sample)) % int(value) == 0

    RULES.register("every", Rule("every N-th run", every, "N"))
    try:
        assert len(split(table, "every=5").test) == 6
        found = fit("chinchilla", table, holdout="every=5", draws=2, starts=2)
        assert found.held_out.rule == "every=5"
        assert compare("chinchilla", table, holdouts="every=3", draws=2, starts=2).rules == (
            "every=3",
        )
        with pytest.raises(FitError, match=r"accepted are .* every=N, rollout=params"):
            split(table, "every")
    finally:
        RULES.remove("every")
    with pytest.raises(FitError, match="unknown hold-out 'every=5'"):
        split(table, "every=5")


def test_a_format_is_found_by_any_of_its_spellings(quantised):
    one, two = (split(quantised, f"format={name}").test for name in ("w4", "w:int4"))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("word", RULES)
def test_the_command_names_every_rule(word):
    assert word.removesuffix(">") in HOLDOUT
    assert RULES[word].meaning
