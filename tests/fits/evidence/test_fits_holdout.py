"""Hold-outs: which rows each rule holds out, and rules of a user's own."""

from __future__ import annotations

import numpy as np
import pytest

from isoloss.cli.verbs.fit_verbs import HOLDOUT
from isoloss.fits import RULES, FitError, Rule, as_sample, compare, fit, rollout, split


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
