"""The synthetic language: its entropy against what is drawn, its batches, its frequencies, and what
it refuses.
"""

import json
import math
from typing import Any

import numpy as np
import pytest

from isoloss.lm import Corpus, Language, LanguageError

LANGUAGE = Language()
TOKENS = LANGUAGE.batch(0, 512, seed=3)


def test_the_cross_entropy_of_the_truth_is_the_entropy() -> None:
    surprise = -LANGUAGE.log_likelihood(TOKENS) - LANGUAGE._entropies(TOKENS)[:, None]
    each = surprise.mean(1)
    assert abs(each.mean()) < 3 * each.std(ddof=1) / math.sqrt(len(each))


def test_the_conditional_is_a_distribution_and_gives_the_likelihood() -> None:
    p = LANGUAGE.conditional(TOKENS[:20])
    assert np.allclose(p.sum(-1), 1, atol=1e-12)
    came = np.take_along_axis(p, TOKENS[:20, 1:, None], -1)[..., 0]
    assert np.allclose(np.log(came), LANGUAGE.log_likelihood(TOKENS[:20]), atol=1e-12)


def test_tokens_come_as_often_as_the_conditional_says() -> None:
    p = LANGUAGE.conditional(TOKENS)
    came = np.bincount(TOKENS[:, 1:].ravel(), minlength=LANGUAGE.vocab)
    spread = np.sqrt((p * (1 - p)).sum((0, 1)))
    z = (came - p.sum((0, 1)))[spread > 0] / spread[spread > 0]
    assert came[0] == 0  # START begins a sequence and never comes back
    assert np.abs(z).max() < 5
    assert 0.8 < z.std() < 1.2


def test_a_small_language_has_the_entropy_of_its_chain() -> None:
    """One rule that looks one token back is a Markov chain: its entropy by matrix powers, from
    START on.
    """
    small = Language(vocab=12, contexts=((1,),), context=16)
    pairs = np.array([[0, token] for token in range(12)])
    # The conditional after token v, read off sequences (START, v, anything).
    step = small.conditional(np.column_stack([pairs, np.ones(12, int)]))[:, 1]
    step[0] = small.conditional(pairs[:1])[0, 0]
    each = -(step * np.log(np.where(step > 0, step, 1))).sum(1)
    now, total = np.eye(12)[0], 0.0
    for _ in range(16):
        total += now @ each
        now = now @ step
    found = small.entropy(small.batch(0, 4096))
    assert abs(found.value - total / 16) < 4 * found.se


def test_rules_look_where_they_say() -> None:
    far = Language(contexts=((3, 1),), context=8)
    tokens = far.batch(0, 4).copy()
    before = far.candidates(tokens)
    tokens[:, 4] = tokens[:, 4] % (far.vocab - 1) + 1
    changed = (far.candidates(tokens) != before)[..., 0].any(0)
    # Position p of the result predicts token p + 1: those 1 and 3 after token 4.
    assert set(np.flatnonzero(changed)) <= {4, 6}
    assert changed.any()


def test_batches_are_a_pure_function_of_seed_and_step() -> None:
    again = Language()
    late = again.batch(7, 48, seed=1)
    whole = np.concatenate([again.batch(step, 16, seed=1) for step in range(24)])
    assert np.array_equal(whole[7 * 48 :][:48], late)
    assert np.array_equal(LANGUAGE.batch(7, 48, seed=1), late)
    assert not np.array_equal(LANGUAGE.batch(7, 48, seed=2), late)
    assert not np.array_equal(LANGUAGE.batch(0, 48, seed=0), LANGUAGE.validation(48))
    assert np.array_equal(LANGUAGE.validation(40), LANGUAGE.validation(80)[:40])
    assert not np.array_equal(Language(seed=1).candidates(TOKENS), LANGUAGE.candidates(TOKENS))


def test_word_frequencies_follow_zipfs_law() -> None:
    ranks = np.arange(1, LANGUAGE.vocab)
    slope = np.polyfit(np.log(ranks + LANGUAGE.shift), np.log(LANGUAGE.frequencies[1:]), 1)[0]
    assert slope == pytest.approx(-LANGUAGE.zipf, abs=0.01)
    came = np.sort(np.bincount(TOKENS[:, 1:].ravel()))[::-1][2:100]
    drawn = np.polyfit(np.log(np.arange(3, 101) + LANGUAGE.shift), np.log(came), 1)[0]
    # Favourites of frequent contexts are few, so that what is drawn is somewhat steeper than the
    # vocabulary.
    assert drawn == pytest.approx(-LANGUAGE.zipf, abs=0.35)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vocab": 1}, "vocab is 1; accepted is 2 to 16384 tokens"),
        ({"base": 0.0}, "base is 0; accepted is a probability above 0 and below 1"),
        ({"zipf": -1.0}, "zipf is -1, shift 2; accepted is above 0 and above -1"),
        (
            {"contexts": ()},
            "contexts is empty; accepted is at least one rule family, such as ((1,), (1, 2))",
        ),
        ({"seed": -1}, "seed is -1; accepted is 0 to 4194303"),
        ({"context": 1}, "context is 1; accepted is at least 2 tokens"),
        (
            {"contexts": ((1, 1),)},
            "a rule looks back (1, 1); accepted are 1 to 4 different distances of at least 1",
        ),
    ],
)
def test_what_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(LanguageError) as caught:
        Language(**settings)
    assert str(caught.value) == message


def test_batches_before_the_first_are_refused() -> None:
    with pytest.raises(
        LanguageError, match=r"^batch -1 of 4 sequences, seed 0: accepted are steps of at least 0"
    ):
        LANGUAGE.batch(-1, 4)


def test_the_language_is_a_corpus() -> None:
    language = Language(vocab=64, context=16, seed=3)
    assert isinstance(language, Corpus)
    assert (language.name, language.unique(1e15)) == ("synthetic", 1e15)
    assert json.loads(json.dumps(language.settings()))["seed"] == 3
